"""`genret convert`: one file format into another of the same kind, and a check of one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import SkipEmpty
from genret.cli.output import check_output

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("convert")(convert)


def convert(
    source: Annotated[Path, typer.Argument(help="The file to read (plain, .gz or .zst).")],
    target: Annotated[Path | None, typer.Argument(help="The file to write.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="SOURCE's format; default: recognised.")] = None,
    to: Annotated[str | None, typer.Option(help="TARGET's format, such as beir-corpus or trec-run.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; name SOURCE's first ten problems.")
    ] = False,
    corpus: Annotated[
        Path | None,
        typer.Option(help="With --to dpr-run or fid-run: the corpus that has the passages' texts."),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="With --to dpr-run or fid-run: the questions, with answers where there are any."),
    ] = None,
    skip_empty: SkipEmpty = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing TARGET.")] = False,
) -> None:
    """Convert SOURCE to TARGET, between formats of the same kind: corpus, queries, judgements or run."""
    from dataclasses import replace

    from genret.corpus import conversion
    from genret.corpus.formats import registry
    from genret.corpus.formats.datafile import Blanks
    from genret.corpus.read import tell_blanks
    from genret.errors import UsageError

    if check == (target is not None):
        raise UsageError("give a TARGET to convert to, or --check without one.")
    check_output(target, overwrite)
    file = registry.open_file(source)
    source_format = from_ or registry.detect(file)
    blanks = Blanks() if skip_empty else None
    file = replace(file, blanks=blanks)
    if target is None:
        _check(conversion.problems(file, source_format), source, source_format)
    elif to is None:
        raise UsageError(f"name TARGET's format with --to; there are {', '.join(registry.FORMATS)}.")
    elif registry.find_format(to).texts:
        _write_contexts(source, target, to, corpus, questions, skip_empty)
    else:
        conversion.convert(file, source_format, target, to)
    tell_blanks(source, blanks)


def _write_contexts(
    source: Path, target: Path, to: str, corpus: Path | None, questions: Path | None, skip_empty: bool
) -> None:
    """A run with texts and answers: what DPR writes and Fusion-in-Decoder reads."""
    from genret.corpus import read_questions, read_run, read_store
    from genret.corpus.formats.found import FoundPassage, FoundQuery
    from genret.corpus.formats.registry import write_found
    from genret.errors import UsageError

    if corpus is None or questions is None:
        raise UsageError(f"a {to} holds texts and answers: give --corpus and --questions.")
    store, run = read_store(corpus, skip_empty=skip_empty), read_run(source)
    found = (
        FoundQuery(one, [FoundPassage(*hit) for hit in run.get(one.query_id, [])])
        for one in read_questions(questions)
    )
    write_found(target, found, to, store)


def _check(problems: list[str], source: Path, source_format: str) -> None:
    from genret.errors import InputError

    for problem in problems:
        typer.echo(problem)
    if problems:
        raise InputError(f"{source}: {len(problems)} problems as {source_format} (at most ten are named).")
    typer.echo(f"{source}: no problem as {source_format}.")
