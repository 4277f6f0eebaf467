"""`genret convert`: one file format into another of the same kind, a corpus from anywhere into one file, and a check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import reads_corpus
from genret.cli.output import check_output
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from genret.corpus.formats.datafile import Blanks
    from genret.corpus.sources import Sources

__all__ = ["register"]

CORPUS, BEIR = "corpus", "beir-corpus"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("convert")(convert)


@reads_corpus
def convert(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE... TARGET",
            help="The file to read (plain, .gz or .zst), or for a corpus folders and files, - for standard input; at the "
            "end the file to write, where --output does not name it.",
        ),
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="SOURCE's format; default: recognised.")] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="TARGET's format, such as beir-corpus or trec-run; default for a corpus: beir-corpus."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing; name the first ten problems, and say what a corpus would be read as.",
        ),
    ] = False,
    corpus: Annotated[
        Path | None,
        typer.Option(help="With --to dpr-run or fid-run: the corpus that has the passages' texts."),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="With --to dpr-run or fid-run: the questions, with answers where there are any."),
    ] = None,
    reading: CorpusOptions = AS_IS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing TARGET.")] = False,
) -> None:
    """Convert between formats of the same kind: a corpus, queries, judgements or a run."""
    from genret.corpus.conversion import convert
    from genret.corpus.formats.datafile import Blanks
    from genret.corpus.read import tell_blanks, tell_left_out
    from genret.corpus.sources import kind_of, shown
    from genret.errors import UsageError

    sources, target = _parted(places, output, check)
    check_output(target, overwrite)
    if to is not None and _holds_texts(to) and not check:
        _write_contexts(sources, target, to, corpus, questions, reading)
        return
    blanks = Blanks() if reading.skip_empty else None
    found = _found(sources, from_, to, reading, blanks)
    is_corpus = kind_of(found.found[0]) == CORPUS
    if check:
        _check(found, shown(sources), is_corpus)
    elif target is not None:
        if to is None and not is_corpus:
            from genret.corpus.formats.registry import FORMATS

            raise UsageError(f"name TARGET's format with --to; there are {', '.join(FORMATS)}.")
        left = convert(found.found, target, to or BEIR)
        tell_left_out(shown(sources), [*found.left_out, *left])
    tell_blanks(sources, blanks)


def _parted(places: list[Path], output: Path | None, check: bool) -> tuple[list[Path], Path | None]:
    """What is read, and what is written: the last place, where nothing else is named for that.

    Raises:
        UsageError: nothing is to be written, nor checked.
    """
    from genret.errors import UsageError

    if check or output is not None:
        return places, output
    if len(places) < 2:
        raise UsageError("give a TARGET to convert to, or --check without one.")
    return places[:-1], places[-1]


def _holds_texts(to: str) -> bool:
    from genret.corpus.formats.registry import find_format

    return find_format(to).texts


def _found(
    places: list[Path], from_: str | None, to: str | None, reading: CorpusOptions, blanks: Blanks | None
) -> Sources:
    """The sources: those of a corpus, where that is what is named, or else one file.

    Raises:
        UsageError: options of a corpus are given for something else.
    """
    from collections import deque
    from dataclasses import replace

    from genret.corpus.formats.datafile import DataFile
    from genret.corpus.formats.registry import detect, find_format, open_file
    from genret.corpus.sources import Source, Sources, find_sources, is_corpus
    from genret.errors import UsageError

    like = DataFile(Path(), blanks=blanks, options=reading, reached=deque(maxlen=1))
    kind_from, kind_to = (None if one is None else find_format(one).kind for one in (from_, to))
    if kind_from == CORPUS or (from_ is None and is_corpus(places, like, kind_to)):
        return find_sources(places, like, from_)
    if replace(reading, skip_empty=False) != AS_IS:
        raise UsageError("--id, --title, --text and --split say how a corpus is read; this is none.")
    if len(places) > 1:
        raise UsageError(
            "several files are read as one corpus only; name one file, or --to a corpus's format."
        )
    file = open_file(places[0])
    return Sources([Source(file, from_ or detect(file))], [])


def _write_contexts(
    sources: list[Path],
    target: Path | None,
    to: str,
    corpus: Path | None,
    questions: Path | None,
    reading: CorpusOptions,
) -> None:
    """A run with texts and answers: what DPR writes and Fusion-in-Decoder reads."""
    from genret.corpus import read_questions, read_run, read_store
    from genret.corpus.formats.found import FoundPassage, FoundQuery
    from genret.corpus.formats.registry import write_found
    from genret.corpus.sources import one_place
    from genret.errors import UsageError

    if corpus is None or questions is None or target is None:
        raise UsageError(f"a {to} holds texts and answers: give --corpus and --questions.")
    store, run = read_store(corpus, reading), read_run(one_place(sources, "run"))
    found = (
        FoundQuery(one, [FoundPassage(*hit) for hit in run.get(one.query_id, [])])
        for one in read_questions(questions)
    )
    write_found(target, found, to, store)


def _check(sources: Sources, label: str, is_corpus: bool) -> None:
    from genret.corpus.conversion import counted, problems, summarise, told_as
    from genret.errors import InputError

    forms = ", ".join(dict.fromkeys(source.form for source in sources.found))
    found = problems(sources.found)
    for problem in found:
        typer.echo(problem)
    if found:
        raise InputError(f"{label}: {counted(len(found), 'problem')} as {forms} (at most ten are named).")
    if is_corpus:
        lines = summarise(sources.found, sources.left_out).lines(label)
    else:
        lines = told_as(sources.found[0])
    for line in lines:
        typer.echo(line)
    typer.echo(f"{label}: no problem as {forms}.")
