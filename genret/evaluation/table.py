"""Results as a table: for a terminal, for a document, for a program.

Knows evaluations and their intervals; knows nothing of where they came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from genret.evaluation.metrics import Evaluation
from genret.evaluation.significance import Interval, interval

__all__ = ["ResultTable", "result_table"]


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
        """For a terminal."""
        table = Table(title=self.title or None, title_justify="left")
        table.add_column("", no_wrap=True)
        table.add_column("queries", justify="right")
        for metric in self.metrics:
            table.add_column(metric, justify="right", no_wrap=True)
        for line in self._lines():
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """For a document."""
        lines = [["", "queries", *self.metrics], ["---", *["---:"] * (1 + len(self.metrics))], *self._lines()]
        text = "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )
        return f"**{self.title}**\n\n{text}\n" if self.title else text + "\n"

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


def _cell(value: Interval) -> str:
    """`.714 [.698, .729]`"""
    return f"{_number(value.mean)} [{_number(value.low)}, {_number(value.high)}]"


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
