"""`genret search`: one question at the prompt, or a file of queries into a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genret.retriever import GenerativeRetriever, Hit

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("search")(search)


def search(
    model: Annotated[Path, typer.Argument(help="Model folder, as `genret fit` or `genret train` writes it.")],
    question: Annotated[str | None, typer.Argument(help="The question; leave it out with --queries.")] = None,
    k: Annotated[int, typer.Option("-k", help="Passages per query.", min=1)] = 10,
    beams: Annotated[
        int | None, typer.Option(help="Beams per query; default: as stored, at least k.", min=1)
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Show each passage's text.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per hit.")] = False,
    queries: Annotated[
        Path | None, typer.Option(help="BEIR folder or queries.jsonl: search all of them.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the run here (TREC format).")] = None,
    gold: Annotated[
        str | None,
        typer.Option(metavar="PASSAGE", help="Show where the search lost (or found) this passage's docid."),
    ] = None,
    trace: Annotated[
        str | None, typer.Option(metavar="ID", help="With --gold and --queries: the query to follow.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU if there is one.")
    ] = None,
) -> None:
    """Search a model: one QUESTION, or a file of queries into a run.

    With --gold the search of one query is followed step by step; --output then gets a picture of its beam (HTML).
    """
    from genret.errors import InputError, UsageError

    if (question is None) == (queries is None):
        raise UsageError("give either a question or --queries FILE, and not both.")
    if (trace is not None) != (gold is not None and queries is not None):
        raise UsageError("--trace ID names the query of --queries FILE that --gold PASSAGE is looked for in.")
    if gold is None and (queries is None) != (output is None):
        raise UsageError("--queries and --output go together: the run of all queries is written there.")
    if output is not None and output.exists() and not overwrite:
        raise InputError(f"{output} exists already; choose another name, or pass --overwrite to replace it.")
    from genret.retriever import GenerativeRetriever

    retriever = GenerativeRetriever.from_pretrained(model, device=device)
    if gold is not None:
        asked = question if queries is None else _query_text(queries, trace or "")
        _show_trace(retriever, asked or "", gold, beams, output)
    elif question is not None:
        for hit in retriever.search(question, k, num_beams=beams, with_text=text or as_json):
            typer.echo(json.dumps(hit._asdict(), ensure_ascii=False) if as_json else _line(hit))
    elif queries is not None and output is not None:
        _search_file(retriever, queries, output, k, beams)


def _line(hit: Hit) -> str:
    text = "" if hit.text is None else "\n      " + " ".join(hit.text.split())
    return f"{hit.rank:4}  {hit.score:9.4f}  {hit.passage_id}  [{hit.docid}]{text}"


def _search_file(
    retriever: GenerativeRetriever, queries: Path, output: Path, k: int, beams: int | None
) -> None:
    from genret.corpus import read_queries, write_run
    from genret.progress import progress

    listed = list(read_queries(queries))
    run = {}
    with progress(len(listed), "searching", "queries") as report:
        for query, hits in zip(
            listed, retriever.iter_search([q.text for q in listed], k, num_beams=beams), strict=True
        ):
            run[query.query_id] = [(hit.passage_id, hit.score) for hit in hits]
            report.advance()
    write_run(output, run)


def _query_text(queries: Path, query_id: str) -> str:
    from genret.corpus import read_queries
    from genret.errors import InputError

    for query in read_queries(queries):
        if query.query_id == query_id:
            return query.text
    raise InputError(f"{queries}: holds no query {query_id!r}.")


def _show_trace(
    retriever: GenerativeRetriever, query: str, gold: str, beams: int | None, picture: Path | None
) -> None:
    from fm_index.container import atomic_writer
    from genret.decoding.trace_view import trace_html, trace_table

    def name(token: int) -> str:
        return str(retriever.backbone.tokenizer.convert_ids_to_tokens(token))

    found, sequence = retriever.trace(query, beams), retriever.sequence(gold)
    typer.echo(trace_table(found, sequence, name))
    if picture is not None:
        with atomic_writer(picture) as file:
            file.write(trace_html(found, sequence, name, query).encode())
