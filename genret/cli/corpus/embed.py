"""`genret embed`: the vectors of a corpus or its queries, as a file that other commands take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, beside, reads_corpus
from genret.cli.encoder_options import CacheFolder, EncoderName, MaxLength
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left
from genret.cli.output import check_output
from genret.corpus.corpus_options import AS_IS, CorpusOptions

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("embed")(embed)


@reads_corpus
def embed(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the vectors here, as .npy.")],
    queries: Annotated[
        bool, typer.Option("--queries", help="Embed the queries of CORPUS instead of its passages.")
    ] = False,
    encoder: EncoderName = None,
    max_length: MaxLength = 256,
    cache: CacheFolder = None,
    reading: CorpusOptions = AS_IS,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Write the unit vectors (float16) of all passages of CORPUS, in order; title and text are read.

    Interrupted, the same command goes on where it stopped. Calls that share the work need one place --parts, or one
    --cache folder; the one that finds no part missing writes the output.
    """
    check_output(output, overwrite, text=False)
    from genret.corpus import read_queries, read_store
    from genret.corpus.shared_store import SharedStore
    from genret.evaluation import FullTexts
    from genret.jobs.cache_folder import default_cache
    from genret.jobs.job import Once
    from genret.models.frozen.sentence_encoder import SentenceEncoder
    from genret.vectors import embed_parts, embed_texts, write_vectors

    executor, place = executor_of(shard, workers, ray), cache or default_cache()
    load = Once(partial(SentenceEncoder.load, encoder))
    texts: Callable[[], Sequence[str]]
    if queries:
        texts = partial(list, [query.text for query in read_queries(beside(corpus))])
    else:
        store = read_store(corpus, reading)
        shared = SharedStore(store, place if parts is None else parts, f"{store.fingerprint}.passages")
        texts = partial(FullTexts.of, shared)
    if embed_parts(load, texts, executor, max_length=max_length, cache=place, parts=parts):
        say_left(parts or place)
        return
    vectors = embed_texts(
        load(), texts(), max_length=max_length, cache=place, parts=parts, description="embedding"
    )
    write_vectors(output, vectors)
    if not queries:
        shared.remove()
    typer.echo(f"{output}: {len(vectors):,} vectors of {vectors.shape[1]} dimensions", err=True)
