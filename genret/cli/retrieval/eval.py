"""`genret eval`: score a run against judgements, with intervals, beside another run, seen and unseen apart."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import DropIdentical
from genret.cli.output import check_output, draw_table, emit, notice
from genret.cli.retrieval.perturbing import Perturb, PerturbSeed, perturbed_table
from genret.cli.retrieval.scoring_options import (
    AnswersIn,
    KiltLevel,
    Metrics,
    PiecesIn,
    Split,
    TiedScores,
    Ties,
    TrainedOn,
)
from genret.cli.retrieval.scoring_options import pieces_in as pieces_of

if TYPE_CHECKING:
    from genret.evaluation import Comparison, Evaluation, ResultTable

__all__ = ["register"]


class TableFormat(StrEnum):
    """How the table is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


RunFile = Annotated[Path, typer.Argument(help="The run (TREC's six columns); with --perturb a model folder.")]
Judged = Annotated[
    Path, typer.Argument(help="Judgements: a file (BEIR's or TREC's columns) or a BEIR folder.")
]
Against = Annotated[
    Path | None, typer.Option(help="Another run on the same queries: differences and p-values.")
]
Form = Annotated[TableFormat, typer.Option("--format", help="How to write the table.")]
PerQuery = Annotated[Path | None, typer.Option(help="Write every query's values here, JSON lines.")]
Output = Annotated[Path | None, typer.Option(help="Write the table here instead of to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("eval")(evaluate)


def evaluate(
    run: RunFile,
    judgements: Judged,
    split: Split = None,
    metric: Metrics = None,
    against: Against = None,
    trained_on: TrainedOn = None,
    kilt: KiltLevel = None,
    answers_in: AnswersIn = None,
    pieces_in: PiecesIn = None,
    ties: TiedScores = Ties.trec,
    drop_identical_ids: DropIdentical = False,
    perturb: Perturb = None,
    seed: PerturbSeed = None,
    form: Form = TableFormat.table,
    per_query: PerQuery = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Score RUN against JUDGEMENTS, as trec_eval -c: every judged query counts; one that the run lacks has value 0."""
    check_output(output, overwrite)
    check_output(per_query, overwrite)
    from genret.errors import UsageError

    metrics = tuple(metric) if metric else None
    if perturb is not None:
        others = (against, trained_on, kilt, answers_in, pieces_in, per_query)
        given = any(one is not None for one in others) or drop_identical_ids or ties is not Ties.trec
        _refuse_beside_perturb(given)
        emit(perturbed_table(run, judgements, split, metrics, perturb, seed or 0, form), output)
        return
    if seed is not None:
        raise UsageError("--seed is the seed of --perturb, which is not given.")
    from genret.evaluation import Gold, compare, result_table

    gold = Gold(
        judgements,
        split,
        metrics,
        None if kilt is None else kilt.value,
        answers_in,
        trained_on,
        ties.value,
        drop_identical_ids,
        pieces_of(pieces_in),
    )
    runs = [run] if against is None else [run, against]
    scored = [gold.score(path, notice) for path in runs]
    rows: dict[str, Evaluation] = {}
    for path, evaluation in zip(runs, scored, strict=True):
        rows.update(gold.parts(str(path), evaluation))
    compared = [] if against is None else [compare(scored[1], scored[0], name) for name in scored[0].metrics]
    if per_query is not None:
        emit(_lines(scored[0]), per_query)
    emit(_render(result_table(rows), compared, form), output)


def _refuse_beside_perturb(given: bool) -> None:
    from genret.errors import UsageError

    if given:
        raise UsageError(
            "--perturb goes with --split, --metric, --seed, --format and --output; it asks several systems itself."
        )


def _lines(evaluation: Evaluation) -> str:
    rows = ({"query_id": query_id, **values} for query_id, values in evaluation.per_query().items())
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _render(table: ResultTable, compared: list[Comparison], form: TableFormat) -> str:
    if form is TableFormat.json:
        content = {
            **table.json(),
            "comparisons": [{**vars(one), "difference": vars(one.difference)} for one in compared],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    text = table.markdown() if form is TableFormat.markdown else draw_table(table)
    return text + "".join("\n" + _sentence(one) + "\n" for one in compared)


def _sentence(one: Comparison) -> str:
    change = one.difference
    return (
        f"{one.metric}: {change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}] against the other run, "
        f"p = {one.p_value:.4f} (randomisation test); better in {one.wins:,} queries, worse in {one.losses:,}, "
        f"equal in {one.ties:,}."
    )
