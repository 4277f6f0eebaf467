"""Words of texts in any script: what is taken apart goes together again, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid.scripts import UNSPACED, bare_words, bigrams, joined, joins, starts_unspaced, units, words

TEXT = st.text(st.sampled_from("ab Z9.,'-(（「」，。！ 　\n台北京かナไทย中\u0301"), max_size=30)


@given(st.one_of(TEXT, st.text(max_size=30)))
def test_units_go_together_again(text):
    """Every character in order; white space becomes one space, as it does where words are split at it."""
    found = units(text)
    assert joined(found) == " ".join(text.split())
    assert all(one.strip() for one in found)
    assert not found or found[0] == found[0].strip()


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=40))
def test_where_there_are_spaces_the_words_are_those_between_them(text):
    assert [one.strip() for one in units(text)] == text.split()
    assert bigrams(text) == text
    assert not starts_unspaced(text)


@given(TEXT)
def test_no_unit_has_two_characters_of_an_unspaced_script(text):
    import re

    pattern = re.compile(f"[{UNSPACED}]")
    assert all(len(pattern.findall(one)) <= 1 for one in units(text))
    letters = [char for char in text if unicodedata.category(char)[0] in "LN"]
    assert [char for word in bare_words(text) for char in word if char in letters] == letters


@given(TEXT)
def test_what_joins_are_letters_digits_and_marks_of_spaced_scripts(text):
    """So a unit of an unspaced script joins with nothing, and one of another does within itself."""
    for one in (char for unit in units(text) for char in unit):
        expected = (
            unicodedata.category(one)[:2] in {"Lu", "Ll", "Lo", "Nd", "Mn"} and one not in "台北京かナไทย中"
        )
        assert joins()[ord(one)] == expected
    assert not joins()[-1]


@pytest.mark.parametrize(
    ("text", "parts", "found"),
    [
        (
            "梵文，要探討「從梨」。 時代 abc台北101！",
            ["梵", "文，", "要", "探", "討", "「從", "梨」。", " 時", "代", " abc", "台", "北", "101！"],
            ["梵", "文", " 要", "探", "討", " 從", "梨", " 時", "代", " abc", "台", "北", "101"],
        ),
        (
            "The  Seine's e-mail (x).",
            ["The", " Seine's", " e-mail", " (x)."],
            ["The", " Seine's", " e-mail", " x"],
        ),
        ("かなとカナ", ["か", "な", "と", "カ", "ナ"], ["か", "な", "と", "カ", "ナ"]),
        ("", [], []),
    ],
)
def test_units_and_words(text, parts, found):
    assert units(text) == parts
    assert words(text) == found


def test_pairs_are_words_where_there_are_no_spaces():
    assert bigrams("在台北市 the 河").split() == ["在台", "台北", "北市", "the", "河"]
    assert bigrams("nothing to do") == "nothing to do"
