"""A trace to look at: a table of one docid's way, and the beam as a tree in one small HTML file.

Knows traces and what the caller calls its tokens; knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from genret.browse.templates import render
from genret.decoding.trace import Trace, TraceStep

__all__ = ["trace_page", "trace_table"]

Name = Callable[[int], str]

COLUMN, ROW, MARGIN = 190, 22, 16


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


def trace_page(
    trace: Trace,
    gold: Sequence[int] | None = None,
    name: Name = str,
    title: str = "Beam search",
    pruned: int = 5,
) -> str:
    """The beam as a tree, one column a step: what was kept, what ended, the best that were pruned, and the docid
    `gold` in red.

    Args:
        trace: of one query.
        gold: the docid that was hoped for, its end token included; None for none.
        name: what to call a token.
        title: the query, say.
        pruned: how many pruned candidates of each step are drawn.
    """
    columns = [[_Node((), 0.0, "kept")]]
    columns += [_nodes(step, gold, pruned) for step in trace.steps]
    places = {node.tokens: (x, y) for x, column in enumerate(columns) for y, node in enumerate(column)}
    width = len(columns) * COLUMN + 2 * MARGIN
    height = max(map(len, columns)) * ROW + 2 * MARGIN
    drawn = [_drawn(node, places, gold, name) for column in columns for node in column if node.tokens]
    table = "" if gold is None else trace_table(trace, gold, name)
    return render("trace", title=title, table=table, width=width, height=height, nodes=drawn)


def _nodes(step: TraceStep, gold: Sequence[int] | None, pruned: int) -> list[_Node]:
    """A step's prefixes to draw, in the order of their tokens."""
    left_out = np.flatnonzero(~step.kept & ~step.ended & np.isfinite(step.totals))
    best = left_out[np.argsort(-step.keys[left_out], kind="stable")][:pruned]
    length = len(step.beams[0]) if step.beams else 0
    wanted = None if gold is None or len(gold) <= length else step.candidate(gold[:length], gold[length])
    shown = np.flatnonzero(step.kept | (step.ended & np.isfinite(step.totals)))
    chosen = {*shown.tolist(), *best.tolist(), *([] if wanted is None else [wanted])}
    return [_node(step, candidate) for candidate in sorted(chosen)]


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
