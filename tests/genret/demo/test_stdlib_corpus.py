from __future__ import annotations

import sys

import pytest

from genret.corpus.types import Passage
from genret.demo.docstrings import Entry
from genret.demo.stdlib_corpus import stdlib_passages
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
