"""Whether a text holds an answer, word by word."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus.answers import has_answer, words
from genret.errors import InputError


@pytest.mark.parametrize(
    ("body", "answers", "expected"),
    [
        ("The capital is Paris.", ["paris"], True),
        ("The capital is Parisian.", ["paris"], False),
        ("in U.S.A. today", ["u.s.a."], True),
        ("New\nYork City", ["new york"], True),
        ("New, York", ["new york"], False),
        ("caf\u00e9", ["cafe\u0301"], True),
        ("cafe", ["caf\u00e9"], False),
        ("x", ["y", "x"], True),
        ("snake_case", ["snake"], True),
        ("", ["x"], False),
        ("x", [], False),
    ],
)
def test_has_answer(body: str, answers: list[str], expected: bool) -> None:
    assert has_answer(body, answers) is expected


def test_an_answer_without_a_word_is_refused() -> None:
    with pytest.raises(InputError, match="the answer ' ' has no word; it would match any text"):
        has_answer("x", [" "])


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_words_of_ascii_and_of_unicode_agree_with_the_general_pattern(body: str) -> None:
    """`regex` knows Unicode's classes; it comes with the tokenizers and is used here only."""
    pattern = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
    known = [c for c in body if unicodedata.category(c) != "Cn"]
    decomposed = unicodedata.normalize("NFD", "".join(known))
    assert words("".join(known)) == [word.lower() for word in pattern.findall(decomposed)]
