"""Results as a table: for a terminal, for a document, for a program.

Knows evaluations and their intervals; knows nothing of where they came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from genret.evaluation.metrics import Evaluation
from genret.evaluation.significance import Interval, interval

__all__ = ["ResultTable", "plain_table", "result_table"]


@dataclass(frozen=True)
class ResultTable:
    """One row for each system (or part of the queries), one column for each metric.

    Attributes:
        rows: name -> (number of queries, metric -> mean with its 95 % interval).
    """

    title: str
    metrics: tuple[str, ...]
    rows: dict[str, tuple[int, dict[str, Interval]]]

    def rich(self) -> Table:
        """For a terminal of 80 columns; the number of queries gets a column only where rows differ in it."""
        counts = {queries for queries, _ in self.rows.values()}
        caption = f"{next(iter(counts)):,} queries" if len(counts) == 1 else None
        table = Table(
            title=self.title or None, title_justify="left", caption=caption, caption_justify="left", box=None,
            padding=(0, 2, 0, 0),
        )  # fmt: skip
        table.add_column("")
        for name in self.metrics if caption else ("queries", *self.metrics):
            table.add_column(name, justify="right", no_wrap=True)
        for name, count, *cells in self._lines():
            table.add_row(name, *cells) if caption else table.add_row(name, count, *cells)
        return table

    def markdown(self) -> str:
        """For a document."""
        lines = [["", "queries", *self.metrics], ["---", *["---:"] * (1 + len(self.metrics))], *self._lines()]
        text = _markdown(lines)
        return f"**{self.title}**\n\n{text}" if self.title else text

    def json(self) -> dict[str, Any]:
        """For a program: JSON-able, full precision."""
        return {
            "title": self.title,
            "rows": [
                {"name": name, "queries": queries, "metrics": {m: vars(cells[m]) for m in self.metrics}}
                for name, (queries, cells) in self.rows.items()
            ],
        }

    def _lines(self) -> list[list[str]]:
        return [
            [name, f"{queries:,}", *(_cell(cells[metric]) for metric in self.metrics)]
            for name, (queries, cells) in self.rows.items()
        ]


def result_table(evaluations: Mapping[str, Evaluation], title: str = "") -> ResultTable:
    """A table of named evaluations that have the same metrics, each mean with its 95 % interval."""
    metrics = next(iter(evaluations.values())).metrics if evaluations else ()
    rows = {
        name: (len(found.query_ids), {metric: interval(found.column(metric)) for metric in metrics})
        for name, found in evaluations.items()
    }
    return ResultTable(title, metrics, rows)


def plain_table(header: list[str], rows: Iterable[list[str]], markdown: bool) -> str:
    """Any cells as a table: Markdown, or columns of equal width."""
    if markdown:
        return _markdown([header, ["---"] * len(header), *rows])
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _markdown(lines: list[list[str]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _cell(value: Interval) -> str:
    """`.714 [.698, .729]`"""
    return f"{_number(value.mean)} [{_number(value.low)}, {_number(value.high)}]"


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
