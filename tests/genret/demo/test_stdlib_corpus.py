from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from genret.corpus import read_passages, read_queries
from genret.corpus.types import Passage
from genret.demo.docstrings import Entry
from genret.demo.questions import Question
from genret.demo.stdlib_corpus import stdlib_passages, write_corpus, write_queries, write_split
from genret.errors import UsageError


def test_passages_are_the_harvest_and_leave_this_process_as_it_was(entries: dict[str, Entry]) -> None:
    before = set(sys.modules)
    passages = stdlib_passages()
    assert [one.passage_id for one in passages] == list(entries)
    assert passages[0] == Passage(
        *[getattr(next(iter(entries.values())), name) for name in ("name", "title", "text")]
    )
    assert not {"antigravity", "this", "telnetlib", "mailbox", "turtle"} & (set(sys.modules) - before)


@pytest.mark.parametrize("executable", ["", "/nonexistent/python", "false"])
def test_without_a_working_interpreter_there_is_a_sentence(
    executable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(UsageError, match="docstrings could not be read"):
        stdlib_passages()


def test_an_interpreter_without_docstrings_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "true")
    with pytest.raises(UsageError, match="true keeps no docstrings"):
        stdlib_passages()


def test_folder_reads_back_as_a_corpus_with_questions(tmp_path: Path) -> None:
    passages = [Passage("a.b", "a.b(é)", "one\ntwo"), Passage("c", "c (module)", "three")]
    write_corpus(tmp_path, passages)
    write_queries(tmp_path, {"q1": "which?"})
    assert (
        write_split(tmp_path, "test", [Question("q1", "which?", ("a.b", "c"))])
        == tmp_path / "qrels" / "test.tsv"
    )
    assert list(read_passages(tmp_path)) == passages
    assert [tuple(query) for query in read_queries(tmp_path)] == [("q1", "which?")]
    assert (tmp_path / "qrels" / "test.tsv").read_text().splitlines() == [
        "query-id\tcorpus-id\tscore",
        "q1\ta.b\t1",
        "q1\tc\t1",
    ]
    assert json.loads((tmp_path / "queries.jsonl").read_text()) == {"_id": "q1", "text": "which?"}
