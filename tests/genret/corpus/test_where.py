"""Filter expressions over columns against the same conditions over a list of mappings, one passage at a time."""

from __future__ import annotations

import operator
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genret.corpus import MetadataValue, Passage, PassageStore, metadata
from genret.corpus.where import matching_rows
from genret.errors import InputError, UsageError

OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Where floats stop to hold whole numbers, and where 64 bits end.
LARGE = [0, 1, 2**53, 2**53 + 1, 2**53 - 1, 2**63 - 1, 2**63 - 512, 2**63, 2**64, 10**400]
whole = st.one_of(st.integers(-3, 3), st.sampled_from(LARGE + [-one for one in LARGE]))
fractions = st.one_of(
    st.sampled_from([-1.5, -0.0, 0.5, 1.0, 1.5, 2.0**53, 2.0**63, -(2.0**63), 9.5e15 + 0.5, 1e300, -1e300])
)
words = st.sampled_from(
    ["", "en", "e", "n", "e n", "été", "'", '"', "\\", "\n", "zz", "\U0001f600", "\uffff"]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "int": whole.filter(lambda one: one in metadata.INT64),
    "float": fractions,
    "bool": st.booleans(),
}
LITERALS: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "int": st.one_of(whole, fractions),
    "float": st.one_of(whole, fractions),
    "bool": st.booleans(),
}
FIELDS = {"text": "text", "more text": "text", "int": "int", "a.float": "float", "bool": "bool", "id": "text"}
Row = Mapping[str, MetadataValue]
# The text of an expression, and what it means for one passage: its fields, its id and its title.
Meant = tuple[str, Any]


def spelled(value: MetadataValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    quote = "'" if '"' in value else '"'
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote)
    return f"{quote}{escaped}{quote}"


def named(name: str) -> str:
    return f"`{name}`" if " " in name or name in ("id", "title") else name


@st.composite
def one_test(draw: st.DrawFn) -> Meant:
    name = draw(st.sampled_from([*FIELDS, "bare id", "bare title"]))
    kind = FIELDS.get(name, "text")
    bare = name.removeprefix("bare ") if name.startswith("bare ") else None
    field = bare or named(name)

    def get(row: Row) -> Any:
        return row.get(f"<{bare}>" if bare else name)

    test = draw(st.sampled_from(["compare", "in", "has", "contains", "starts"]))
    if test == "has":
        return f"has {field}", lambda row: get(row) is not None
    if test == "in":
        listed = draw(st.lists(LITERALS[kind], min_size=1, max_size=20))
        return (
            f"{field} in ({', '.join(map(spelled, listed))})",
            lambda row: get(row) is not None and get(row) in listed,
        )
    if kind == "text" and test in ("contains", "starts"):
        part = draw(words)
        if test == "contains":
            return f"{field} contains {spelled(part)}", lambda row: get(row) is not None and part in get(row)
        return (
            f"{field} starts with {spelled(part)}",
            lambda row: get(row) is not None and get(row).startswith(part),
        )
    sign = draw(st.sampled_from(["=", "!="] if kind == "bool" else [*OPERATORS]))
    value = draw(LITERALS[kind])
    return (
        f"{field} {sign} {spelled(value)}",
        lambda row: get(row) is not None and OPERATORS[sign](get(row), value),
    )


def joined(parts: list[Meant], word: str) -> Meant:
    every = all if word == "and" else any
    return f" {word} ".join(f"({text})" for text, _ in parts), lambda row: every(
        test(row) for _, test in parts
    )


expressions = st.recursive(
    one_test(),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", lambda row: not one[1](row))),
        st.tuples(st.lists(inner, min_size=2, max_size=3), st.sampled_from(["and", "or"])).map(
            lambda pair: joined(*pair)
        ),
    ),
    max_leaves=5,
)
# Every field in the first passage, so that it is known.
FIRST = {"text": "en", "more text": "", "int": 1, "a.float": 0.5, "bool": True, "id": "own"}
rows = st.lists(
    st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in FIELDS.items()}), max_size=6
)


@settings(max_examples=300, deadline=None)
@given(
    listed=rows,
    meant=expressions,
    titles=st.lists(words, min_size=7, max_size=7),
    most=st.sampled_from([1, 99]),
)
@example([], ("int < 1.5", lambda row: row.get("int") is not None), [""] * 7, 99)
def test_rows_are_those_that_match_one_by_one(
    listed: list[Row], meant: Meant, titles: list[str], most: int
) -> None:
    fields = [FIRST, *listed]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "MOST_DISTINCT", most)
        store = PassageStore.build(Passage(f"e{n}", titles[n], "x", own) for n, own in enumerate(fields))
    expected = [
        bool(meant[1]({**own, "<id>": f"e{n}", **({"<title>": titles[n]} if titles[n] else {})}))
        for n, own in enumerate(fields)
    ]
    assert matching_rows(store, meant[0]).tolist() == expected


STORE = PassageStore.build(
    [
        Passage(
            "a",
            "A",
            "x",
            {"lang": "en", "year": 2020, "part": 0.5, "open": True, "and": "x", "tags.first": "t"},
        ),
        Passage("b", "", "x", {"lang": "fr"}),
    ]
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('lang = "en"', [1, 0]),
        ('not lang = "en"', [0, 1]),
        ("year != 2021", [1, 0]),
        ("not year = 2021", [1, 1]),
        ("year < 2021", [1, 0]),
        ("has year or lang='fr'", [1, 1]),
        ('lang="fr" or lang="en" and year>2020', [0, 1]),
        ('(lang="fr" or lang="en") and not year>2020', [1, 1]),
        ("not not has open", [1, 0]),
        ("`and` = 'x'", [1, 0]),
        ("tags.first starts with 't'", [1, 0]),
        ('`tags.first` contains ""', [1, 0]),
        ("id = 'b'", [0, 1]),
        ("has title", [1, 0]),
        ("lang\n in\t( 'e\\u006E' )", [1, 0]),
        ("(" * 1000 + "open = true" + ")" * 1000, [1, 0]),
        (" or ".join(["year = 1"] * 3000 + ["has lang"]), [1, 1]),
    ],
)
def test_what_expressions_mean(expression: str, expected: list[int]) -> None:
    assert matching_rows(STORE, expression).tolist() == [bool(one) for one in expected]


WRONG = [
    ("", "the expression is empty; write a condition"),
    (" \n", "the expression is empty"),
    ('lang = "en" and yaer >= 2020', "column 17: no field 'yaer'; the nearest is 'year'."),
    (
        "colour = 1",
        "column 1: no field 'colour'; these passages have id, title, lang, year, part, open, and, ",
    ),
    (
        "`title` = 'A'",
        "column 1: no field 'title'; these passages have lang, year, part, open, and, tags.first.",
    ),
    (
        'year = "2020"',
        "column 8: 'year' is a whole number, and is compared with the text '2020'; write the number",
    ),
    ("lang >= 3", "column 9: 'lang' is text, and is compared with 3; write \"3\""),
    ("lang in ('en', true)", "column 16: 'lang' is text, and is compared with true; write \"true\""),
    ("lang = " + "9" * 4000, "column 8: 'lang' is text, and is compared with 999"),
    ("open = 1", "column 8: 'open' is true or false, and is compared with 1"),
    ("open = 'true'", "column 8: 'open' is true or false, .*; write true or false without quotes"),
    ("part = false", "column 8: 'part' is a number, and is compared with false"),
    ("open < true", "column 1: 'open' is true or false: compare it by = or !=, not by <"),
    ("year contains '2'", "column 1: 'year' is a whole number; contains is for text"),
    ("part starts with '2'", "column 1: 'part' is a number; starts with is for text"),
    ("lang = en", "column 8: expected a value .*, found 'en'; text stands in quotes: \"en\""),
    ("lang == 'en'", "column 7: expected a value .*, found '='; write one = for equal"),
    ("year <> 3", "column 7: expected a value .*, found '>'; write != for unequal"),
    ("lang = 'en", "column 8: the quote ' that begins here is not closed"),
    ("`lang = 'en'", "column 1: the quote ` that begins here is not closed"),
    ("lang = 'en' & year = 1", "column 13: found '& year = 1', which is no part of an expression; write and"),
    (
        "lang = 'en' AND year = 1",
        "column 13: expected and, or, or the end, found 'AND'; write and in small letters",
    ),
    ("lang", "column 5: expected =, .*found the end"),
    ("lang not in ('en')", "column 6: expected =, .*, found 'not'; write not before the field"),
    ("lang in ()", "column 10: expected a value .*, found '\\)'"),
    ("year in 3", r"column 9: expected \(, found '3'"),
    ("year = 1 or ", r"column 12: expected a field or \(, found the end"),
    ("(year = 1", r"column 10: expected \), found the end"),
    ("year = 1)", r"column 9: expected and, or, or the end, found '\)'"),
    ("3 = year", r"column 1: expected a field or \(, found '3'"),
    ("lang starts 'e'", "column 13: expected with, found"),
    (r"lang = '\q'", r"column 9: '\\\\q' is no escape"),
    (r"lang = '\ud800'", r"column 9: .* is no escape"),
    ("year = 1e999", "column 8: the number '1e999' is too large"),
    ("year = " + "9" * 5000, "column 8: the number '999.* is too large"),
    ("year = 12ab", "column 8: found '12ab', which is no part of an expression"),
    ("lang = '\ud800'", "column 9: found half of a character"),
    ("not " * 1000 + "has year", "nested more than 100 deep"),
    ("year = 1 and (" * 1000 + "has year" + ")" * 1000, "nested more than 100 deep"),
    ("(" * 1000, r"column 1001: expected a field or \(, found the end"),
    ("x" * 2**20, "the expression has 1,048,576 characters; expected at most 65,536"),
]


@pytest.mark.parametrize(("expression", "message"), WRONG)
def test_wrong_expressions_are_named(expression: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        matching_rows(STORE, expression)
    assert len(str(caught.value)) < 400


def test_what_is_no_text_is_no_expression() -> None:
    number: Any = 5
    with pytest.raises(UsageError, match=r"where: expected an expression, .* found int"):
        matching_rows(STORE, number)


def test_a_store_without_metadata_says_so() -> None:
    with pytest.raises(InputError, match=r"no field 'year'; .* have id, title; they were stored without"):
        matching_rows(PassageStore.build([Passage("a", "A", "x")]), "year = 1")


def test_the_longest_expressions_take_seconds_at_most() -> None:
    listed = "year in (" + ", ".join(map(str, range(9_000))) + ")"
    began = time.perf_counter()
    assert matching_rows(STORE, listed).tolist() == [True, False]
    assert time.perf_counter() - began < 30
