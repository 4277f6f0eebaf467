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


class Kilt(StrEnum):
    """What of KILT's files is scored."""

    page = "page"
    paragraph = "paragraph"
    answers = "answers"


Run = Annotated[Path, typer.Argument(help="The run (TREC's six columns).")]
Judged = Annotated[
    Path, typer.Argument(help="Judgements: a file (BEIR's or TREC's columns) or a BEIR folder.")
]
Split = Annotated[str | None, typer.Option(help="The split of a folder's judgements.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option(help="hit@k, MRR@k, recall@k or nDCG@k; may be repeated."),
]
Against = Annotated[
    Path | None, typer.Option(help="Another run on the same queries: differences and p-values.")
]
TrainedOn = Annotated[
    str | None,
    typer.Option(help="Training judgements, a file or the name of a split: seen and unseen passages apart."),
]
KiltLevel = Annotated[
    Kilt | None,
    typer.Option(
        "--kilt",
        help="KILT's metrics: JUDGEMENTS is a task file, RUN a guess file or a run of its passages.",
    ),
]
Form = Annotated[Format, typer.Option("--format", help="How to write the table.")]
PerQuery = Annotated[Path | None, typer.Option(help="Write every query's values here, JSON lines.")]
Output = Annotated[Path | None, typer.Option(help="Write the table here instead of to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("eval")(evaluate)


def evaluate(
    run: Run,
    judgements: Judged,
    split: Split = None,
    metric: Metrics = None,
    against: Against = None,
    trained_on: TrainedOn = None,
    kilt: KiltLevel = None,
    form: Form = Format.table,
    per_query: PerQuery = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Score RUN against JUDGEMENTS. Every judged query counts; one that the run lacks has the value 0."""
    from genret.errors import UsageError

    check_output(output, overwrite)
    check_output(per_query, overwrite)
    from genret.evaluation import compare, result_table

    runs = [run] if against is None else [run, against]
    if kilt is None:
        scored, rows = _scored(runs, judgements, split, metric, trained_on)
    else:
        if split is not None or trained_on is not None:
            raise UsageError("--split and --trained-on do not go with --kilt: its task file is one split.")
        scored = [_scored_as_kilt(path, judgements, kilt, metric) for path in runs]
        rows = {str(path): evaluation for path, evaluation in zip(runs, scored, strict=True)}
    compared = [] if against is None else [compare(scored[1], scored[0], name) for name in scored[0].metrics]
    if per_query is not None:
        emit(_lines(scored[0]), per_query)
    emit(_render(result_table(rows), compared, form), output)


def _scored(
    runs: list[Path], judgements: Path, split: str | None, metric: list[str] | None, trained_on: str | None
) -> tuple[list[Evaluation], dict[str, Evaluation]]:
    """Each run's evaluation, and the rows of the table."""
    from genret.corpus import read_judgements, read_run
    from genret.evaluation import DEFAULT_METRICS
    from genret.evaluation import evaluate as score

    judged = read_judgements(judgements, split)
    trained = _trained(judgements, trained_on)
    scored = [score(read_run(path), judged, tuple(metric or DEFAULT_METRICS)) for path in runs]
    rows: dict[str, Evaluation] = {}
    for path, evaluation in zip(runs, scored, strict=True):
        rows.update(_parts(str(path), evaluation, judged, trained))
    return scored, rows


def _scored_as_kilt(path: Path, task: Path, what: Kilt, metric: list[str] | None) -> Evaluation:
    from genret.corpus import formats, kilt, read_run
    from genret.errors import UsageError
    from genret.evaluation import kilt as scores

    file, gold = formats.open_file(path), list(kilt.lines(formats.open_file(task)))
    guess_file = formats.is_json(file)
    if what is Kilt.answers:
        if metric:
            raise UsageError(
                f"--kilt answers has a fixed list of metrics: {', '.join(scores.ANSWER_METRICS)}."
            )
        return scores.evaluate_kilt_answers(kilt.lines(file), gold)
    level: kilt.Level = "page" if what is Kilt.page else "paragraph"
    guesses = (
        scores.guesses_of_lines(kilt.lines(file), level)
        if guess_file
        else scores.guesses_of_run(read_run(path), level)
    )
    return scores.evaluate_kilt(guesses, gold, tuple(metric or scores.KILT_METRICS), level)


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
