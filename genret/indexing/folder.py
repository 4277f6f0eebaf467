"""The folder of an index built from text: the index, its passages, where their texts begin, the tokenizer.

Knows files and what belongs together; builds nothing and decodes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_index import FMIndex, ShardedFMIndex
from fm_index.container import read_container
from genret.artefact import check_folder
from genret.corpus import PassageStore
from genret.errors import ArtefactError, InputError
from genret.indexing.layout import Layout

__all__ = ["INDEX", "KIND", "PASSAGES", "TITLES", "TITLES_KIND", "TOKENIZER", "VERSION", "TextIndex"]

KIND = "text index"
VERSION = 1
INDEX, PASSAGES, TITLES, TOKENIZER = "index", "passages.bin", "titles.bin", "tokenizer"
TITLES_KIND = "title lengths"


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
    def load(cls, folder: str | os.PathLike[str], *, verify: bool = False) -> TextIndex:
        """Open a folder that `build_text_index` wrote; `verify` also checks every byte of it.

        Raises:
            InputError: there is no such folder.
            ArtefactError: it is damaged, incomplete, or of another kind.
        """
        place = Path(folder)
        meta = check_folder(place, kind=KIND, version=VERSION, verify=verify)
        shards = ShardedFMIndex.load(place / INDEX)
        passages = PassageStore.load(place / PASSAGES, verify="header")
        titles = read_container(place / TITLES, kind=TITLES_KIND, version=1)
        lengths: npt.NDArray[np.int32] = titles.arrays["title_lengths"]
        if not shards.num_documents == len(passages) == len(lengths):
            raise ArtefactError(f"{place}: altered: index, passages and titles differ in number.")
        index = shards.shards[0] if len(shards.shards) == 1 and not shards.removed.any() else shards
        return cls(index, passages, lengths, meta, place)

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
