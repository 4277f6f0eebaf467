"""`genret baseline`: what a model is measured against, as runs like any other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import Corpus, DropIdentical, beside, reads_corpus
from genret.cli.encoder_options import CacheFolder, EncoderName, MaxLength
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of
from genret.cli.numbers import finite
from genret.cli.output import check_output, notice
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
    from genret.batch import BaselineOptions
    from genret.corpus import Question
    from genret.jobs.job import Executor

__all__ = ["register"]

Output = Annotated[Path, typer.Option(help="Write the run here.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what an earlier call left.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Begin anew; replace an existing output.")]
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
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by BM25 (k1 1.2, b 0.75) and write the run."""
    asked = _Asked(corpus, reading, queries or beside(corpus), split, k, drop_identical_ids)
    target = _Target(output, form, resume, overwrite, executor_of(shard, workers, ray), parts)
    target.check()
    from genret.batch import BaselineOptions

    _search(BaselineOptions("bm25", tuned=tuned), asked, target)


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
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS with every query by the vectors of a sentence encoder, exactly, and write the run."""
    asked = _Asked(corpus, reading, queries or beside(corpus), split, k, drop_identical_ids)
    target = _Target(output, form, resume, overwrite, executor_of(shard, workers, ray), parts)
    target.check()
    from genret.batch import BaselineOptions

    _search(BaselineOptions("dense", max_length=max_length), asked, target, encoder, cache)


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
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS by the sum of inner product and weighted BM25 score, over all passages, and write the run."""
    asked = _Asked(corpus, reading, queries or beside(corpus), split, k, drop_identical_ids)
    target = _Target(output, form, resume, overwrite, executor_of(shard, workers, ray), parts)
    target.check()
    from genret.batch import BaselineOptions

    _search(
        BaselineOptions("hybrid", tuned=tuned, weight=weight, max_length=max_length),
        asked,
        target,
        encoder,
        cache,
    )


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
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search CORPUS by BM25 and by vectors, fuse the first hits of both by reciprocal ranks, and write the run."""
    asked = _Asked(corpus, reading, queries or beside(corpus), split, k, drop_identical_ids)
    target = _Target(output, form, resume, overwrite, executor_of(shard, workers, ray), parts)
    target.check()
    from genret.batch import BaselineOptions

    _search(BaselineOptions("rrf", tuned=tuned, max_length=max_length), asked, target, encoder, cache)


@dataclass(frozen=True)
class _Asked:
    """What is searched, and with what."""

    corpus: list[Path]
    reading: CorpusOptions
    queries: Path
    split: str | None
    k: int
    drop_identical: bool


@dataclass(frozen=True)
class _Target:
    """Where the run goes, and who searches."""

    path: Path
    form: str
    resume: bool
    overwrite: bool
    executor: Executor
    parts: str | None

    def check(self) -> None:
        """Refuse, before any work, what cannot be written.

        Raises:
            UsageError: parts are of one format.
        """
        from genret.errors import UsageError

        check_output(self.path, self.overwrite or self.resume)
        if self.executor.share.count > 1 and self.form != TREC:
            raise UsageError("parts have one format; name that of the output when you `genret merge` them.")


def _search(
    options: BaselineOptions,
    asked: _Asked,
    target: _Target,
    encoder: str | None = None,
    cache: Path | None = None,
) -> None:
    """Search, and write the run; a share's parts, where others have the other ones."""
    from genret.batch import BatchOptions, LoadBaseline, Output, batch_run, make_plan
    from genret.corpus import read_store
    from genret.corpus.shared_store import SharedStore
    from genret.jobs.cache_folder import default_cache
    from genret.jobs.job import Once
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    output = Output(target.path, target.form, target.parts)
    questions = partial(_questions, asked.queries, asked.split, target.form)
    listed = questions()
    passages = read_store(asked.corpus, asked.reading, one_word=output.form.one_word)
    shared = SharedStore(passages, output.parts)
    load = LoadBaseline(
        options, shared, Once(partial(SentenceEncoder.load, encoder)), cache or default_cache()
    )
    job = BatchOptions(asked.k, drop_identical=asked.drop_identical)
    plan = make_plan(listed, job, load.fingerprint, options.tag)
    batch_run(
        load,
        questions,
        shared,
        output,
        plan,
        target.executor,
        resume=target.resume,
        overwrite=target.overwrite,
    )
    if target.executor.share.count > 1:
        notice(
            f"{output.parts}: the parts of this share; `genret merge {target.path} --format {TREC}` joins all."
        )


def _questions(path: Path, split: str | None, form: str) -> list[Question]:
    from genret.corpus import Question

    return [Question(query_id, text, []) for query_id, text in asked_queries(path, split, form)]
