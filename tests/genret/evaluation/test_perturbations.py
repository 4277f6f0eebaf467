"""Perturbed texts: what each kind may change, that a seed decides, and that level 2 changes no less than level 1."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Query
from genret.evaluation.perturbations import LEVELS, NEIGHBOURS, SHARES, perturb, perturbed

KINDS = list(SHARES)
kinds = st.sampled_from(KINDS)
texts = st.lists(
    st.one_of(
        st.sampled_from(
            ["who", "wrote", "the", "War", "of", "WORLDS", "a", "Düsseldorf's", "naïve", "日本", "x1", "e"]
        ),
        st.text(max_size=6),
        st.sampled_from(["42", "?", " - ", "\n", "\ud800"]),
    ),
    max_size=12,
).map(" ".join)
seeds = st.integers(0, 5)


def pieces(text: str) -> list[str]:
    """Words and what stands between them."""
    return re.split(r"(\w+(?:['’-]\w+)*)", text)


def changes(before: str, after: str) -> int:
    """Words that differ, place by place."""
    return sum(one != two for one, two in zip(pieces(before)[1::2], pieces(after)[1::2], strict=True))


@settings(max_examples=200)
@given(text=texts, kind=kinds, level=st.sampled_from(LEVELS), seed=seeds)
def test_a_seed_decides(text: str, kind: str, level: int, seed: int) -> None:
    first = perturb(text, kind, level, seed)
    assert perturb(text, kind, level, seed) == first
    queries = [Query("other", "something else"), Query("this", text)]
    assert perturbed(queries, kind, level, seed)[1] == Query("this", first)
    assert perturbed(queries[1:], kind, level, seed) == [Query("this", first)]


@settings(max_examples=200)
@given(text=texts, kind=kinds, seed=seeds)
def test_a_text_without_letters_survives(text: str, kind: str, seed: int) -> None:
    bare = "".join(char for char in text if not char.isalpha())
    for level in LEVELS:
        assert perturb(bare, kind, level, seed) == bare
        assert perturb("", kind, level, seed) == ""


words = st.lists(st.text("abcxyzABÖ", min_size=1, max_size=8), min_size=1, max_size=20)


@settings(max_examples=300)
@given(words=words, kind=kinds, seed=seeds)
def test_level_2_changes_at_least_as_much_as_level_1(words: list[str], kind: str, seed: int) -> None:
    text = "«" + ", ".join(words) + "?»"
    one, two = (perturb(text, kind, level, seed) for level in LEVELS)
    assert [pieces(one)[::2], pieces(two)[::2]] == [pieces(text)[::2]] * 2
    assert changes(text, one) <= changes(text, two)
    if kind == "typos" or (kind == "order" and len(set(words)) > 1):
        assert changes(text, one) >= 1
    if kind != "order":
        changed = [a != b for a, b in zip(pieces(text), pieces(one), strict=True)]
        assert [b for b, c in zip(pieces(two), changed, strict=True) if c] == [
            a for a, c in zip(pieces(one), changed, strict=True) if c
        ]


@settings(max_examples=200)
@given(word=st.text("qwertyAZm", min_size=1, max_size=9), seed=st.integers(0, 50))
def test_a_typo_is_one_edit_of_one_letter(word: str, seed: int) -> None:
    found = perturb(word, "typos", 1, seed)
    edits = set()
    for place, letter in enumerate(word):
        before, after = word[:place], word[place + 1 :]
        edits |= {before + after, before + 2 * letter + after, before + after[:1] + letter + after[1:]}
        for other in NEIGHBOURS[letter.lower()]:
            edits.add(before + (other.upper() if letter.isupper() else other) + after)
    assert found in edits - {word, ""}


@settings(max_examples=100)
@given(words=words, level=st.sampled_from(LEVELS), seed=seeds)
def test_another_order_has_the_same_words(words: list[str], level: int, seed: int) -> None:
    found = perturb(" ".join(words), "order", level, seed).split()
    assert Counter(found) == Counter(words)
    if level == 1:  # neighbours change places
        apart = [place for place in range(len(words)) if found[place] != words[place]]
        assert all(found[place] in words[max(0, place - 1) : place + 2] for place in apart)


@settings(max_examples=100)
@given(words=words, level=st.sampled_from(LEVELS), seed=seeds)
def test_another_case_is_the_same_but_for_case(words: list[str], level: int, seed: int) -> None:
    text = " ".join(words)
    found = perturb(text, "case", level, seed)
    assert found.lower() == text.lower()
    if level == 2:
        forms = [" ".join(map(form, words)) for form in (str.upper, str.lower, str.capitalize)]
        assert found in forms
        assert (found == text) == (set(forms) == {text})


def test_neighbours_lie_beside_each_other() -> None:
    assert set(NEIGHBOURS["g"]) == {"f", "h", "t", "y", "v", "b"}
    assert all(key in NEIGHBOURS[other] for key, others in NEIGHBOURS.items() for other in others)
    assert set(NEIGHBOURS) == set("abcdefghijklmnopqrstuvwxyz")
    assert all(2 <= len(others) <= 6 for others in NEIGHBOURS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_how_much_a_long_question_changes(kind: str) -> None:
    text = " ".join(f"word{'abcdefghijklmnopqrstuvwx'[place]}" for place in range(24))
    counted = [changes(text, perturb(text, kind, level)) for level in LEVELS]
    assert counted[0] == {"typos": 3, "order": 12, "case": 8}[kind]
    assert counted[1] == 8 if kind == "typos" else counted[1] > 20
