"""What KILT's and DPR's files hold beside queries and passages, and round trips of any texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_samples import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, PassageStore
from genret.corpus.formats import dpr, kilt
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import FoundPassage, FoundQuery
from genret.corpus.formats.registry import write_found


def test_kilt_lines_keep_everything(tmp_path: Path) -> None:
    path = sample("kilt-queries", tmp_path)
    lines = list(kilt.lines(DataFile(path)))
    kilt.write_lines(tmp_path / "again", lines)
    assert (tmp_path / "again").read_text() == path.read_text()
    assert lines[0].answers == ["SUPPORTS"]
    assert lines[1].outputs == []


def test_kilt_paragraphs_as_judgements(tmp_path: Path) -> None:
    path = sample("kilt-queries", tmp_path)
    assert kilt.judgements(DataFile(path), "paragraph") == {"f1": {"10#2": 1, "10#3": 1, "11#1": 1}}
    assert kilt.page_of("10#2") == "10"
    assert kilt.page_of("10") == "10"


def test_dpr_contexts_carry_texts_answers_and_has_answer(tmp_path: Path) -> None:
    store = PassageStore.build([Passage("1", "T", "It was Zürich, in 1999."), Passage("2", "", "Nothing.")])
    asked = [dpr.Question("0", "where?", ["ZÜRICH"]), dpr.Question("1", "who?", ["nobody"])]
    path = tmp_path / "contexts.json"
    hits = [[FoundPassage("2", 2.0), FoundPassage("1", 1.5)], []]
    write_found(path, map(FoundQuery, asked, hits), "dpr-run", store)
    entries = json.loads(path.read_text())
    assert [context["has_answer"] for context in entries[0]["ctxs"]] == [False, True]
    assert entries[0]["ctxs"][1] == {
        "id": "1",
        "title": "T",
        "text": "It was Zürich, in 1999.",
        "score": "1.5",
        "has_answer": True,
    }
    assert entries[1]["ctxs"] == []
    assert dpr.run(DataFile(path)) == {"0": [("2", -1.0), ("1", -2.0)], "1": []}
    assert [query.text for query in dpr.queries(DataFile(path))] == ["where?", "who?"]
    write_found(path, [], "dpr-run", store)
    assert json.loads(path.read_text()) == []


text = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(text, st.lists(text, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_dpr_questions_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("qa") / "x.qa.csv"
    rows = [(f"q {question} ?", answers) for question, answers in rows]
    asked = [dpr.Question(str(i), question, answers) for i, (question, answers) in enumerate(rows)]
    dpr.write_questions(path, asked)
    assert list(dpr.questions(DataFile(path))) == asked


@settings(max_examples=60, deadline=None)
@given(rows=st.dictionaries(st.integers(0, 99).map(str), st.tuples(text, text), min_size=1, max_size=5))
def test_dpr_passages_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("psgs") / "x.tsv"
    listed = [Passage(passage_id, title, body) for passage_id, (title, body) in rows.items()]
    dpr.write_passages(path, listed)
    assert list(dpr.passages(DataFile(path))) == listed
