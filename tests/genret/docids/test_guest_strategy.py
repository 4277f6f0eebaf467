"""A docid strategy of somebody else: made, stored, opened and grown like ours; refused in a sentence where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from guests import install_guest

from docid.strategies import DocumentFields, load_strategy
from fm_index.container import ArtefactError
from genret.docids.strategies import make_strategy, open_strategy
from genret.errors import InputError
from genret.recipes.recipe_options import DocidOptions

LENGTHS = """
from dataclasses import dataclass, field

from docid.ragged import as_ragged
from docid.strategies import Residual, Strategy
from docid.strategies.base import Docids

@dataclass
class Lengths(Strategy):
    name = "lengths"
    reads = ("texts",)
    base: int = 10

    def docids(self, fields, tokenize, taken):
        sizes = [len(text.split()) % self.base for text in self.need(fields, "texts")]
        new = ["<n0>"] if not taken.num_documents else []
        return Docids([str(size) for size in sizes], [[-1] * (size + 1) for size in sizes], new)

@dataclass
class Again(Residual):
    seeds: int = 3

@dataclass
class Listed(Lengths):
    name = "listed"
    many: list = field(default_factory=list)

@dataclass
class Nameless(Strategy):
    def docids(self, fields, tokenize, taken): ...
"""
FIELDS = DocumentFields(3, texts=["a b", "a", "a b c d"])


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"lengths": "lengthy:Lengths", "counted": "lengthy:Lengths"}
    install_guest(tmp_path / "site", monkeypatch, "lengthy", LENGTHS, names)


@pytest.mark.parametrize("name", ["lengthy:Lengths", "lengths", "counted"])
def test_it_is_stored_and_opened_by_its_own_name(name: str, tmp_path: Path) -> None:
    strategy = make_strategy(name, {"base": 3}, "here")
    table = strategy.assign(FIELDS)
    strategy.save(tmp_path / "strategy")
    again = open_strategy(tmp_path / "strategy")
    assert again == strategy
    grown = again.assign_new(table, DocumentFields(1, texts=["x y"]))
    assert [grown.docid(row) for row in range(4)] == ["2", "1", "1", "2"]
    assert DocidOptions(name, {"base": 3}).reads == ("texts",)


def test_a_stored_strategy_that_nothing_offers_is_named(tmp_path: Path) -> None:
    strategy = make_strategy("lengths", {}, "here")
    strategy.fit(FIELDS)
    strategy.save(tmp_path / "strategy")
    with pytest.raises(ArtefactError, match=r"docid strategy 'lengths', and nothing .* install that package"):
        load_strategy(tmp_path / "strategy")
    assert load_strategy(tmp_path / "strategy", {"lengths": type(strategy)}.get) == strategy


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lengthy:Lengths", {"bases": 2}, "unknown key 'bases'; did you mean 'base'"),
        ("lengthy:Again", {}, "is called 'residual', as one of ours is"),
        ("lengthy:Listed", {}, "option 'many' whose default is no text"),
        ("lengthy:Nameless", {}, "has no `name`"),
        ("lengthy:DocumentFields", {}, "has no 'DocumentFields'"),
        ("lengthy:Docids", {}, "is no class that inherits from docid.strategies.base.Strategy"),
    ],
)
def test_one_that_will_not_do_is_refused_before_work(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DocidOptions(name, options)
