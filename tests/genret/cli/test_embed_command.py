"""`genret embed` as a user calls it: vectors in order, computed once, equal to the encoder's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from floats import assert_close
from tiny_sentence_encoder import write_encoder
from typer.testing import CliRunner

from genret.cli.corpus import embed as embed_command
from genret.errors import InputError
from genret.models.frozen.sentence_encoder import SentenceEncoder

# Vectors are stored in float16, in which numbers below 1 are at most this far apart.
HALF = 2**-11
TEXTS = ["a quick fox", "the lazy dog jumps over a fox", "brown"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = [{"_id": str(row), "title": "the dog", "text": text} for row, text in enumerate(TEXTS)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "lazy fox"}\n')
    write_encoder(tmp_path / "encoder")
    return tmp_path


def genret_embed(corpus: Path, *arguments: object) -> np.ndarray:
    app = typer.Typer()
    embed_command.register(app)
    output = corpus / "vectors.npy"
    folders = ("--encoder", corpus / "encoder", "--cache", corpus / "cache", "-o", output)
    result = CliRunner().invoke(app, [*map(str, (corpus, *folders, *arguments))])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    vectors: np.ndarray = np.load(output, allow_pickle=False)
    return vectors


def test_the_vectors_are_those_of_title_and_text_in_order(corpus: Path) -> None:
    vectors = genret_embed(corpus)
    encoder = SentenceEncoder.load(corpus / "encoder")
    expected = encoder.embed([f"the dog. {text}" for text in TEXTS])
    assert vectors.dtype == np.float16
    assert_close(vectors, expected, within=HALF)
    short = genret_embed(corpus, "--overwrite", "--max-length", 4)
    assert_close(short[0], short[1], within=HALF)


def test_queries_are_embedded_on_demand_and_nothing_is_overwritten_unasked(corpus: Path) -> None:
    vectors = genret_embed(corpus, "--queries")
    expected = SentenceEncoder.load(corpus / "encoder").embed(["lazy fox"])
    assert_close(vectors, expected, within=HALF)
    with pytest.raises(InputError, match="exists already"):
        genret_embed(corpus)
