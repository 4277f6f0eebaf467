"""`genret eval`: score a run against judgements, with intervals, beside another run, seen and unseen apart."""

from __future__ import annotations

import io
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.output import check_output, emit

if TYPE_CHECKING:
    from genret.corpus import Judgements
    from genret.evaluation import Comparison, Evaluation, ResultTable

__all__ = ["register"]


class Format(StrEnum):
    """How the table is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("eval")(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(help="The run (TREC's six columns).")],
    judgements: Annotated[
        Path, typer.Argument(help="Judgements: a file (BEIR's or TREC's columns) or a BEIR folder.")
    ],
    split: Annotated[str | None, typer.Option(help="The split of a folder's judgements.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="hit@k, MRR@k, recall@k or nDCG@k; may be repeated.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another run on the same queries: differences and p-values.")
    ] = None,
    trained_on: Annotated[
        str | None,
        typer.Option(
            help="Training judgements, a file or the name of a split: seen and unseen passages apart."
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the table.")] = Format.table,
    per_query: Annotated[
        Path | None, typer.Option(help="Write every query's values here, JSON lines.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the table here instead of to stdout.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Score RUN against JUDGEMENTS. Every judged query counts; one that the run lacks has the value 0."""
    check_output(output, overwrite)
    check_output(per_query, overwrite)
    from genret.corpus import read_judgements, read_run
    from genret.evaluation import DEFAULT_METRICS, compare, result_table
    from genret.evaluation import evaluate as score

    judged = read_judgements(judgements, split)
    metrics = tuple(metric or DEFAULT_METRICS)
    runs = [run] if against is None else [run, against]
    scored = [score(read_run(path), judged, metrics) for path in runs]
    rows: dict[str, Evaluation] = {}
    for path, evaluation in zip(runs, scored, strict=True):
        rows.update(_parts(str(path), evaluation, judged, _trained(judgements, trained_on)))
    compared = [] if against is None else [compare(scored[1], scored[0], name) for name in metrics]
    if per_query is not None:
        emit(_lines(scored[0]), per_query)
    emit(_render(result_table(rows), compared, form), output)


def _trained(judgements: Path, trained_on: str | None) -> Judgements | None:
    from genret.corpus import read_judgements

    if trained_on is None:
        return None
    return (
        read_judgements(trained_on) if Path(trained_on).exists() else read_judgements(judgements, trained_on)
    )


def _parts(
    name: str, evaluation: Evaluation, judged: Judgements, trained: Judgements | None
) -> dict[str, Evaluation]:
    """The evaluation, and where training judgements are given its seen and its unseen queries."""
    from genret.evaluation import seen_queries

    if trained is None:
        return {name: evaluation}
    seen = seen_queries(judged, trained)
    return {
        name: evaluation,
        f"{name}, seen": evaluation.part(seen),
        f"{name}, unseen": evaluation.part(judged.keys() - seen),
    }


def _lines(evaluation: Evaluation) -> str:
    rows = ({"query_id": query_id, **values} for query_id, values in evaluation.per_query().items())
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _render(table: ResultTable, compared: list[Comparison], form: Format) -> str:
    if form is Format.json:
        content = {
            **table.json(),
            "comparisons": [{**vars(one), "difference": vars(one.difference)} for one in compared],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    text = table.markdown() if form is Format.markdown else _drawn(table)
    return text + "".join("\n" + _sentence(one) + "\n" for one in compared)


def _drawn(table: ResultTable) -> str:
    from rich.console import Console

    stream = io.StringIO()
    width = 60 + max(map(len, table.rows), default=0) + 24 * len(table.metrics)
    Console(file=stream, width=width).print(table.rich())
    return stream.getvalue()


def _sentence(one: Comparison) -> str:
    change = one.difference
    return (
        f"{one.metric}: {change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}] against the other run, "
        f"p = {one.p_value:.4f} (randomisation test); better in {one.wins:,} queries, worse in {one.losses:,}, "
        f"equal in {one.ties:,}."
    )
