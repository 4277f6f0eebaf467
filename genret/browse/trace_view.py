"""A trace to look at: a table of one docid's way, and the beam as a tree in one small HTML file.

Knows traces and what the caller calls its tokens; knows no model.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from genret.decoding.trace import Trace, TraceStep

__all__ = ["trace_html", "trace_table"]

Name = Callable[[int], str]

COLUMN, ROW, MARGIN = 190, 22, 16
STYLE = """
body { font: 14px system-ui, sans-serif; margin: 24px; color: #222; }
svg text { font: 12px ui-monospace, monospace; }
.kept { fill: #1b4f72; } .ended { fill: #1e8449; font-weight: bold; } .pruned { fill: #b0b0b0; }
.gold { fill: #c0392b; font-weight: bold; }
path { fill: none; stroke: #c8d6e5; } path.gold { stroke: #c0392b; stroke-width: 2; }
"""


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


def trace_html(
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
    drawn = "\n".join(
        _drawn(node, places, gold, name) for column in columns for node in column if node.tokens
    )
    table = "" if gold is None else f"<pre>{html.escape(trace_table(trace, gold, name))}</pre>"
    heading = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{STYLE}</style></head><body><h1>{heading}</h1>{table}"
        f'<svg width="{width}" height="{height}">\n{drawn}\n</svg></body></html>\n'
    )


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
) -> str:
    x, y = _point(places[node.tokens])
    from_x, from_y = _point(places[node.tokens[:-1]])
    from_x += COLUMN - 60
    wanted = gold is not None and tuple(gold[: len(node.tokens)]) == node.tokens
    line = f"M{from_x},{from_y} C{from_x + 25},{from_y} {x - 30},{y} {x - 5},{y}"
    text = html.escape(f"{name(node.tokens[-1])} {node.total:.2f}")
    return (
        f'<path class="{"gold" if wanted else ""}" d="{line}"/>'
        f'<text class="{"gold" if wanted else node.fate}" x="{x}" y="{y + 4}">{text}'
        f"<title>{html.escape(' '.join(map(name, node.tokens)))} ({node.fate})</title></text>"
    )


def _point(place: tuple[int, int]) -> tuple[int, int]:
    return MARGIN + place[0] * COLUMN, MARGIN + place[1] * ROW + ROW // 2
