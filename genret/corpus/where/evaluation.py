"""Which passages a filter expression lets through: checked against the fields first, then evaluated over columns.

Two values, true and false: a test of a field that a passage has not is false, and `not` turns it into true. Texts
are compared by code points, numbers exactly, whatever their types.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from math import inf

import numpy as np
import numpy.typing as npt

from docid.strings import Strings
from genret.corpus.formats.datafile import show
from genret.corpus.metadata import INT64, NAMES, Column
from genret.corpus.store import PassageStore
from genret.corpus.where.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Expression,
    Field,
    Has,
    Literal,
    Membership,
    Not,
    TextTest,
    parse,
    problem,
)
from genret.corpus.where.texts import among, beginning, containing, order

__all__ = ["matching_rows"]

BoolArray = npt.NDArray[np.bool_]
# Bound to columns and checked: what is left to do.
Bound = Callable[[], BoolArray]

OPERATORS: dict[str, Callable[..., object]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FIELDS_NAMED = 12


def matching_rows(passages: PassageStore, expression: str) -> BoolArray:
    """bool [passages]: which of them `expression` lets through.

    Raises:
        InputError: it is no expression, or does not fit the fields of these passages; the message names the column.
    """
    return _bound(parse(expression), _Columns(passages))()


class _Columns:
    """The columns that names stand for."""

    def __init__(self, passages: PassageStore) -> None:
        self.own, self.metadata = passages.own_columns(), passages.columns()

    def of(self, field: Field) -> Column:
        """Bare `id` and `title` are the passage's own; in backquotes they are fields of its metadata.

        Raises:
            InputError: there is no such field.
        """
        if not field.quoted and field.name in self.own:
            return self.own[field.name]
        if field.name in self.metadata:
            return self.metadata[field.name]
        there = [*({} if field.quoted else self.own), *self.metadata]
        near = get_close_matches(field.name, there, n=1)
        listed = ", ".join(there[:FIELDS_NAMED]) + (", ..." if len(there) > FIELDS_NAMED else "")
        text = f"the nearest is {show(near[0])}" if near else f"these passages have {listed or 'no fields'}"
        more = "" if self.metadata else "; they were stored without metadata"
        raise problem(field.at, f"no field {show(field.name)}; {text}{more}.")


def _bound(node: Expression, columns: _Columns) -> Bound:
    """A node whose fields are there and whose types fit.

    Raises:
        InputError: one is not, or they do not.
    """
    match node:
        case AllOf(parts) | AnyOf(parts):
            bound = [_bound(part, columns) for part in parts]
            joined = operator.iand if isinstance(node, AllOf) else operator.ior
            return lambda: _joined(bound, joined)
        case Not(part):
            inner = _bound(part, columns)
            return lambda: ~inner()
        case Has(field):
            present = columns.of(field).present
            return present.copy
        case Membership(field, literals):
            return _membership(columns.of(field), field, literals)
        case TextTest(field, test, literal):
            column = columns.of(field)
            if column.type != "text":
                raise problem(field.at, f"{show(field.name)} is {NAMES[column.type]}; {test} is for text.")
            tested = beginning if test == "starts with" else containing
            return _by_string(column, partial(tested, text=str(literal.value)))
        case Comparison(field, sign, literal):
            return _comparison(columns.of(field), field, sign, literal)


def _joined(parts: list[Bound], joined: Callable[[BoolArray, BoolArray], BoolArray]) -> BoolArray:
    found = parts[0]()
    for part in parts[1:]:
        found = joined(found, part())
    return found


def _comparison(column: Column, field: Field, sign: str, literal: Literal) -> Bound:
    value = _fitting(column, field, literal)
    if column.type == "bool" and sign not in ("=", "!="):
        raise problem(field.at, f"{show(field.name)} is true or false: compare it by = or !=, not by {sign}.")
    if not isinstance(value, str):
        return lambda: _compared(column, sign, value)
    if sign == "=":
        return _by_string(column, partial(among, texts=[value]))
    return _by_string(column, lambda strings: np.asarray(OPERATORS[sign](order(strings, value), 0)))


def _by_string(column: Column, test: Callable[[Strings], BoolArray]) -> Bound:
    """A test of a column's strings, as one of its passages."""
    strings = column.strings
    assert strings is not None
    return lambda: column.by_string(test(strings))


def _membership(column: Column, field: Field, literals: tuple[Literal, ...]) -> Bound:
    values = {_fitting(column, field, literal) for literal in literals}
    if column.type == "text":
        return _by_string(column, partial(among, texts=[str(value) for value in values]))
    exact = [
        one for value in values if not isinstance(value, str) and (one := _exact(column, value)) is not None
    ]
    return lambda: np.isin(column.values, np.array(exact, column.values.dtype)) & column.present


def _fitting(column: Column, field: Field, literal: Literal) -> str | int | float | bool:
    """The value of a literal, whose type is the column's.

    Raises:
        InputError: it is of another type.
    """
    value = literal.value
    is_text, is_flag = isinstance(value, str), isinstance(value, bool)
    if is_text == (column.type == "text") and is_flag == (column.type == "bool"):
        return value
    shown, advice = str(value).lower()[:60], ""
    if column.type == "text":
        advice = f'; write "{shown}"'
    elif is_text and column.type != "bool":
        advice = "; write the number without quotes"
    elif is_text:
        advice = "; write true or false without quotes"
    found = f"the text {show(value)}" if is_text else shown
    raise problem(
        literal.at, f"{show(field.name)} is {NAMES[column.type]}, and is compared with {found}{advice}."
    )


def _compared(column: Column, sign: str, value: float) -> BoolArray:
    """A column of numbers or flags against one, without rounding either."""
    bound: float = value
    if column.type == "int" and isinstance(value, float) and not value.is_integer():
        # Between two whole numbers: equal to none, and below one where it is below the next.
        return _between(column, sign, int(value // 1), below=True)
    if column.type == "int":
        bound = int(value)
    elif column.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        bound = _nearest(value)
        if bound != value:
            return _between(column, sign, bound, below=bound < value)
    return np.asarray(OPERATORS[sign](column.values, bound), np.bool_) & column.present


def _between(column: Column, sign: str, bound: float, *, below: bool) -> BoolArray:
    """Against a number that no value equals, next to `bound`, which is `below` or above it."""
    if sign in ("=", "!="):
        return column.present.copy() if sign == "!=" else np.zeros_like(column.present)
    if sign in ("<", "<="):
        less = column.values <= bound if below else column.values < bound
        return np.asarray(less, np.bool_) & column.present
    return ~_between(column, "<", bound, below=below) & column.present


def _exact(column: Column, value: float) -> float | None:
    """A number as a column holds it; None where it holds none that is equal."""
    if column.type == "float":
        nearest = _nearest(value)
        return nearest if nearest == value else None
    return int(value) if value == int(value) and int(value) in INT64 else None


def _nearest(value: float) -> float:
    """The nearest float of a number; infinite beyond them all."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf
