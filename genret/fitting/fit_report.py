"""What a fit measured, as data and as a page for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table

from genret.evaluation import result_table
from genret.fitting.systems import SystemScores
from genret.jobs.progress import format_duration
from genret.jobs.stages import Stage
from genret.retrieval.docids import GenerativeRetriever

__all__ = ["FitReport", "rich_report", "stage_table"]


@dataclass(frozen=True)
class FitReport:
    """The figures of one fit.

    Attributes:
        folder: the model folder.
        retriever: the model, loaded from there.
        plan: what was announced before it began, a line each.
        stages: time and peak memory of each stage, in order.
        test_name: what the test consists of.
        comparison: the model beside its baselines on the test.
    """

    folder: Path
    retriever: GenerativeRetriever
    plan: list[str]
    stages: list[Stage]
    test_name: str
    comparison: SystemScores


def rich_report(report: FitReport) -> Group:
    """Quality and cost as two tables."""
    if not report.comparison.evaluations:
        return Group("Not tested: no passage has a sentence to hold back.", stage_table(report.stages))
    title = f"On {report.test_name} (mean [95 % interval])"
    return Group(result_table(report.comparison.evaluations, title).rich(), stage_table(report.stages))


def stage_table(stages: list[Stage]) -> Table:
    """Time and peak memory of each stage, and in all."""
    table = Table(title="Time and memory", title_justify="left")
    for name in ("stage", "time", "peak memory"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    total = Stage("all", sum(s.seconds for s in stages), max((s.peak_bytes for s in stages), default=0))
    for stage in [*stages, total]:
        table.add_row(stage.name, format_duration(stage.seconds), f"{stage.peak_bytes / 2**30:.2f} GiB")
    return table
