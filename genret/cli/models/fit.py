"""`genret fit`: the whole recipe on any corpus folder, inside a time budget."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import SkipEmpty
from genret.cli.numbers import LARGEST_SEED

__all__ = ["register"]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("fit")(fit)


def fit(
    corpus: Annotated[Path, typer.Argument(help="BEIR folder (or zip) with corpus.jsonl.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model folder to write.")],
    budget: Annotated[str, typer.Option(help="Time for everything: 30m, 2h, 90s.")] = "30m",
    queries: Annotated[
        Path | None, typer.Option(help="queries.jsonl; default: that of the corpus folder.")
    ] = None,
    judgements: Annotated[
        Path | None,
        typer.Option(
            help="Judgements of the training queries; default: qrels/train.tsv of the corpus folder, if there."
        ),
    ] = None,
    test_judgements: Annotated[
        Path | None,
        typer.Option(
            help="Judgements of the test queries; default: qrels/test.tsv or dev.tsv, or hold examples back."
        ),
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder: folder or hub name.")] = None,
    seed: Annotated[
        int, typer.Option(help="Of docids, examples, parameters and order.", min=0, max=LARGEST_SEED)
    ] = 0,
    skip_empty: SkipEmpty = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Train a model that is the index of CORPUS, and compare it with BM25, a dense retriever and both together."""
    seconds = parse_duration(budget)
    from rich.console import Console

    from genret.fit import FitOptions, fit
    from genret.fit.fit_report import rich_report

    settings = FitOptions(
        corpus,
        output,
        queries=queries,
        judgements=judgements,
        test_judgements=test_judgements,
        budget_seconds=seconds,
        encoder=encoder,
        seed=seed,
        skip_empty=skip_empty,
        overwrite=overwrite,
    )
    log = Console(stderr=True)
    report = fit(settings, announce=log.print)
    Console().print(rich_report(report))
    log.print(f'\nAsk it: genret search {shlex.quote(str(output))} "your question"', highlight=False)


def parse_duration(text: str) -> float:
    """`30m`, `2h`, `90s` or `90` in seconds.

    Raises:
        UsageError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        from genret.errors import UsageError

        raise UsageError(f"--budget {text!r}: expected a number with s, m or h behind it, such as 30m.")
    return float(match[1]) * _UNITS[match[2]]
