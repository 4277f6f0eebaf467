"""A source that belongs to somebody else goes in by its path or its package's name, and its options are checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from guests import install_guest

from genret.corpus import Passage, PassageStore
from genret.errors import InputError
from genret.training.examples.sources import Material, Pair, make_source

SHOUTED = """
from dataclasses import dataclass

from genret.training.examples.sources import Computed, Pair, Source


@dataclass(frozen=True)
class Shouted(Source):
    name = "shouted"
    words: int = 2

    def open(self, material):
        def pair(row):
            return Pair(" ".join(material.passages[row].text.upper().split()[: self.words]), (row,))

        return Computed(len(material.passages), pair)
"""


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_guest(tmp_path, monkeypatch, "shouting", SHOUTED, {"loud": "shouting:Shouted"})


@pytest.mark.parametrize(
    ("name", "options"),
    [("shouting:Shouted", {}), ("loud", {}), ("mine", {"kind": "shouting:Shouted"})],
)
def test_a_guest_opens_like_ours(name: str, options: dict[str, object]) -> None:
    passages = PassageStore.build([Passage("a", "", "one two three"), Passage("b", "", "four")])
    pairs = make_source(name, {**options, "words": 1}).open(Material(passages))
    assert list(pairs) == [Pair("ONE", (0,)), Pair("FOUR", (1,))]


def test_a_guests_options_are_checked_like_ours() -> None:
    with pytest.raises(InputError, match=r"sources\.loud: unknown key 'wrods'; did you mean 'words'"):
        make_source("loud", {"wrods": 1})
    with pytest.raises(InputError, match=r"words: expected a whole number, found 'x'"):
        make_source("loud", {"words": "x"})
