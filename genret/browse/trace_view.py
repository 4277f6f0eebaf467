"""A trace to look at: a table of one docid's way, and the beam as a tree in one small HTML file.

Knows traces and what the caller calls its tokens; knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from genret.browse.templates import render
from genret.decoding.trace import Trace, TraceStep

__all__ = ["Drawing", "drawing", "trace_page", "trace_table"]

Name = Callable[[int], str]

COLUMN, ROW, MARGIN = 190, 22, 16
# Continuations that are drawn at a step: more of a hundred beams in a column cannot be read.
RIVALS = 4


def trace_table(trace: Trace, gold: Sequence[int], name: Name = str) -> str:
    """The way of the docid `gold` (its end token included) as lines of text, and its fate as the last line.

    Args:
        trace: of one query.
        gold: the docid that was hoped for.
        name: what to call a token.
    """
    head = ("step", "token", "beams", "candidates", "rank", "total", "cutoff", "margin", "")
    lines = [
        (
            str(step.step),
            name(step.token),
            str(step.beams),
            str(step.candidates),
            str(step.rank),
            f"{step.total:.4f}",
            _number(step.cutoff),
            _number(step.margin),
            "kept" if step.kept else "LOST",
        )
        for step in trace.follow(gold)
    ]
    widths = [max(len(row[column]) for row in (head, *lines)) for column in range(len(head))]
    rows = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (head, *lines)
    )
    return "\n".join([*rows, trace.fate(gold)[1]])


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "-"


@dataclass(frozen=True)
class _Node:
    """One prefix in the picture: its tokens, its sum, and what became of it (kept, ended, pruned)."""

    tokens: tuple[int, ...]
    total: float
    fate: str


class _Drawn(NamedTuple):
    """A prefix in the picture: a line from the one that it continues, and its last token with its sum."""

    start: tuple[int, int]
    end: tuple[int, int]
    wanted: bool
    fate: str
    label: str
    tokens: str


class Drawing(NamedTuple):
    """A beam to draw: its size in pixels, and every prefix in it."""

    width: int
    height: int
    nodes: list[_Drawn]


def trace_page(
    trace: Trace,
    gold: Sequence[int] | None = None,
    name: Name = str,
    title: str = "Beam search",
    rivals: int = RIVALS,
) -> str:
    """What mattered of the beam as a tree, one column a step; arguments and picture as of `drawing`.

    Args:
        title: the query, say.
    """
    table = "" if gold is None else trace_table(trace, gold, name)
    return render("trace", title=title, table=table, beam=drawing(trace, gold, name, rivals))


def drawing(
    trace: Trace, gold: Sequence[int] | None = None, name: Name = str, rivals: int = RIVALS
) -> Drawing:
    """At each step the docid `gold`, its best rivals, and what they and those of later steps continue.

    Args:
        trace: of one query.
        gold: the docid that was hoped for, its end token included, marked in red; None for none.
        name: what to call a token.
        rivals: how many of a step's best continuations are drawn beside the docid's, whatever became of them.
    """
    columns = _columns(trace, gold, rivals)
    places = {node.tokens: (x, y) for x, column in enumerate(columns) for y, node in enumerate(column)}
    width = len(columns) * COLUMN + 2 * MARGIN
    height = max(map(len, columns)) * ROW + 2 * MARGIN
    drawn = [_drawn(node, places, gold, name) for column in columns for node in column if node.tokens]
    return Drawing(width, height, drawn)


def _columns(trace: Trace, gold: Sequence[int] | None, rivals: int) -> list[list[_Node]]:
    """Each step's prefixes to draw, in the order of their tokens; from the last step, which says what led to it."""
    columns: list[list[_Node]] = []
    needed: set[tuple[int, ...]] = set()
    for step in reversed(trace.steps):
        column = _nodes(step, gold, rivals, needed)
        needed = {node.tokens[:-1] for node in column}
        columns.append(column)
    return [[_Node((), 0.0, "kept")], *reversed(columns)]


def _nodes(
    step: TraceStep, gold: Sequence[int] | None, rivals: int, needed: Set[tuple[int, ...]]
) -> list[_Node]:
    finite = np.flatnonzero(np.isfinite(step.totals))
    best = finite[np.argsort(-step.keys[finite], kind="stable")][:rivals]
    length = len(step.beams[0]) if step.beams else 0
    wanted = None if gold is None or len(gold) <= length else step.candidate(gold[:length], gold[length])
    chosen = {*best.tolist(), *([] if wanted is None else [wanted])}
    chosen |= {found for prefix in needed if (found := step.candidate(prefix[:-1], prefix[-1])) is not None}
    return sorted((_node(step, candidate) for candidate in chosen), key=lambda node: node.tokens)


def _node(step: TraceStep, candidate: int) -> _Node:
    fate = "ended" if step.ended[candidate] else "kept" if step.kept[candidate] else "pruned"
    prefix = step.beams[int(step.rows[candidate])]
    return _Node((*prefix, int(step.tokens[candidate])), float(step.totals[candidate]), fate)


def _drawn(
    node: _Node, places: dict[tuple[int, ...], tuple[int, int]], gold: Sequence[int] | None, name: Name
) -> _Drawn:
    from_x, from_y = _point(places[node.tokens[:-1]])
    return _Drawn(
        start=(from_x + COLUMN - 60, from_y),
        end=_point(places[node.tokens]),
        wanted=gold is not None and tuple(gold[: len(node.tokens)]) == node.tokens,
        fate=node.fate,
        label=f"{name(node.tokens[-1])} {node.total:.2f}",
        tokens=" ".join(map(name, node.tokens)),
    )


def _point(place: tuple[int, int]) -> tuple[int, int]:
    return MARGIN + place[0] * COLUMN, MARGIN + place[1] * ROW + ROW // 2
