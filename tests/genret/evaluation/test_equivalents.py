"""Near-copies and pages against their definitions, and what judgements become."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import Passage
from genret.evaluation import near_copies, same_page, widened

TEXTS = st.lists(st.text("abcdef ,", min_size=1, max_size=12), min_size=1, max_size=12)


def passages_of(texts: list[str]) -> list[Passage]:
    return [Passage(f"p{row}", "", text) for row, text in enumerate(texts)]


@given(TEXTS, st.sampled_from([0.25, 0.5, 1.0]))
def test_near_copies_are_those_of_the_definition(texts: list[str], share: float) -> None:
    passages = passages_of([f"{text} end" for text in texts])
    words = [set(re.findall(r"\w+", passage.text.casefold())) for passage in passages]
    expected = {}
    for row, own in enumerate(words[:6]):
        copies = [
            f"p{other}"
            for other, found in enumerate(words)
            if other != row and len(own & found) >= share * len(own | found)
        ]
        if copies:
            expected[f"p{row}"] = copies
    found = near_copies(passages, {f"p{row}" for row in range(6)}, share)
    assert {name: sorted(copies) for name, copies in found.items()} == {
        name: sorted(copies) for name, copies in expected.items()
    }


def test_case_and_punctuation_do_not_count() -> None:
    passages = passages_of(["The quick, brown fox.", "the QUICK brown fox", "a slow turtle"])
    assert near_copies(passages, {"p0", "p2"}) == {"p0": ["p1"]}


def test_pages_are_titles() -> None:
    passages = [
        Passage("a", "Rome", "x"),
        Passage("b", "", "y"),
        Passage("c", "Rome", "z"),
        Passage("d", " ", "w"),
    ]
    assert same_page(passages) == {"a": ["a", "c"], "c": ["a", "c"]}


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ({"q": {"a": 1}}, {"q": {"a": 1, "b": 1}}),
        ({"q": {"a": 1, "c": 2}}, {"q": {"a": 1, "b": 2, "c": 2}}),
        ({"q": {"c": 2, "a": 1}}, {"q": {"a": 1, "b": 2, "c": 2}}),
        ({"q": {"a": 1, "b": 3}}, {"q": {"a": 1, "b": 3}}),
        ({"q": {"z": 1}}, {"q": {"z": 1}}),
    ],
)
def test_equivalents_take_the_grade_of_the_judged(
    judged: dict[str, dict[str, int]], expected: dict[str, dict[str, int]]
) -> None:
    before = {query: dict(grades) for query, grades in judged.items()}
    assert widened(judged, {"a": ["b"], "c": ["b"]}) == expected
    assert judged == before
