"""`genret fit`: the whole recipe on any corpus folder, inside a time budget."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, reads_corpus
from genret.cli.numbers import LARGEST_SEED
from genret.corpus.corpus_options import AS_IS, CorpusOptions

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("fit")(fit)


@reads_corpus
def fit(
    corpus: Corpus,
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
    reading: CorpusOptions = AS_IS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Train a model that is the index of CORPUS, and compare it with BM25, a dense retriever and both together."""
    from genret.jobs.progress import parse_duration

    seconds = parse_duration(budget)
    from rich.console import Console

    from genret.fitting import fit
    from genret.fitting.fit_report import rich_report

    log = Console(stderr=True)
    report = fit(
        corpus,
        output,
        queries=queries,
        judgements=judgements,
        test_judgements=test_judgements,
        budget=seconds,
        encoder=encoder,
        seed=seed,
        id=reading.id,
        title=reading.title,
        text=reading.text,
        split=reading.split,
        skip_empty=reading.skip_empty,
        overwrite=overwrite,
        announce=log.print,
    )
    Console().print(rich_report(report))
    log.print(f'\nAsk it: genret search {shlex.quote(str(output))} "your question"', highlight=False)
