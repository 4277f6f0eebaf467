"""The folder of an index built from text: the index, its passages, where their texts begin, the tokenizer.

Knows files and what belongs together; builds nothing and decodes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_index import FMIndex, ShardedFMIndex
from fm_index.container import Section, Verify, read_container
from genret.artefact import check_folder
from genret.corpus import PassageStore
from genret.errors import ArtefactError, InputError
from genret.indexing.layout import Layout

__all__ = ["INDEX", "KIND", "PASSAGES", "TITLES", "TITLES_KIND", "TOKENIZER", "VERSION", "TextIndex"]

KIND = "text index"
# 2: files of earlier generations.
VERSION = 2
INDEX, PASSAGES, TITLES, TOKENIZER = "index", "passages.bin", "titles.bin", "tokenizer"
TITLES_KIND = "title lengths"
BATCH = 1 << 14


@dataclass(frozen=True)
class TextIndex:
    """An index over the tokens of passages.

    Attributes:
        index: one shard or several; document numbers are rows of `passages`.
        passages: the passages.
        title_lengths: int32 [passages]; the tokens of document d begin with so many of the title.
        meta: "tokenizer" (its fingerprint), "vocab_size", "profile", "num_tokens", "num_passages", "shards",
            and "layout" where fields are marked.
    """

    index: FMIndex | ShardedFMIndex
    passages: PassageStore
    title_lengths: npt.NDArray[np.int32]
    meta: dict[str, Any]
    folder: Path

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, verify: bool = True) -> TextIndex:
        """Open a folder that `build_text_index` wrote; every byte of it is checked, and that its parts agree.

        `verify=False` checks headers only, whatever the size: a damaged payload may then give wrong answers.

        Raises:
            InputError: there is no such folder.
            ArtefactError: it is damaged, incomplete, or of another kind.
        """
        place = Path(folder)
        meta = check_folder(place, kind=KIND, version=VERSION, verify=verify)
        depth: Verify = "full" if verify else "header"
        shards = ShardedFMIndex.load(place / INDEX, verify=depth)
        passages = PassageStore.load(place / PASSAGES, verify=depth)
        titles = read_container(place / TITLES, kind=TITLES_KIND, version=1, verify="full")
        titles.check(place / TITLES, {"title_lengths": Section("<i4")})
        lengths: npt.NDArray[np.int32] = titles.arrays["title_lengths"]
        if not shards.num_documents == len(passages) == len(lengths):
            raise ArtefactError(f"{place}: altered: index, passages and titles differ in number.")
        if fault := _fault_in_meta(meta, shards):
            raise ArtefactError(f"{place}: altered: {fault}.")
        # Titles of earlier versions do not say what they end at.
        if titles.meta.get("layout", meta.get("layout")) != meta.get("layout"):
            raise ArtefactError(f"{place}: altered: its layout is not the one that its titles end by.")
        index = shards.shards[0] if len(shards.shards) == 1 and not shards.removed.any() else shards
        loaded = cls(index, passages, lengths, meta, place)
        if fault := _fault_in_titles(loaded, shards, read=verify):
            raise ArtefactError(f"{place / TITLES}: altered: {fault}.")
        return loaded

    @property
    def layout(self) -> Layout | None:
        """How fields are marked; None where they are not."""
        return Layout.stored(self.meta.get("layout"))

    def check_tokenizer(self, fingerprint: str) -> None:
        """Refuse a tokenizer other than the one that the index was built with.

        Raises:
            InputError: the fingerprints differ.
        """
        if fingerprint != self.meta["tokenizer"]:
            raise InputError(
                f"{self.folder}: built with another tokenizer (fingerprint {self.meta['tokenizer']}, this one's is "
                f"{fingerprint}); use the tokenizer in {self.folder / TOKENIZER}, or build the index again."
            )


def _fault_in_meta(meta: Mapping[str, Any], shards: ShardedFMIndex) -> str | None:
    """Whether the manifest tells of the index beside it."""
    facts = {
        "vocab_size": shards.vocab_size,
        "num_tokens": shards.num_tokens,
        "num_passages": shards.num_documents,
        "shards": len(shards.shards),
        "profile": shards.shards[0].profile,
    }
    for name, fact in facts.items():
        if meta.get(name) != fact:
            return f"its {name} is {meta.get(name)!r:.80}, that of its index is {fact!r}"
    marks = meta.get("layout", {"separator": 0, "query_mark": 1})
    if not isinstance(meta.get("tokenizer"), str) or not isinstance(marks, dict):
        return "its tokenizer or its layout is missing"
    numbers = [marks.get("separator"), marks.get("query_mark")]
    whole = all(type(mark) is int and 0 <= mark < shards.vocab_size for mark in numbers)
    if len(marks) != 2 or not whole or numbers[0] == numbers[1]:
        return "its layout does not name two tokens that mark fields"
    return None


def _fault_in_titles(loaded: TextIndex, shards: ShardedFMIndex, *, read: bool) -> str | None:
    """Whether titles end inside their documents and, if the documents are read, at the first separator."""
    lengths = loaded.title_lengths
    room = np.concatenate([shard.document_lengths for shard in shards.shards])
    if len(lengths) and (int(lengths.min()) < 0 or bool((lengths > room).any())):
        return "a title is longer than its passage"
    layout = loaded.layout
    if layout is None or not read:
        return None
    for begin in range(0, len(lengths), BATCH):
        documents = np.arange(begin, min(begin + BATCH, len(lengths)))
        offsets, tokens = shards.extract_many(documents)
        places = np.flatnonzero(tokens == layout.separator)
        first = np.searchsorted(places, offsets[:-1])
        if bool((first >= len(places)).any()) or not np.array_equal(
            places[first] - offsets[:-1], lengths[documents]
        ):
            return "a title does not end at its separator"
    return None
