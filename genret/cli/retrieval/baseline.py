"""`genret baseline`: what a model is measured against, as runs like any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import DropIdentical, SkipEmpty
from genret.cli.encoder_options import CacheFolder, EncoderName, MaxLength
from genret.cli.output import check_output
from genret.cli.query_options import (
    Corpus,
    Hits,
    Queries,
    RunFormat,
    RunFormatName,
    Split,
    asked_queries,
)

if TYPE_CHECKING:
    from genret.corpus import PassageStore

__all__ = ["register"]

Output = Annotated[Path, typer.Option(help="Write the run here.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="Baselines: BM25, and the dense retriever of a sentence encoder.")
    group.command("bm25")(bm25)
    group.command("dense")(dense)
    app.add_typer(group, name="baseline")


def bm25(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    tuned: Annotated[
        bool, typer.Option("--tuned", help="Stemmed, titles counted three times, k1 1.5 instead of 1.2.")
    ] = False,
    skip_empty: SkipEmpty = False,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = RunFormat.trec,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by BM25 (k1 1.2, b 0.75) and write the run."""
    check_output(output, overwrite)
    from genret.batch import BatchOptions, found_of_run, write_found
    from genret.evaluation import BM25_PLAIN, BM25_TUNED, bm25_run

    asked = asked_queries(queries or corpus, split, form)
    job = BatchOptions(k, drop_identical=drop_identical_ids)
    settings = BM25_TUNED if tuned else BM25_PLAIN
    passages = _passages(corpus, skip_empty, form)
    run = bm25_run(passages, asked, job.depth, settings)
    write_found(output, found_of_run(run, asked, job), form, tag="bm25-tuned" if tuned else "bm25")


def dense(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    encoder: EncoderName = None,
    max_length: MaxLength = 256,
    cache: CacheFolder = None,
    skip_empty: SkipEmpty = False,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = RunFormat.trec,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by the vectors of a sentence encoder, exactly, and write the run."""
    check_output(output, overwrite)
    from genret.batch import BatchOptions, found_of_run, write_found
    from genret.evaluation import dense_run
    from genret.jobs.cache_folder import default_cache
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    asked = asked_queries(queries or corpus, split, form)
    job = BatchOptions(k, drop_identical=drop_identical_ids)
    passages = _passages(corpus, skip_empty, form)
    loaded = SentenceEncoder.load(encoder)
    run = dense_run(passages, asked, loaded, job.depth, max_length=max_length, cache=cache or default_cache())
    write_found(output, found_of_run(run, asked, job), form, tag="dense")


def _passages(corpus: Path, skip_empty: bool, form: RunFormat) -> PassageStore:
    from genret.batch import ONE_WORD, check_passage_ids
    from genret.corpus import read_store

    passages = read_store(corpus, skip_empty=skip_empty)
    if form in ONE_WORD:
        check_passage_ids(passages)
    return passages
