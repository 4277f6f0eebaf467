"""The options of every command that asks a corpus many queries, and reading those queries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genret.corpus import Judgements, Query
    from genret.retrieval.constraints import ConstraintOptions

__all__ = [
    "TREC",
    "ConstraintName",
    "ConstraintSettings",
    "Hits",
    "Queries",
    "RunFormatName",
    "Split",
    "Where",
    "asked_queries",
    "check_where",
    "judged_queries",
    "named_constraint",
]


TREC = "trec-run"
RunFormatName = Annotated[
    str,
    typer.Option(
        "--format",
        help="How to write the run: trec-run (ids without white space), genret-run, msmarco-run, kilt-run, or a format "
        "of an installed package.",
    ),
]

ConstraintName = Annotated[
    str | None,
    typer.Option(
        "--constraint",
        metavar="NAME",
        help="What may be found: a constraint of an installed package, or package.module:Class.",
    ),
]
ConstraintSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An option of the constraint; repeat it."),
]

Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Search only passages whose fields meet it, such as 'lang = \"en\" and year >= 2020'.",
    ),
]

Queries = Annotated[
    Path | None, typer.Option(help="Queries: a folder or queries.jsonl; default: the corpus's own.")
]
Split = Annotated[
    str | None, typer.Option(help="Search only the queries that this split of the queries' folder judges.")
]
Hits = Annotated[int, typer.Option("-k", help="Passages per query.", min=1, max=1 << 20)]


def asked_queries(path: Path, split: str | None, form: str) -> list[Query]:
    """The queries of a folder or a file; with a split, those that it judges. `form` is how their run is written.

    Raises:
        UsageError: as `judged_queries` and `run_format`.
    """
    from genret.corpus import read_queries
    from genret.corpus.formats.registry import run_format

    one_word = run_format(form, texts=False).one_word
    if split is None:
        return list(read_queries(path, one_word=one_word))
    return judged_queries(path, split, one_word=one_word)[0]


def judged_queries(
    path: Path, split: str | None, *, one_word: bool = False
) -> tuple[list[Query], Judgements]:
    """The queries of a folder that a split judges (its only one where None is named), and these judgements.

    Raises:
        UsageError: `path` is a file of queries. InputError: something there cannot be read.
    """
    from genret.corpus import read_judgements, read_queries
    from genret.errors import UsageError

    if path.is_file() and ".jsonl" in path.name:
        raise UsageError(f"--split needs the queries' folder, which holds the judgements; {path} is a file.")
    listed = list(read_queries(path, one_word=one_word))
    judged = read_judgements(path, split, query_ids={query.query_id for query in listed})
    return [query for query in listed if query.query_id in judged], judged


def check_where(model: Path, where: str | None) -> None:
    """Refuse a condition that does not fit the passages of a model, before the model is loaded.

    Raises:
        InputError: it is no condition, or names fields that they do not have.
    """
    from genret.artefact import folder_kind
    from genret.corpus.where import matching_rows
    from genret.retrieval import DOCIDS, NGRAMS
    from genret.retrieval.from_folder import load_passages

    # What is no model folder is told by whoever loads it.
    if where is not None and folder_kind(model) in (DOCIDS, NGRAMS):
        matching_rows(load_passages(model, verify="header"), where)


def named_constraint(name: str | None, settings: list[str] | None) -> ConstraintOptions | None:
    """What --constraint and its --set ask for; None where they are not given.

    Raises:
        UsageError: no constraint has this name, or it is missing. InputError: an option of it cannot be used.
    """
    from genret.config import parse_settings
    from genret.errors import InputError, UsageError
    from genret.retrieval.constraints import CONSTRAINT_DOOR, ConstraintOptions

    if name is None:
        if settings:
            raise UsageError("--set gives an option of a constraint; name it with --constraint.")
        return None
    try:
        CONSTRAINT_DOOR.open(name, "--constraint")
    except InputError as error:
        raise UsageError(str(error)) from error
    values = parse_settings(settings or [])
    CONSTRAINT_DOOR.make(name, values, f"--set (constraint {name})")
    return ConstraintOptions(name, values)
