"""Builds the folder of a text index: tokenise, build one shard after another, publish by one rename."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from docid.ragged import IntArray
from fm_index import FMIndex, Profile, ShardedFMIndex
from fm_index.container import write_container
from fm_index.sharded import open_shard, save_shard
from genret.artefact import publish_folder
from genret.corpus import PassageStore
from genret.errors import InputError, UsageError
from genret.indexing.layout import Layout
from genret.indexing.text_index import INDEX, KIND, PASSAGES, TITLES, TITLES_KIND, TOKENIZER, VERSION
from genret.indexing.tokenise import TokenPart, tokenise_passages
from genret.jobs.progress import progress
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.interface import Tokenizer

__all__ = ["build_part", "build_text_index", "check_inputs", "index_facts", "publish_index", "save_titles"]

# The stages of FMIndex.build and their part of its time, for the bar.
STAGES = {
    "reading": 0.06,
    "sorting": 0.66,
    "writing rows": 0.1,
    "writing ranks": 0.16,
    "writing contexts": 0.02,
}


def build_text_index(
    passages: PassageStore,
    tokenizer: Tokenizer,
    output: str | os.PathLike[str],
    *,
    profile: Profile = "fast",
    shard_tokens: int | None = None,
    layout: Layout | None = None,
    pseudo_queries: Sequence[Sequence[str]] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Tokenise and index `passages` and write everything to the folder `output`; returns its metadata.

    Args:
        passages: document d of the index is passage d.
        tokenizer: a tokenizer of transformers; the fast ones run in parallel.
        profile: as for `FMIndex.build`.
        shard_tokens: start a new shard after so many tokens; bounds memory to about ten bytes a token of one.
        layout: mark fields, as n-gram retrieval needs it; None: the title, then the text.
        pseudo_queries: for each passage its pseudo-queries; with a layout only.
        overwrite: replace an existing folder.

    Raises:
        InputError: there are no passages, or `output` exists.
        UsageError: `shard_tokens` is not positive, or pseudo-queries come without a layout.
    """
    check_inputs(passages, shard_tokens, layout, pseudo_queries)

    def build(place: Path) -> tuple[ShardedFMIndex, list[int]]:
        with TemporaryDirectory(dir=place) as scratch:
            parts = tokenise_passages(
                passages, tokenizer, Path(scratch), shard_tokens, layout, pseudo_queries
            )
            return _build_shards(parts, len(tokenizer), place, profile)

    return publish_index(passages, tokenizer, output, build, profile, layout, overwrite)


def publish_index(
    passages: PassageStore,
    tokenizer: Tokenizer,
    output: str | os.PathLike[str],
    build: Callable[[Path], tuple[ShardedFMIndex, list[int]]],
    profile: Profile,
    layout: Layout | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Write the folder of an index; returns its metadata.

    Args:
        build: writes the shards into the folder that it is given, and gives the index of them and title lengths.

    Raises:
        InputError: `output` exists.
    """
    meta: dict[str, Any] = {} if layout is None else {"layout": layout.values()}
    with publish_folder(output, kind=KIND, version=VERSION, meta=meta, overwrite=overwrite) as folder:
        tokenizer.save_pretrained(folder / TOKENIZER)
        passages.save(folder / PASSAGES)
        (folder / INDEX).mkdir()
        index, titles = build(folder / INDEX)
        index.save(folder / INDEX)
        save_titles(folder, titles, meta.get("layout"))
        meta.update(tokenizer=tokenizer_fingerprint(tokenizer), vocab_size=len(tokenizer))
        meta.update(index_facts(index, profile))
    return meta


def check_inputs(
    passages: PassageStore,
    shard_tokens: int | None,
    layout: Layout | None,
    pseudo_queries: Sequence[Sequence[str]] | None,
) -> None:
    """Refuse what cannot be indexed; see `build_text_index`."""
    if len(passages) == 0:
        raise InputError("the corpus holds no passages; there is nothing to index.")
    if shard_tokens is not None and shard_tokens < 1:
        raise UsageError(f"shard_tokens: expected 1 or more, found {shard_tokens}.")
    if pseudo_queries is not None and layout is None:
        raise UsageError("pseudo-queries are marked fields; give a layout with them.")


def save_titles(folder: Path, lengths: Sequence[int] | IntArray, layout: object) -> None:
    """Write where titles end, with the layout beside what it ends at, so that neither is read without the other."""
    arrays = {"title_lengths": np.array(lengths, np.int32)}
    marked = {"layout": layout}
    write_container(folder / TITLES, kind=TITLES_KIND, version=1, meta=marked, arrays=arrays)


def _build_shards(
    parts: Iterable[TokenPart], vocab_size: int, place: Path, profile: Profile
) -> tuple[ShardedFMIndex, list[int]]:
    shards: list[FMIndex] = []
    titles: list[int] = []
    for part in parts:
        name = save_shard(build_part(part, vocab_size, profile), place, len(shards))
        # From its file: what is built is held in memory, one shard at a time.
        shards.append(open_shard(place, name))
        titles += part.title_lengths
        part.path.unlink()
    return ShardedFMIndex(shards), titles


def build_part(part: TokenPart, vocab_size: int, profile: Profile) -> FMIndex:
    """One shard."""
    with progress(part.num_tokens, "indexing", "tokens") as report:
        done = dict.fromkeys(STAGES, 0.0)

        def advance(stage: str, fraction: float) -> None:
            done[stage] = fraction
            tokens = int(part.num_tokens * sum(STAGES[name] * share for name, share in done.items()))
            report.note(stage)
            report.advance(max(0, tokens - report.done))

        return FMIndex.build(
            part.tokens, part.offsets, vocab_size=vocab_size, profile=profile, progress=advance
        )


def index_facts(index: ShardedFMIndex, profile: Profile) -> dict[str, Any]:
    """What a manifest says of an index."""
    return {
        "profile": profile,
        "num_tokens": index.num_tokens,
        "num_passages": index.num_documents,
        "shards": len(index.shards),
        "index_bytes": index.nbytes,
    }
