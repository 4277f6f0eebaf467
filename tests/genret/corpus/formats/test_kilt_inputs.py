"""Inputs of KILT tasks as queries: slots, the line's own questions, and windows around mentions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import KiltInputs
from genret.corpus.formats.kilt import KiltLine
from genret.errors import InputError, UsageError


def line(text: str, **more: Any) -> KiltLine:
    return KiltLine("x", {"id": "x", "input": text, **more})


def test_inputs_stay_as_they_are_unless_asked() -> None:
    text = "a [SEP] b [START_ENT] c [END_ENT]\nsecond turn"
    assert KiltInputs().text(line(text)) == text


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{subject}, {relation}", "Ada, place of birth"),
        ("What is the {relation} of {subject}?", "What is the place of birth of Ada?"),
        ("{question}", "Where was Ada born?"),
        ("{{literal}} {subject}", "{literal} Ada"),
    ],
)
def test_slots_fill_a_template(template: str, expected: str) -> None:
    meta = {"template_questions": [" Where was Ada born? ", "other"]}
    assert KiltInputs(template).text(line(" Ada [SEP]  place of birth", meta=meta)) == expected


@pytest.mark.parametrize("text", ["Ada", "[SEP] x", "Ada [SEP] "])
def test_inputs_without_slots_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"line 'x': expected `subject \[SEP\] relation`"):
        KiltInputs("{subject}").text(line(text))


@pytest.mark.parametrize("meta", [None, 3, {}, {"template_questions": []}, {"template_questions": [7]}, {"template_questions": [" "]}])  # fmt: skip
def test_a_missing_question_is_named(meta: Any) -> None:
    with pytest.raises(InputError, match=r"it has no meta\.template_questions"):
        KiltInputs("{question}").text(line("a [SEP] b", meta=meta))


@pytest.mark.parametrize("template", ["", "no field", "{other}", "{subject} {0}", "{", "{}"])
def test_templates_are_checked(template: str) -> None:
    with pytest.raises(UsageError, match="the template"):
        KiltInputs(template)


@given(
    before=st.lists(st.sampled_from("abc"), max_size=6),
    after=st.lists(st.sampled_from("abc"), max_size=6),
    words=st.integers(0, 8),
)
def test_windows_keep_the_nearest_words(before: list[str], after: list[str], words: int) -> None:
    text = " ".join([*before, "[START_ENT]", "the  mention", "[END_ENT]", *after])
    expected = [*before[max(0, len(before) - words) :], "[START_ENT] the mention [END_ENT]", *after[:words]]
    assert KiltInputs(mention_words=words).text(line(text)) == " ".join(expected)


def test_windows_need_a_mention() -> None:
    with pytest.raises(InputError, match="expected a mention between"):
        KiltInputs(mention_words=2).text(line("none here [END_ENT]"))
    with pytest.raises(UsageError, match="0 words or more"):
        KiltInputs(mention_words=-1)
