"""`genret negatives imagine`: hard negatives for training from what a language model takes for an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, beside, reads_corpus
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left
from genret.cli.query_options import Hits, Queries, Split, judged_queries
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

PROMPT = few_shot("Question: {question}\nPassage: {passage}", "Question: {query}\nPassage:")


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(help="Hard negatives for training.", no_args_is_help=True)
    group.command("imagine")(imagine)
    group.callback()(lambda: None)  # a group with one command stays a group
    app.add_typer(group, name="negatives")


@reads_corpus
def imagine(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the job; a killed one goes on.")],
    queries: Queries = None,
    split: Split = None,
    model: ModelName = None,
    kind: ModelKind = "causal",
    prompt: Annotated[
        str | None,
        typer.Option(help="For causal models, with {query}; default: three examples to continue."),
    ] = None,
    k: Hits = 100,
    temperature: Temperature = 0.7,
    max_tokens: Annotated[int, typer.Option(help="Longest passage.", min=1, max=1 << 16)] = 64,
    source_tokens: SourceTokens = 400,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    reading: CorpusOptions = AS_IS,
    seed: Seed = 0,
) -> None:
    """Let a model write a passage that would answer each query, and find by BM25 the real ones that look like it.

    OUTPUT/negatives.run is a run without the queries' relevant passages, for `loss.run` of a training
    configuration; OUTPUT/imagined.jsonl is what the model wrote.
    """
    from genret.corpus import read_store
    from genret.queries import ImagineJob, ImagineOptions, Sampling

    executor = executor_of(shard, workers, ray)
    options = ImagineOptions(Sampling(1, temperature=temperature, max_tokens=max_tokens), k, seed=seed)
    writer = WriterOptions(model, kind, prompt, PROMPT, "{query}", source_tokens)
    writer.check(output)
    asked, judged = judged_queries(queries or beside(corpus), split, one_word=True)
    passages = read_store(corpus, reading)
    job = ImagineJob(output, asked, writer.name, options, parts)
    job.run(writer.load, executor)
    if job.missing:
        say_left(parts or output)
        return
    for line in job.finish(passages, judged).lines():
        typer.echo(line)
