"""`genret eval --perturb`: what a model and its baselines lose when queries are mistyped."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.numbers import LARGEST_SEED
from genret.cli.output import draw_table, notice
from genret.cli.query_options import judged_queries

if TYPE_CHECKING:
    from genret.evaluation import Evaluation

__all__ = ["Kind", "Perturb", "PerturbSeed", "perturbed_table"]


class Kind(StrEnum):
    """How queries are perturbed."""

    typos = "typos"
    order = "order"
    case = "case"


Perturb = Annotated[
    Kind | None,
    typer.Option(
        help="RUN is a model folder: ask it, BM25, dense and both together the queries of the folder JUDGEMENTS as "
        "written, and with typos, another order of words or another case at two levels."
    ),
]
PerturbSeed = Annotated[
    int | None, typer.Option("--seed", help="Of --perturb; default: 0.", min=0, max=LARGEST_SEED)
]


def perturbed_table(
    model: Path,
    folder: Path,
    split: str | None,
    metrics: tuple[str, ...] | None,
    kind: Kind,
    seed: int,
    form: str,
) -> str:
    """The values of every system at every level, and how they changed, in one of eval's formats."""
    from genret.errors import UsageError
    from genret.evaluation import DEFAULT_METRICS
    from genret.evaluation.metrics import parse_metric
    from genret.fitting.robustness import perturbed_systems
    from genret.jobs.stages import Stages
    from genret.retrieval.from_folder import load_retriever

    if not model.is_dir() or folder.is_file():
        raise UsageError(
            f"--perturb asks a model the queries anew: expected a model folder and a folder with queries and judgements, "
            f"found {model} and {folder}."
        )
    for metric in metrics or ():
        parse_metric(metric)
    queries, judged = judged_queries(folder, split)
    found = perturbed_systems(
        load_retriever(model),
        queries,
        judged,
        kind.value,
        Stages(notice),
        seed=seed,
        metrics=metrics or DEFAULT_METRICS,
    )
    return _rendered(found, kind, form)


def _rendered(found: dict[str, list[Evaluation]], kind: Kind, form: str) -> str:
    from genret.evaluation import interval, plain_table, result_table

    rows = {
        f"{name}, {kind} {level}" if level else name: evaluation
        for name, levels in found.items()
        for level, evaluation in enumerate(levels)
    }
    changes = [
        (name, level, {m: interval(one.column(m) - levels[0].column(m)) for m in one.metrics})
        for name, levels in found.items()
        for level, one in enumerate(levels[1:], start=1)
    ]
    table = result_table(rows)
    if form == "json":
        listed = [
            {
                "name": name,
                "level": level,
                "changes": {metric: vars(value) for metric, value in change.items()},
            }
            for name, level, change in changes
        ]
        return json.dumps({**table.json(), "perturbation": kind, "changes": listed}, indent=1) + "\n"
    cells = (
        [
            f"{name}, {kind} {level}",
            *(f"{v.mean:+.3f} [{v.low:+.3f}, {v.high:+.3f}]" for v in change.values()),
        ]
        for name, level, change in changes
    )
    markdown = form == "markdown"
    shown = table.markdown() if markdown else draw_table(table)
    return shown + "\n" + plain_table(["change", *table.metrics], cells, markdown)
