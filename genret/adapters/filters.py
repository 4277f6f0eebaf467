"""Haystack's filters, which are dictionaries, as conditions on fields (`where`). Knows no framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from genret.corpus.formats.datafile import show
from genret.errors import UsageError

__all__ = ["where_of"]

# What a passage says of a field that it has not: as in Haystack, it is unequal to every value.
COMPARISONS = {
    "==": "{} = {}",
    "!=": "not {} = {}",
    ">": "{} > {}",
    ">=": "{} >= {}",
    "<": "{} < {}",
    "<=": "{} <= {}",
    "in": "{} in {}",
    "not in": "not {} in {}",
}
JOINED = {"AND": " and ", "OR": " or ", "NOT": " and "}


def where_of(filters: Mapping[str, Any] | None) -> str | None:
    """The condition that `filters` stand for: comparisons of `meta.` fields and of `id`, joined by AND, OR and NOT.

    Raises:
        UsageError: they are no filters of Haystack's.
    """
    return _condition(filters) if filters else None


def _condition(filters: Any) -> str:
    if not isinstance(filters, Mapping) or "operator" not in filters:
        raise UsageError(
            'filters: expected {"field": ..., "operator": ..., "value": ...} or '
            f'{{"operator": "AND", "conditions": [...]}}, found {show(filters)}.'
        )
    operator = filters["operator"]
    if operator in JOINED:
        conditions = filters.get("conditions")
        if not isinstance(conditions, list) or not conditions:
            raise UsageError(f"filters: {operator}: expected a list of conditions, found {show(conditions)}.")
        joined = JOINED[operator].join(_condition(one) for one in conditions)
        return f"not ({joined})" if operator == "NOT" else f"({joined})"
    if operator not in COMPARISONS:
        known = ", ".join([*JOINED, *COMPARISONS])
        raise UsageError(f"filters: operator: expected one of {known}, found {show(operator)}.")
    return _comparison(_field(filters.get("field")), operator, filters.get("value"))


def _comparison(field: str, operator: str, value: Any) -> str:
    if value is None and operator in ("==", "!="):
        return f"has {field}" if operator == "!=" else f"not has {field}"
    if operator not in ("in", "not in"):
        return COMPARISONS[operator].format(field, _value(value))
    if not isinstance(value, list):
        raise UsageError(f"filters: {operator}: expected a list of values, found {show(value)}.")
    if not value:  # nothing is in it
        return f"(has {field} {'or' if operator == 'not in' else 'and'} not has {field})"
    return COMPARISONS[operator].format(field, f"({', '.join(map(_value, value))})")


def _field(name: Any) -> str:
    """The passage's own `id` and `title` are bare names, its metadata's stand in backquotes."""
    if not isinstance(name, str) or not name or "`" in name:
        raise UsageError(f"filters: field: expected a name such as meta.lang, found {show(name)}.")
    bare = name.removeprefix("meta.")
    return bare if bare in ("id", "title") else f"`{bare}`"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))
    raise UsageError(f"filters: value: expected text, a number, true or false, found {show(value)}.")
