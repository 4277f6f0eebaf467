"""`genret embed`: the vectors of a corpus or its queries, as a file that other commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, beside, reads_corpus
from genret.cli.encoder_options import CacheFolder, EncoderName, MaxLength
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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Write the unit vectors (float16) of all passages of CORPUS, in order; title and text are read.

    Interrupted, the same command goes on where it stopped.
    """
    check_output(output, overwrite, text=False)
    from genret.corpus import read_queries, read_store
    from genret.evaluation import FullTexts
    from genret.jobs.cache_folder import default_cache
    from genret.models.frozen.sentence_encoder import SentenceEncoder
    from genret.vectors import embed_texts, write_vectors

    texts = (
        [query.text for query in read_queries(beside(corpus))]
        if queries
        else FullTexts(read_store(corpus, reading))
    )
    loaded = SentenceEncoder.load(encoder)
    place = cache or default_cache()
    vectors = embed_texts(loaded, texts, max_length=max_length, cache=place, description="embedding")
    write_vectors(output, vectors)
    typer.echo(f"{output}: {len(vectors):,} vectors of {vectors.shape[1]} dimensions", err=True)
