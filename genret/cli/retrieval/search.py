"""`genret search`: one question at the prompt, or a file of queries into a run."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genret.cli.corpus_options import DropIdentical
from genret.cli.output import check_output, notice
from genret.cli.query_options import (
    TREC,
    ConstraintName,
    ConstraintSettings,
    RunFormatName,
    Where,
    check_where,
    named_constraint,
)

if TYPE_CHECKING:
    from genret.batch import BatchOptions
    from genret.decoding.trace import Trace
    from genret.retrieval.docids import GenerativeRetriever, Hit, Standing
    from genret.retrieval.from_folder import AnyRetriever
    from genret.retrieval.ngrams import NgramHit
    from genret.retrieval.retriever import Retriever

__all__ = ["register"]

# N-grams or words in the line of a hit.
SHOWN = 3


class SearchMode(StrEnum):
    """Names of `genret.retrieval.search_options.Mode`, for the command line."""

    beam = "beam"
    plan = "plan"
    both = "both"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("search")(search)


def search(
    model: Annotated[Path, typer.Argument(help="Model folder, as `genret fit` or `genret train` writes it.")],
    question: Annotated[str | None, typer.Argument(help="The question; leave it out with --queries.")] = None,
    k: Annotated[int, typer.Option("-k", help="Passages per query.", min=1, max=1 << 20)] = 10,
    beams: Annotated[
        int | None, typer.Option(help="Beams per query; default: as stored, at least k.", min=1, max=1 << 16)
    ] = None,
    mode: Annotated[
        SearchMode | None,
        typer.Option(
            help="beam: search docids; plan: rank all passages by one pass; both. Default: as stored."
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Show each passage's text.")] = False,
    matches: Annotated[
        bool,
        typer.Option("--matches", help="Show each passage with the words or n-grams that found it marked."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per hit.")] = False,
    queries: Annotated[
        Path | None, typer.Option(help="BEIR folder or queries.jsonl: search all of them.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the run here.")] = None,
    form: RunFormatName = TREC,
    gold: Annotated[
        str | None,
        typer.Option(metavar="PASSAGE", help="Show where the search lost (or found) this passage's docid."),
    ] = None,
    trace: Annotated[
        str | None, typer.Option(metavar="ID", help="With --gold and --queries: the query to follow.")
    ] = None,
    constraint: ConstraintName = None,
    setting: ConstraintSettings = None,
    where: Where = None,
    drop_identical_ids: DropIdentical = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU if there is one.")
    ] = None,
) -> None:
    """Search a model: one QUESTION, or a file of queries into a run.

    With --gold the search of one query is followed step by step; --output then gets a picture of its beam (HTML).
    With --matches, --output gets the marked passages (HTML).
    """
    _check_options(question, queries, gold, trace, matches, output, drop_identical_ids)
    check_output(output, overwrite)
    limits = named_constraint(constraint, setting)
    check_where(model, where)
    if queries is not None and gold is None and output is not None:
        from genret.batch import BatchOptions

        job = BatchOptions(k, beams, drop_identical=drop_identical_ids, constraint=limits, where=where)
        _search_file(model, device, queries, output, job, form, mode)
        return
    from genret.retrieval.from_folder import load_retriever

    retriever = _with_mode(load_retriever(model, device=device), model, mode)
    allowed = None if limits is None else limits.of(retriever)
    if gold is not None:
        followed = _docid_retriever(retriever, model)
        asked = (question if queries is None else _query_text(queries, trace or "")) or ""
        if followed.words_alone and output is None:
            _show_standing(followed, asked, gold)
            return
        found = followed.trace(asked, beams, constraint=allowed, where=where)
        _show_trace(followed, asked, gold, found, output)
    elif question is not None:
        with_text = text or (as_json and not matches)
        hits = retriever.search(
            question, k, num_beams=beams, constraint=allowed, where=where, with_text=with_text
        )
        if note := retriever.told_of(question):
            notice(note)
        if matches:
            _show_matches(retriever, question, hits, output)
        for hit in [] if matches else hits:
            typer.echo(json.dumps(_record(hit), ensure_ascii=False) if as_json else _line(hit))


def _check_options(
    question: str | None,
    queries: Path | None,
    gold: str | None,
    trace: str | None,
    matches: bool,
    output: Path | None,
    drop_identical: bool,
) -> None:
    """Refuse options that do not go together."""
    from genret.errors import UsageError

    if (question is None) == (queries is None):
        raise UsageError("give either a question or --queries FILE, and not both.")
    if (
        question is not None
        and not question.isascii()
        and question.encode(errors="replace").decode() != question
    ):
        raise UsageError(
            "the question is no text in UTF-8; set the terminal to it, or write the question to a file."
        )
    if (trace is not None) != (gold is not None and queries is not None):
        raise UsageError("--trace ID names the query of --queries FILE that --gold PASSAGE is looked for in.")
    if matches and (question is None or gold is not None):
        raise UsageError(
            "--matches shows what found the passages of one question; leave out --queries and --gold."
        )
    if gold is None and not matches and (queries is None) != (output is None):
        raise UsageError("--queries and --output go together: the run of all queries is written there.")
    if drop_identical and (queries is None or gold is not None):
        raise UsageError("--drop-identical-ids is for the run of a file of queries: one question has no id.")


def _line(hit: Hit | NgramHit) -> str:
    from genret.corpus.metadata import told_fields

    below = [told_fields(hit.metadata), "" if hit.text is None else " ".join(hit.text.split())]
    lines = "".join("\n      " + line for line in below if line)
    return f"{hit.rank:4}  {hit.score:9.4f}  {hit.passage_id}  [{_found_by(hit)}]{lines}"


def _found_by(hit: Hit | NgramHit) -> str:
    """The n-grams or words that count most, or the docid."""
    record = hit._asdict()
    found = record.get("matches") or record.get("words")
    return " | ".join(one.text.strip() for one in found[:SHOWN]) if found else record.get("docid", "")


def _record(hit: Hit | NgramHit) -> dict[str, Any]:
    record = hit._asdict()
    if "matches" in record:
        record["matches"] = [vars(match) for match in record["matches"]]
    if "words" in record:
        record["words"] = [match._asdict() for match in record["words"]]
    return record


def _docid_retriever(retriever: AnyRetriever, model: Path) -> GenerativeRetriever:
    from genret.errors import UsageError
    from genret.retrieval.docids import GenerativeRetriever

    if not isinstance(retriever, GenerativeRetriever):
        raise UsageError(
            f"{model} emits n-grams and no docids: --gold and --mode are for these; --matches shows what it found."
        )
    return retriever


def _with_mode(retriever: AnyRetriever, model: Path, mode: SearchMode | None) -> AnyRetriever:
    return retriever if mode is None else _docid_retriever(retriever, model).with_options(mode=mode.value)


def _show_matches(
    retriever: Retriever[Any, Any], question: str, hits: Iterable[Hit | NgramHit], page: Path | None
) -> None:
    from genret.browse.matches_page import MatchedPassage, matches_page
    from genret.corpus.metadata import told_fields
    from genret.corpus.writing import text_writer
    from genret.retrieval.matches import matches_text

    found = [
        MatchedPassage(
            hit.passage_id,
            hit.score,
            retriever.pieces(hit),
            retriever.matches(hit),
            told_fields(hit.metadata),
        )
        for hit in hits
    ]
    mark = typer.style("{}", bold=True, reverse=True) if sys.stdout.isatty() else "[{}]"
    for rank, one in enumerate(found, start=1):
        fields = f"\n      {one.fields}" if one.fields else ""
        typer.echo(f"{rank:4}  {one.score:9.4f}  {one.passage_id}{fields}")
        typer.echo(textwrap.indent(matches_text(one.pieces, one.matches, mark), "      "))
    if page is not None:
        with text_writer(page) as file:
            file.write(matches_page(question, found).encode())


def _search_file(
    model: Path,
    device: str | None,
    queries: Path,
    output: Path,
    job: BatchOptions,
    form: str,
    mode: SearchMode | None,
) -> None:
    from genret.batch import check_passage_ids, found_passage, found_query
    from genret.corpus import Question, read_queries
    from genret.corpus.formats.registry import run_format, write_found
    from genret.jobs.progress import progress
    from genret.retrieval.from_folder import load_passages, load_retriever

    one_word = run_format(form, texts=False).one_word
    listed = list(read_queries(queries, one_word=one_word))
    if one_word:
        check_passage_ids(load_passages(model))
    retriever = _with_mode(load_retriever(model, device=device), model, mode)
    allowed = None if job.constraint is None else job.constraint.of(retriever)
    texts = [query.text for query in listed]
    found: Iterator[list[Any]] = retriever.iter_search(
        texts, job.depth, num_beams=job.num_beams, constraint=allowed, where=job.where
    )
    rows = []
    with progress(len(listed), "searching", "queries") as report:
        for query, hits in zip(listed, found, strict=True):
            asked = Question(query.query_id, query.text, [])
            rows.append(found_query(asked, map(found_passage, hits), job))
            report.advance()
    write_found(output, rows, form)


def _query_text(queries: Path, query_id: str) -> str:
    from genret.corpus import read_queries
    from genret.errors import InputError

    for query in read_queries(queries):
        if query.query_id == query_id:
            return query.text
    raise InputError(f"{queries}: holds no query {query_id!r}.")


def _standing(found: Standing, passages: int) -> str:
    """Where the passage stands before any search, a line for each part."""
    parts = {
        "codes": (found.code_score, found.code_rank),
        "words": (found.word_score, found.word_rank),
        "both": (found.score, found.rank),
    }
    lines = [f"  {name:6} {score:10.4f}   rank {rank:,}" for name, (score, rank) in parts.items()]
    return "\n".join([f"Among all {passages:,} passages, before any search:", *lines])


def _show_standing(retriever: GenerativeRetriever, query: str, gold: str) -> None:
    """In place of a trace where there is no search."""
    typer.echo("The docids are words alone: all passages are ranked at once, and no search can be followed.")
    typer.echo(_standing(retriever.standing(query, gold), len(retriever.passages)))


def _show_trace(
    retriever: GenerativeRetriever,
    query: str,
    gold: str,
    found: Trace,
    picture: Path | None,
) -> None:
    from genret.browse.trace_view import trace_page, trace_table
    from genret.corpus.writing import text_writer

    def name(token: int) -> str:
        return str(retriever.backbone.tokenizer.convert_ids_to_tokens(token))

    sequence = retriever.sequence(gold)
    typer.echo(trace_table(found, sequence, name))
    if retriever.words is not None or retriever.options.mode != "beam":
        typer.echo(_standing(retriever.standing(query, gold), len(retriever.passages)))
    if picture is not None:
        with text_writer(picture) as file:
            file.write(trace_page(found, sequence, name, query).encode())
