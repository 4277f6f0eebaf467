"""`genret compare`: several runs on the same queries, with tests corrected for their number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genret.cli.corpus_options import DropIdentical
from genret.cli.numbers import LARGEST
from genret.cli.output import check_output, draw_table, emit, notice
from genret.cli.retrieval.eval import TableFormat
from genret.cli.retrieval.scoring_options import (
    AnswersIn,
    KiltLevel,
    Metrics,
    PiecesIn,
    Split,
    TiedScores,
    Ties,
)
from genret.cli.retrieval.scoring_options import pieces_in as pieces_of

if TYPE_CHECKING:
    from genret.evaluation import Change, Evaluation, PairComparison

__all__ = ["register"]

TEXT_WIDTH = 60

Runs = Annotated[list[Path], typer.Argument(help="Two or more runs on the same queries.")]
Judged = Annotated[
    Path, typer.Option("--judgements", "-j", help="A judgement file, a BEIR folder, or with --kilt a task.")
]
Queries = Annotated[
    Path | None, typer.Option(help="Show the texts of these queries where they changed most.")
]
Changed = Annotated[
    int, typer.Option(help="Show so many queries that changed most, by the first metric.", min=0, max=LARGEST)
]
Figure = Annotated[Path | None, typer.Option(help="Also draw means and intervals (.png, .svg).")]
Form = Annotated[TableFormat, typer.Option("--format", help="How to write the tables.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("compare")(compare)


def compare(
    runs: Runs,
    judgements: Judged,
    split: Split = None,
    metric: Metrics = None,
    kilt: KiltLevel = None,
    answers_in: AnswersIn = None,
    pieces_in: PiecesIn = None,
    ties: TiedScores = Ties.trec,
    drop_identical_ids: DropIdentical = False,
    queries: Queries = None,
    changed: Changed = 10,
    figure: Figure = None,
    form: Form = TableFormat.table,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Score RUNS and test every pair of them, by randomisation, corrected by Holm for all pairs and metrics."""
    check_output(output, overwrite)
    check_output(figure, overwrite, text=False)
    from genret.errors import UsageError
    from genret.evaluation import Gold, compare_all, draw_runs, most_changed

    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise UsageError("name two runs or more, each once.")
    metrics = tuple(metric) if metric else None
    gold = Gold(
        judgements,
        split,
        metrics,
        None if kilt is None else kilt.value,
        answers_in,
        None,
        ties.value,
        drop_identical_ids,
        pieces_of(pieces_in),
    )
    scored = {name: gold.score(run, notice) for name, run in zip(_names(runs), runs, strict=True)}
    pairs = compare_all(scored)
    first_metric = next(iter(scored.values())).metrics[0]
    changes = most_changed(scored, first_metric, changed)
    if figure is not None:
        draw_runs(scored, figure)
    texts = _texts(queries, {change.query_id for change in changes})
    emit(_render(scored, pairs, changes, texts, form), output)


def _names(runs: list[Path]) -> list[str]:
    """File names without their endings where these differ, else the whole paths."""
    stems = [run.stem for run in runs]
    return stems if len(set(stems)) == len(stems) else list(map(str, runs))


def _texts(queries: Path | None, wanted: set[str]) -> dict[str, str]:
    from genret.corpus import read_queries

    if queries is None:
        return {}
    return {query.query_id: query.text for query in read_queries(queries) if query.query_id in wanted}


def _render(
    scored: dict[str, Evaluation],
    pairs: list[PairComparison],
    changes: list[Change],
    texts: dict[str, str],
    form: TableFormat,
) -> str:
    from genret.evaluation import plain_table, result_table

    table = result_table(scored)
    if form is TableFormat.json:
        content = {
            **table.json(),
            "comparisons": [_pair_json(pair) for pair in pairs],
            "changed": [{**vars(one), "text": texts.get(one.query_id)} for one in changes],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    markdown = form is TableFormat.markdown
    runs = table.markdown() if markdown else draw_table(table)
    tests = plain_table(
        ["metric", "runs", "difference", "p", "p, corrected", "better", "worse"],
        map(_pair_row, pairs),
        markdown,
    )
    parts = [runs, tests]
    if changes:
        rows = (
            [one.query_id, *map(_value, one.values), _short(texts.get(one.query_id, ""))] for one in changes
        )
        parts.append(plain_table(["query", *scored, ""], rows, markdown))
    return "\n".join(parts)


def _pair_json(pair: PairComparison) -> dict[str, Any]:
    one = pair.comparison
    return {
        "first": pair.first,
        "second": pair.second,
        **{**vars(one), "difference": vars(one.difference)},
        "corrected_p_value": pair.corrected,
    }


def _pair_row(pair: PairComparison) -> list[str]:
    one, change = pair.comparison, pair.comparison.difference
    return [
        one.metric,
        f"{pair.second} against {pair.first}",
        f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]",
        f"{one.p_value:.4f}",
        f"{pair.corrected:.4f}",
        f"{one.wins:,}",
        f"{one.losses:,}",
    ]


def _value(value: float) -> str:
    return f"{value:.3f}"


def _short(text: str) -> str:
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 3] + "..."
