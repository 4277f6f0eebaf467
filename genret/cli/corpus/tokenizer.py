"""`genret tokenizer`: a vocabulary of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.corpus_options import Corpus, reads_corpus
from genret.cli.numbers import LARGEST_SEED, finite
from genret.corpus.corpus_options import AS_IS, CorpusOptions

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="A vocabulary of one's own, for models trained from nothing.")
    group.callback()(lambda: None)
    group.command("train")(train)
    app.add_typer(group, name="tokenizer")


@reads_corpus
def train(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the tokenizer to this folder.")],
    vocab_size: Annotated[int, typer.Option(help="Pieces of words.", min=10, max=1 << 24)] = 32_000,
    docids: Annotated[
        Path | None, typer.Option(help="A docid table: its new tokens get ids from the start.")
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Train on at most so many texts.", min=1, max=1 << 40)
    ] = 1_000_000,
    character_coverage: Annotated[
        float,
        typer.Option(
            help="Share of characters that are known; 1 for small alphabets.",
            min=0.9,
            max=1.0,
            callback=finite,
        ),
    ] = 0.9995,
    seed: Annotated[int, typer.Option(help="Of the sample.", min=0, max=LARGEST_SEED)] = 0,
    reading: CorpusOptions = AS_IS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing folder.")] = False,
) -> None:
    """Train a sentencepiece model on the passages of CORPUS; `genret train` reads the folder: model.tokenizer.

    Killed after it has read CORPUS, it does not read it again when the same command is given again; sentencepiece's own
    training begins anew. A tokenizer that is there already, made of the same, is left as it is.
    """
    from docid import DocidTable
    from genret.corpus import read_passages
    from genret.tokenizer.unigram import train_tokenizer

    tokenizer = train_tokenizer(
        (passage.full_text for passage in read_passages(corpus, reading)),
        output,
        vocab_size=vocab_size,
        reserved=DocidTable.load(docids).new_tokens if docids else (),
        sample=sample,
        character_coverage=character_coverage,
        seed=seed,
        source=_stamp(corpus, reading),
        overwrite=overwrite,
    )
    typer.echo(f"{output}: {len(tokenizer):,} tokens.", err=True)


def _stamp(corpus: list[Path], reading: CorpusOptions) -> dict[str, list[int]]:
    """How the corpus is read, and name, size and time of change of each of its files: what tells whether it is the same."""
    from genret.corpus.standard_input import spooled_input

    places = [spooled_input() if str(place) == "-" else place for place in corpus]
    inside = (path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*"))))
    files = [path for path in inside if path.is_file()]
    stamps = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
    return {repr(reading): [], **stamps}
