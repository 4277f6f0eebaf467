"""Marked fields: in the index as in a model's targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backbones import byte_tokenizer, word_tokenizer
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from genret.cli.app import app
from genret.corpus import Passage, PassageStore
from genret.errors import InputError, UsageError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout, encode_field
from genret.indexing.pseudo_queries import read_pseudo_queries

PASSAGES = [Passage("a", "Paris", "where  lies\nparis"), Passage("b", "", "the city")]


def marked_words() -> PreTrainedTokenizerFast:
    tokenizer = word_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<title>", "<query>"]})
    return tokenizer


def test_marks_are_tokens_that_no_text_has() -> None:
    tokenizer = marked_words()
    layout = Layout.of(tokenizer)
    assert tokenizer.convert_ids_to_tokens([layout.separator, layout.query_mark]) == ["<title>", "<query>"]
    written = byte_tokenizer()
    written.add_special_tokens({"additional_special_tokens": ["<query>"]})
    assert written.decode([Layout.of(written).separator]) == "\n"
    for plain in (word_tokenizer(), byte_tokenizer()):
        with pytest.raises(InputError, match="no two tokens"):
            Layout.of(plain)


def test_a_passage_is_title_separator_text_and_marked_queries(tmp_path: Path) -> None:
    tokenizer = marked_words()
    layout = Layout.of(tokenizer)
    store = PassageStore.build(PASSAGES)
    asked = [["what river", "", "who"], [" "]]
    build_text_index(store, tokenizer, tmp_path / "index", layout=layout, pseudo_queries=asked)
    loaded = TextIndex.load(tmp_path / "index")
    assert loaded.layout == layout
    title, text, river, who = encode_field(tokenizer, ["Paris", "where lies paris", "what river", "who"])
    mark, end = layout.query_mark, layout.separator
    assert loaded.index.extract(0).tolist() == [*title, end, *text, mark, *river, end, mark, *who, end]
    assert loaded.index.extract(1).tolist() == [end, *encode_field(tokenizer, ["the city"])[0]]
    assert loaded.title_lengths.tolist() == [len(title), 0]


def test_a_field_is_tokenised_as_within_a_text() -> None:
    tokenizer = byte_tokenizer()
    assert encode_field(tokenizer, ["a \n b"]) == [tokenizer(" a b", add_special_tokens=False).input_ids]
    assert encode_field(tokenizer, ["", " "]) == [[], []]


def test_the_command_marks_fields_and_reads_pseudo_queries(tmp_path: Path) -> None:
    lines = [json.dumps({"_id": p.passage_id, "title": p.title, "text": p.text}) for p in PASSAGES]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "asked.jsonl").write_text('{"passage_id": "b", "text": "who"}\n')
    marked_words().save_pretrained(tmp_path / "tokenizer")
    options = ["--tokenizer", str(tmp_path / "tokenizer"), "--marks"]
    options += ["--pseudo-queries", str(tmp_path / "asked.jsonl"), "-o", str(tmp_path / "index")]
    result = CliRunner().invoke(app, ["index", "build", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    loaded = TextIndex.load(tmp_path / "index")
    assert loaded.layout is not None
    assert loaded.index.count([loaded.layout.query_mark]) == 1


def test_refusals(tmp_path: Path) -> None:
    store = PassageStore.build(PASSAGES)
    with pytest.raises(UsageError, match="give a layout"):
        build_text_index(store, marked_words(), tmp_path / "index", pseudo_queries=[[], []])
    (tmp_path / "asked.jsonl").write_text('{"passage_id": "z", "text": "who"}\n')
    with pytest.raises(InputError, match="not in the corpus"):
        read_pseudo_queries(tmp_path / "asked.jsonl", store)
    with pytest.raises(InputError, match="not a file"):
        read_pseudo_queries(tmp_path, store)
