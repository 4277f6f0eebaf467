"""`genret queries generate`: synthetic queries for every passage of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, reads_corpus
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left
from genret.cli.numbers import finite
from genret.cli.writer_options import (
    ModelKind,
    ModelName,
    Seed,
    SourceTokens,
    Temperature,
    WriterOptions,
    few_shot,
)
from genret.corpus.corpus_options import AS_IS, CorpusOptions

__all__ = ["register"]

PROMPT = few_shot("Passage: {passage}\nQuestion: {question}", "Passage: {passage}\nQuestion:")


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(help="Synthetic queries.", no_args_is_help=True)
    group.command("generate")(generate)
    group.callback()(lambda: None)  # a group with one command stays a group
    app.add_typer(group, name="queries")


@reads_corpus
def generate(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the job; a killed one goes on.")],
    model: ModelName = None,
    kind: ModelKind = "causal",
    prompt: Annotated[
        str | None,
        typer.Option(help="For causal models, with {passage}; default: three examples to continue."),
    ] = None,
    per_passage: Annotated[int, typer.Option("-n", help="Queries for each passage.", min=1, max=1 << 16)] = 5,
    top_k: Annotated[int, typer.Option(help="Draw from so many tokens.", min=1, max=1 << 20)] = 10,
    top_p: Annotated[
        float, typer.Option(help="And of those from this much probability.", min=0, max=1, callback=finite)
    ] = 0.95,
    temperature: Temperature = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest query.", min=1, max=1 << 16)] = 32,
    source_tokens: SourceTokens = 400,
    round_trip: Annotated[
        str, typer.Option(help="none, bm25 or encoder: does a query find its passage?")
    ] = "bm25",
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    reading: CorpusOptions = AS_IS,
    seed: Seed = 0,
) -> None:
    """Write queries for every passage of CORPUS into OUTPUT/queries.jsonl, and a report of them."""
    from genret.config import from_mapping
    from genret.corpus import read_store
    from genret.queries import FilterOptions, GenerateOptions, QueryJob, Sampling

    executor = executor_of(shard, workers, ray)
    sampling = Sampling(per_passage, top_k, top_p, temperature, max_tokens)
    filters = from_mapping(FilterOptions, {"round_trip": round_trip}, "--round-trip")
    options = GenerateOptions(sampling, filters, seed=seed)
    writer = WriterOptions(model, kind, prompt, PROMPT, "{passage}", source_tokens)
    writer.check(output)
    job = QueryJob(output, read_store(corpus, reading), writer.name, options, parts)
    job.run(writer.load, executor)
    if job.missing:
        say_left(parts or output)
        return
    for line in job.finish().lines():
        typer.echo(line)
