"""`genret demo --ngrams` on a corpus of a few lines and a tiny model in the place of SmolLM2."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from backbones import t5
from rich.console import Console

from fm_index.weights import ScoringOptions
from genret.corpus import Passage
from genret.corpus.formats.beir import write_passages
from genret.demo import ngram_demo
from genret.demo.collection import DemoCollection
from genret.demo.questions import DemoQuestion
from genret.jobs.stages import Stages
from genret.recipes.recipe_options import NgramModelOptions

PASSAGES = [
    Passage("json.load", "json.load", "Read a document from a file."),
    Passage("os.remove", "os.remove", "Remove a file."),
]


@pytest.fixture
def collection(tmp_path: Path) -> DemoCollection:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_passages(folder / "corpus.jsonl", PASSAGES)
    questions = [DemoQuestion("q1", "remove a file", ("os.remove",))]
    return DemoCollection("a test", folder, PASSAGES, questions, folder / "test.tsv", None, "0" * 32, [])


def test_it_shows_passages_with_their_matches_and_keeps_what_it_made(
    collection: DemoCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = t5()
    backbone.extend_vocabulary(["<query>"])
    backbone.tokenizer.add_special_tokens({"additional_special_tokens": ["<query>"]})
    backbone.save_pretrained(tmp_path / "t5")
    shipped = ngram_demo.ngram_recipe
    assert shipped(tmp_path, tmp_path).model == NgramModelOptions()

    def recipe(corpus: Path, output: Path) -> object:
        given = shipped(corpus, output)
        settings = replace(given.retrieval, scoring=ScoringOptions(lm_only=True))
        model = NgramModelOptions("encoder-decoder", str(tmp_path / "t5"))
        return replace(given, retrieval=settings, model=model)

    monkeypatch.setattr(ngram_demo, "ngram_recipe", recipe)
    stream = io.StringIO()
    console = Console(file=stream, width=100)
    found = ngram_demo.run_ngram_demo(console, collection, tmp_path / "demo", Stages())
    shown = stream.getvalue()
    assert "remove a file" in shown
    assert shown.count("right") == 1
    monkeypatch.setattr(ngram_demo, "run_ngram_recipe", None)
    again = ngram_demo.run_ngram_demo(console, collection, tmp_path / "demo", Stages())
    assert again.search("remove a file") == found.search("remove a file")
    answers = iter(["a document"])
    ngram_demo.ask_ngrams(console, again, lambda _: next(answers, None) or _end())
    assert "json.load" in stream.getvalue()


def _end() -> str:
    raise EOFError
