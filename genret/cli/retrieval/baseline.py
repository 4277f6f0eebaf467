"""`genret baseline`: what a model is measured against, as runs like any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import Corpus, DropIdentical, beside, reads_corpus
from genret.cli.encoder_options import CacheFolder, EncoderName, MaxLength
from genret.cli.numbers import finite
from genret.cli.output import check_output
from genret.cli.query_options import (
    TREC,
    Hits,
    Queries,
    RunFormatName,
    Split,
    asked_queries,
)
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from genret.batch import BatchOptions
    from genret.corpus import PassageStore, Query, Run
    from genret.models.frozen.sentence_encoder import SentenceEncoder

__all__ = ["register"]

Output = Annotated[Path, typer.Option(help="Write the run here.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Tuned = Annotated[
    bool,
    typer.Option("--tuned", help="BM25 stemmed, titles counted three times, k1 1.5 instead of 1.2."),
]
Weight = Annotated[
    float, typer.Option(help="Of a BM25 score beside an inner product.", min=0, max=1e6, callback=finite)
]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="Baselines: BM25, dense retrieval, and both together.")
    for command in (bm25, dense, hybrid, rrf):
        group.command(command.__name__)(command)
    app.add_typer(group, name="baseline")


@reads_corpus
def bm25(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    tuned: Tuned = False,
    reading: CorpusOptions = AS_IS,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = TREC,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by BM25 (k1 1.2, b 0.75) and write the run."""
    check_output(output, overwrite)
    from genret.evaluation import BM25_PLAIN, BM25_TUNED, bm25_run

    asked, job = asked_queries(queries or beside(corpus), split, form), _job(k, drop_identical_ids)
    settings = BM25_TUNED if tuned else BM25_PLAIN
    run = bm25_run(_passages(corpus, reading, form), asked, job.depth, settings)
    _write(output, run, asked, job, form, _tag("bm25", tuned))


@reads_corpus
def dense(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    encoder: EncoderName = None,
    max_length: MaxLength = 256,
    cache: CacheFolder = None,
    reading: CorpusOptions = AS_IS,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = TREC,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by the vectors of a sentence encoder, exactly, and write the run."""
    check_output(output, overwrite)
    from genret.evaluation import dense_run

    asked, job = asked_queries(queries or beside(corpus), split, form), _job(k, drop_identical_ids)
    passages = _passages(corpus, reading, form)
    run = dense_run(passages, asked, _encoder(encoder), job.depth, max_length=max_length, cache=_cache(cache))
    _write(output, run, asked, job, form, "dense")


@reads_corpus
def hybrid(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    weight: Weight = 0.01,
    tuned: Tuned = False,
    encoder: EncoderName = None,
    max_length: MaxLength = 256,
    cache: CacheFolder = None,
    reading: CorpusOptions = AS_IS,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = TREC,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS by the sum of inner product and weighted BM25 score, over all passages, and write the run."""
    check_output(output, overwrite)
    from genret.evaluation import BM25, BM25_PLAIN, BM25_TUNED, embed_both, hybrid_run

    asked, job = asked_queries(queries or beside(corpus), split, form), _job(k, drop_identical_ids)
    passages = _passages(corpus, reading, form)
    vectors = embed_both(asked, passages, _encoder(encoder), max_length=max_length, cache=_cache(cache))
    run = hybrid_run(asked, *vectors, BM25(passages, BM25_TUNED if tuned else BM25_PLAIN), job.depth, weight)
    _write(output, run, asked, job, form, _tag("hybrid", tuned))


@reads_corpus
def rrf(
    corpus: Corpus,
    output: Output,
    queries: Queries = None,
    split: Split = None,
    k: Hits = 100,
    tuned: Tuned = False,
    encoder: EncoderName = None,
    max_length: MaxLength = 256,
    cache: CacheFolder = None,
    reading: CorpusOptions = AS_IS,
    drop_identical_ids: DropIdentical = False,
    form: RunFormatName = TREC,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS by BM25 and by vectors, fuse the first hits of both by reciprocal ranks, and write the run."""
    check_output(output, overwrite)
    from genret.evaluation import BM25_PLAIN, BM25_TUNED, bm25_run, dense_run
    from genret.retrieval.fusion import FUSED_DEPTH, fuse_runs

    asked, job = asked_queries(queries or beside(corpus), split, form), _job(k, drop_identical_ids)
    passages, depth = _passages(corpus, reading, form), max(job.depth, FUSED_DEPTH)
    loaded, settings = _encoder(encoder), BM25_TUNED if tuned else BM25_PLAIN
    runs = [
        bm25_run(passages, asked, depth, settings),
        dense_run(passages, asked, loaded, depth, max_length=max_length, cache=_cache(cache)),
    ]
    run = fuse_runs(runs, method="reciprocal", depth=job.depth, passage_ids=passages.passage_ids)
    _write(output, run, asked, job, form, _tag("rrf", tuned))


def _encoder(name: str | None) -> SentenceEncoder:
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    return SentenceEncoder.load(name)


def _cache(given: Path | None) -> Path:
    from genret.jobs.cache_folder import default_cache

    return given or default_cache()


def _tag(name: str, tuned: bool) -> str:
    return f"{name}-tuned" if tuned else name


def _job(k: int, drop_identical: bool) -> BatchOptions:
    from genret.batch import BatchOptions

    return BatchOptions(k, drop_identical=drop_identical)


def _write(output: Path, run: Run, asked: list[Query], job: BatchOptions, form: str, tag: str) -> None:
    from genret.batch import found_of_run
    from genret.corpus.formats.registry import write_found

    write_found(output, found_of_run(run, asked, job), form, tag=tag)


def _passages(corpus: list[Path], reading: CorpusOptions, form: str) -> PassageStore:
    from genret.corpus import read_store
    from genret.corpus.formats.registry import run_format

    return read_store(corpus, reading, one_word=run_format(form).one_word)
