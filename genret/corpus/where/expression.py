"""A filter expression as a tree, from its text; every complaint names the column. Knows no passage.

The language is in `grammar.lark`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from genret.corpus.formats.datafile import show
from genret.errors import InputError, UsageError

__all__ = [
    "AllOf",
    "AnyOf",
    "Comparison",
    "Expression",
    "Field",
    "Has",
    "Literal",
    "Membership",
    "Not",
    "TextTest",
    "parse",
    "problem",
]

LONGEST = 1 << 16
DEEPEST = 100
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
# What a complaint says was expected, where any of these terminals was.
EXPECTED = (
    ({"NAME", "QUOTED"}, "a field"),
    ({"NUMBER", "TRUE", "FALSE"}, "a value (text in quotes, a number, true or false)"),
    ({"TEXT"}, "text in quotes"),
    ({"OPERATOR"}, "=, !=, <, <=, >, >=, in (...), contains or starts with"),
    ({"_AND", "_OR", "$END"}, "and, or, or the end"),
    ({"_COMMA"}, "a comma"),
    ({"_OPEN"}, "("),
    ({"_CLOSE"}, ")"),
    ({"_WITH"}, "with"),
)
# What others write, and what is written here.
OTHERS = {
    "&": "and",
    "|": "or",
    "!": "not, or != between a field and a value",
    ">": "!= for unequal",
    "=": "one = for equal",
    "not": "not before the field",
}


@dataclass(frozen=True)
class Field:
    """A field by its name; `quoted` where it stood in backquotes. `at` is its column, from 1."""

    name: str
    quoted: bool
    at: int


@dataclass(frozen=True)
class Literal:
    """A value, and its column."""

    value: str | int | float | bool
    at: int


@dataclass(frozen=True)
class Comparison:
    """`year >= 2020`."""

    field: Field
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Membership:
    """`lang in ("en", "fr")`."""

    field: Field
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class TextTest:
    """`url starts with "https"`, or `contains`."""

    field: Field
    test: str
    literal: Literal


@dataclass(frozen=True)
class Has:
    """`has year`."""

    field: Field


@dataclass(frozen=True)
class Not:
    """`not has year`."""

    part: Expression
    depth: int


@dataclass(frozen=True)
class AllOf:
    """Parts with `and` between them."""

    parts: tuple[Expression, ...]
    depth: int


@dataclass(frozen=True)
class AnyOf:
    """Parts with `or` between them."""

    parts: tuple[Expression, ...]
    depth: int


Expression: TypeAlias = Comparison | Membership | TextTest | Has | Not | AllOf | AnyOf


def parse(text: str) -> Expression:
    """The tree of an expression.

    Raises:
        InputError: it is none; the message names the column. UsageError: it is no text.
    """
    if not isinstance(text, str):
        raise UsageError(
            f"where: expected an expression, such as 'year >= 2020', found {type(text).__name__}."
        )
    if len(text) > LONGEST:
        raise InputError(
            f"where: the expression has {len(text):,} characters; expected at most {LONGEST:,}. Ask for less at a time."
        )
    if not text.strip():
        raise InputError(
            'where: the expression is empty; write a condition, such as year >= 2020 or lang = "en".'
        )
    try:
        text.encode()
        found: Expression = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _syntax(text, error) from error
    except UnicodeEncodeError as error:
        raise problem(error.start + 1, "found half of a character; write expressions in UTF-8.") from error
    return found


def problem(at: int, text: str) -> InputError:
    """A complaint about what stands at a column, to be raised."""
    return InputError(f"where, column {at}: {text}")


@cache
def _parser() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        lexer="basic",
        transformer=_Builder(),
        maybe_placeholders=False,
    )


def _syntax(text: str, error: UnexpectedInput) -> InputError:
    """What a parser stumbled upon, as a sentence."""
    if isinstance(error, UnexpectedCharacters):
        at = int(error.pos_in_stream or 0)
        character = text[at]
        if character in "\"'`":
            return problem(at + 1, f"the quote {character} that begins here is not closed.")
        return problem(
            at + 1,
            f"found {show(text[at : at + 10])}, which is no part of an expression{_advice(character)}.",
        )
    assert isinstance(error, UnexpectedToken)
    ended = error.token.type == "$END"
    at = len(text.rstrip()) if ended else int(error.token.start_pos or 0)
    found = "the end" if ended else show(str(error.token))
    advice = _advice(str(error.token))
    if error.token.type == "NAME" and "TEXT" in error.accepts:
        advice = f'; text stands in quotes: "{error.token}"'
    elif error.token.type == "NAME" and error.token.lower() in (
        "and",
        "or",
        "not",
        "in",
        "has",
        "contains",
        "starts",
    ):
        advice = f"; write {error.token.lower()} in small letters"
    return problem(at + 1, f"expected {_expected(error.accepts)}, found {found}{advice}.")


def _expected(terminals: Collection[str]) -> str:
    """What may stand there, in words."""
    named = [words for names, words in EXPECTED if names & {*terminals}]
    if len(named) > 1 and "TEXT" in terminals and "NUMBER" in terminals:
        named.remove("text in quotes")
    return " or ".join(named[:2])


def _advice(found: str) -> str:
    return f"; write {OTHERS[found]}" if found in OTHERS else ""


@v_args(inline=True)
class _Builder(Transformer[Token, Expression]):
    """Builds the tree while the text is parsed, from the leaves up."""

    def field(self, token: Token) -> Field:
        quoted = token.type == "QUOTED"
        return Field(token[1:-1] if quoted else str(token), quoted, _at(token))

    def text(self, token: Token) -> Literal:
        def escaped(match: re.Match[str]) -> str:
            code = match[1]
            character = chr(int(code[1:], 16)) if len(code) == 5 else ESCAPES.get(code)
            if character is None or "\ud800" <= character <= "\udfff":
                place = _at(token) + 1 + match.start()
                raise problem(
                    place, rf"{show(match[0])} is no escape; there are \n, \t, \\, \", \' and \uXXXX."
                )
            return character

        return Literal(ESCAPE.sub(escaped, token[1:-1]), _at(token))

    def number(self, token: Token) -> Literal:
        try:
            value = float(token) if re.search("[.eE]", token) else int(token)
        except ValueError:  # more digits than Python reads
            value = float("inf")
        if value in (float("inf"), float("-inf")):
            raise problem(_at(token), f"the number {show(str(token))} is too large.")
        return Literal(value, _at(token))

    def flag(self, token: Token) -> Literal:
        return Literal(token == "true", _at(token))

    def comparison(self, field: Field, operator: Token, literal: Literal) -> Comparison:
        return Comparison(field, str(operator), literal)

    def membership(self, field: Field, *literals: Literal) -> Membership:
        return Membership(field, literals)

    def containing(self, field: Field, literal: Literal) -> TextTest:
        return TextTest(field, "contains", literal)

    def beginning(self, field: Field, literal: Literal) -> TextTest:
        return TextTest(field, "starts with", literal)

    def presence(self, field: Field) -> Has:
        return Has(field)

    def negation(self, part: Expression) -> Not:
        return Not(part, _depth(part))

    def both(self, *parts: Expression) -> AllOf:
        return AllOf(parts, _depth(*parts))

    def either(self, *parts: Expression) -> AnyOf:
        return AnyOf(parts, _depth(*parts))


def _at(token: Token) -> int:
    return int(token.start_pos or 0) + 1


def _depth(*parts: Expression) -> int:
    """How deep a node of these parts is.

    Raises:
        InputError: too deep.
    """
    depth = 1 + max(getattr(part, "depth", 0) for part in parts)
    if depth > DEEPEST:
        raise InputError(
            f"where: conditions are nested more than {DEEPEST} deep; write fewer inside one another."
        )
    return depth
