"""Identifiers of ir_datasets: the package itself where it is installed, else its interface."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from genret.corpus import (
    Passage,
    Query,
    Question,
    read_judgements,
    read_passages,
    read_queries,
    read_questions,
)
from genret.errors import InputError, UsageError


class TitledDoc(NamedTuple):
    doc_id: str
    text: str
    title: str


class OtherDoc(NamedTuple):
    doc_id: str
    abstract: str

    def default_text(self) -> str:
        return self.abstract


class AQuery(NamedTuple):
    query_id: str
    text: str

    def default_text(self) -> str:
        return self.text


class Qrel(NamedTuple):
    query_id: str
    doc_id: str
    relevance: int


class Dataset:
    """As ir_datasets' objects answer."""

    def has_docs(self) -> bool:
        return True

    def has_queries(self) -> bool:
        return True

    def has_qrels(self) -> bool:
        return False

    def docs_iter(self) -> Iterator[Any]:
        return iter([TitledDoc("d1", "text", "Title"), OtherDoc("d2", "an abstract")])

    def queries_iter(self) -> Iterator[Any]:
        return iter([AQuery("q1", "what?")])


class Judged(Dataset):
    def has_qrels(self) -> bool:
        return True

    def qrels_iter(self) -> Iterator[Any]:
        return iter([Qrel("q1", "d1", 2), Qrel("q1", "d2", 0)])


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("ir_datasets")
    module.load = {"toy": Dataset(), "toy/test": Judged()}.__getitem__
    monkeypatch.setitem(sys.modules, "ir_datasets", module)


@pytest.mark.usefixtures("package")
def test_passages_queries_and_judgements() -> None:
    assert list(read_passages(Path("irds:toy"))) == [
        Passage("d1", "Title", "text"),
        Passage("d2", "", "an abstract"),
    ]
    assert list(read_queries("irds:toy")) == [Query("q1", "what?")]
    assert list(read_questions("irds:toy")) == [Question("q1", "what?", [])]
    assert read_judgements("irds:toy/test") == {"q1": {"d1": 2, "d2": 0}}


@pytest.mark.usefixtures("package")
def test_what_it_does_not_have_is_named() -> None:
    with pytest.raises(InputError, match="irds:other: ir_datasets knows no dataset 'other'"):
        list(read_passages("irds:other"))
    with pytest.raises(InputError, match="irds:toy: this dataset has no qrels"):
        read_judgements("irds:toy")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(UsageError, match="pip install ir_datasets"):
        list(read_queries("irds:toy"))
