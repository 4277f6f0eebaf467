"""`genret index`: build the index over a corpus's tokens, and look into it."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from genret.cli.corpus_options import Corpus, reads_corpus
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left
from genret.cli.numbers import LARGEST
from genret.cli.output import check_output
from genret.corpus.corpus_options import AS_IS, CorpusOptions

__all__ = ["register"]

Folder = Annotated[Path, typer.Argument(help="Folder of an index, as `genret index build` writes it.")]


class Profile(StrEnum):
    """What the index is tuned for."""

    fast = "fast"
    compact = "compact"


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="The full-text index over tokens: build it, look into it, check it.")
    group.command("build")(build)
    group.command("info")(info)
    group.command("verify")(verify)
    group.command("dump")(dump)
    app.add_typer(group, name="index")


@reads_corpus
def build(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the index to this folder.")],
    tokenizer: Annotated[str, typer.Option(help="The model's tokenizer: a folder or a hub name.")],
    profile: Annotated[
        Profile, typer.Option(help="Fastest answers, or two thirds of the size.")
    ] = Profile.fast,
    shard_tokens: Annotated[
        int | None,
        typer.Option(help="Start a new shard after so many tokens; bounds memory.", min=1, max=LARGEST),
    ] = None,
    shard_passages: Annotated[
        int | None,
        typer.Option(
            help="Start a new shard after so many passages, each a part of the work.", min=1, max=LARGEST
        ),
    ] = None,
    marks: Annotated[
        bool, typer.Option("--marks", help="Mark where fields begin and end, as n-gram retrieval needs it.")
    ] = False,
    pseudo_queries: Annotated[
        Path | None,
        typer.Option(help="JSON lines of passage_id and text: a field of their own; with --marks."),
    ] = None,
    reading: CorpusOptions = AS_IS,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing folder.")] = False,
) -> None:
    """Tokenise and index every passage of CORPUS.

    With --shard-passages the shards can be built by several processes and machines; the call that finds none missing
    joins them.
    """
    from genret.artefact import refuse_existing
    from genret.corpus import read_store
    from genret.errors import UsageError
    from genret.indexing import build_text_index
    from genret.indexing.layout import Layout
    from genret.indexing.pseudo_queries import read_pseudo_queries
    from genret.indexing.shard_parts import build_in_parts
    from genret.jobs.job import HERE, Once
    from genret.tokenizer.load import load_tokenizer

    refuse_existing(output, overwrite)
    executor = executor_of(shard, workers, ray)
    if (shard_passages is None and (executor != HERE or parts is not None)) or None not in (
        shard_passages,
        shard_tokens,
    ):
        raise UsageError(
            "work is shared in shards of so many passages: give --shard-passages, no --shard-tokens."
        )
    tokens = Once(partial(load_tokenizer, tokenizer))
    passages = read_store(corpus, reading)
    asked = None if pseudo_queries is None else read_pseudo_queries(pseudo_queries, passages)
    options: dict[str, Any] = {
        "profile": profile.value,
        "layout": Layout.of(tokens()) if marks else None,
        "pseudo_queries": asked,
        "overwrite": overwrite,
    }
    meta: dict[str, Any] | None
    if shard_passages is None:
        meta = build_text_index(passages, tokens(), output, shard_tokens=shard_tokens, **options)
    else:
        meta = build_in_parts(passages, tokens, output, shard_passages, executor, place=parts, **options)
    if meta is None:
        say_left(parts or f"{output}.parts")
        return
    typer.echo(f"{output}: {meta['num_passages']:,} passages, {meta['num_tokens']:,} tokens.", err=True)


def info(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of lines of text.")] = False,
) -> None:
    """Show what FOLDER holds."""
    import json

    from genret.indexing import TextIndex

    meta = TextIndex.load(folder, verify=False).meta
    if as_json:
        typer.echo(json.dumps(meta, indent=1, sort_keys=True))
        return
    for name, value in meta.items():
        typer.echo(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}")


def verify(folder: Folder) -> None:
    """Check every byte of FOLDER, and that its index gives back the tokens it was built from."""
    from genret.indexing import TextIndex

    index = TextIndex.load(folder, verify=True).index
    index.verify()
    typer.echo(f"{folder}: {index.num_documents:,} passages, {index.num_tokens:,} tokens: intact.")


def dump(
    folder: Folder,
    limit: Annotated[
        int | None, typer.Option(help="Stop after so many passages.", min=0, max=LARGEST)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here in place of stdout.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Write the indexed tokens as JSON lines: passage_id, title_tokens, text_tokens."""
    check_output(output, overwrite)
    from genret.corpus.writing import text_writer
    from genret.indexing.dump import token_lines

    lines = token_lines(folder, limit)
    if output is None:
        for line in lines:
            typer.echo(line, nl=False)
        return
    with text_writer(output) as file:
        file.writelines(line.encode() for line in lines)
