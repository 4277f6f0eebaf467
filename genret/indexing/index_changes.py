"""A text index whose passages change: shards without those that go, and one shard more of those that come.

Knows indexes and tokens; knows no model. An index holds no passage that is gone, so that it counts, and lets be
written, what one built of its passages would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from docid.ragged import IntArray
from fm_index import FMIndex, ShardedFMIndex
from genret.artefact import CheckedFolder, checked_folder, seal_folder
from genret.corpus import Passage, PassageStore
from genret.generations import kept_entries
from genret.indexing.build import index_facts, save_titles
from genret.indexing.text_index import INDEX, KIND, PASSAGES, VERSION, TextIndex
from genret.indexing.tokenise import tokenise_passages
from genret.tokenizer.interface import Tokenizer

__all__ = ["changed_index", "merged_index", "write_changed_index"]


def changed_index(
    now: TextIndex, kept: IntArray, fresh: Sequence[Passage], passages: PassageStore, tokenizer: Tokenizer
) -> TextIndex:
    """The index of the documents `kept` (int [n], ascending) and, behind them, of `fresh`: together `passages`.

    Shards without passages that go stay as they are. What comes has no pseudo-queries.
    """
    before = _sharded(now)
    shards = ShardedFMIndex(before.shards, before.removed.copy())
    shards.remove(np.setdiff1d(np.arange(shards.num_documents), kept))
    if shards.removed.any():
        shards.compact()
    titles = now.title_lengths[kept]
    if len(fresh):
        shard, more = _shard(now, fresh, tokenizer)
        # A shard of nothing is what is left where every passage went.
        shards = ShardedFMIndex([*(one for one in shards.shards if one.num_documents), shard])
        titles = np.concatenate([titles, more])
    return _with(now, shards, replace(now, passages=passages, title_lengths=titles))


def merged_index(now: TextIndex) -> TextIndex:
    """The same in one shard; itself where it is in one. Memory: some ten bytes a token."""
    shards = _sharded(now)
    if len(shards.shards) == 1:
        return now
    offsets, tokens = shards.extract_many(np.arange(shards.num_documents))
    one = FMIndex.build(tokens, offsets, vocab_size=shards.vocab_size, profile=shards.shards[0].profile)
    return _with(now, ShardedFMIndex([one]), now)


def write_changed_index(index: TextIndex, folder: Path, source: CheckedFolder) -> None:
    """Write what changed over a linked copy of the index that `source` was.

    Args:
        source: of the folder in which the index lay before; what it saw of files below is of use here.
    """
    before = checked_folder(index.folder, kind=KIND, version=VERSION, verify=False)
    name = before.folder.relative_to(source.folder).as_posix()
    seen = {file: source.seen[f"{name}/{file}"] for file in before.files if f"{name}/{file}" in source.seen}
    index.passages.save(folder / PASSAGES)
    _sharded(index).save(folder / INDEX)
    save_titles(folder, index.title_lengths, index.meta.get("layout"))
    kept = kept_entries(replace(before, seen=seen), folder)
    seal_folder(folder, kind=KIND, version=VERSION, meta=index.meta, kept=kept)


def _shard(now: TextIndex, fresh: Sequence[Passage], tokenizer: Tokenizer) -> tuple[FMIndex, IntArray]:
    """A shard of more passages, and their title lengths."""
    before = _sharded(now)
    with TemporaryDirectory() as scratch:
        (part,) = tokenise_passages(fresh, tokenizer, Path(scratch), None, now.layout)
        shard = FMIndex.build(
            part.tokens, part.offsets, vocab_size=before.vocab_size, profile=before.shards[0].profile
        )
    return shard, np.array(part.title_lengths, np.int32)


def _sharded(index: TextIndex) -> ShardedFMIndex:
    return index.index if isinstance(index.index, ShardedFMIndex) else ShardedFMIndex([index.index])


def _with(now: TextIndex, shards: ShardedFMIndex, made: TextIndex) -> TextIndex:
    one = shards.shards[0] if len(shards.shards) == 1 else shards
    meta = {**now.meta, **index_facts(shards, shards.shards[0].profile)}
    return replace(made, index=one, meta=meta)
