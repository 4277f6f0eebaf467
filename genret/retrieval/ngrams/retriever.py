"""One object that holds a model, an index of n-grams and how passages are scored by them: load, search, save.

Knows how the parts fit together; behaves as `genret.retrieval.docids.GenerativeRetriever` does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from fm_index.files import foreign
from fm_index.scoring import Matches, ScoredPassages, score_passages
from genret.artefact import MANIFEST, check_folder, folder_build, publish_folder
from genret.corpus import PassageStore
from genret.device import pick_device
from genret.errors import ArtefactError
from genret.indexing import TextIndex
from genret.models import Backbone, load_backbone
from genret.retrieval.base import Searching, check_search
from genret.retrieval.ngrams.keys import KeyMaker, QueryKeys
from genret.retrieval.ngrams.matches import Match, Piece, pieces
from genret.retrieval.ngrams.views import NgramSettings, settings_of
from genret.tokenizer.fingerprint import tokenizer_fingerprint

__all__ = ["KIND", "NgramHit", "NgramRetriever"]

KIND = "n-gram retriever"
# 2: the build of its index.
VERSION = 2
INDEX_FOLDER = "text_index"


class NgramHit(NamedTuple):
    """One retrieved passage; `matches` are the n-grams that found it, in the order in which they were counted."""

    rank: int
    passage_id: str
    score: float
    matches: tuple[Match, ...]
    text: str | None = None


class NgramRetriever(Searching[NgramHit]):
    """A model that generates n-grams of the passages, the index of these, and how passages are scored.

    Raises:
        InputError: the index was built with another tokenizer than the model's, or a view needs marked fields that
            it does not have.
    """

    def __init__(
        self, backbone: Backbone, text_index: TextIndex, settings: NgramSettings | None = None
    ) -> None:
        text_index.check_tokenizer(tokenizer_fingerprint(backbone.tokenizer))
        self.backbone, self.text_index = backbone, text_index
        self.settings = settings or NgramSettings()
        self.maker = KeyMaker(backbone, text_index, self.settings)

    @property
    def passages(self) -> PassageStore:
        """The passages; their rows are the index's document numbers."""
        return self.text_index.passages

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        with_text: bool = False,
    ) -> Iterator[list[NgramHit]]:
        """As `batch_search`, yielding each query's hits in order as its batch is done."""
        check_search(queries, k, num_beams)
        chosen = self if num_beams is None else self.with_settings(num_beams=num_beams)
        size = self.settings.batch_size
        for begin in range(0, len(queries), size):
            made = chosen.maker.keys(queries[begin : begin + size])
            for keys, found in zip(made, self.score(made, k), strict=True):
                yield self._hits(keys, found, with_text)

    def score(self, keys: Sequence[QueryKeys], k: int) -> list[ScoredPassages]:
        """The `k` best passages of each query's keys, with what found them."""
        return score_passages(
            self.text_index.index,
            [one.keys for one in keys],
            self.settings.scoring,
            num_return=k,
            matches=True,
        )

    def _hits(self, keys: QueryKeys, found: ScoredPassages, with_text: bool) -> list[NgramHit]:
        assert found.matches is not None
        bounds = found.matches.offsets.tolist()
        matches = self._matches(keys, found, found.matches)
        hits = []
        for place, (row, score) in enumerate(
            zip(found.passages.tolist(), found.scores.tolist(), strict=True)
        ):
            passage = self.passages[row]
            own = tuple(matches[bounds[place] : bounds[place + 1]])
            text = passage.text if with_text else None
            hits.append(NgramHit(place + 1, passage.passage_id, score, own, text))
        return hits

    def _matches(self, keys: QueryKeys, found: ScoredPassages, matches: Matches) -> list[Match]:
        """Every passage's matches, one after the other."""
        decode = self.backbone.tokenizer.decode
        texts = {key: decode(keys.keys.ngram(key)) for key in set(matches.keys.tolist())}
        occurrences = found.key_weights.occurrences
        columns = (matches.keys, matches.contributions, matches.starts, matches.ends)
        return [
            Match(texts[key], keys.views[key], int(occurrences[key]), score, start, end)
            for key, score, start, end in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def pieces(self, hit: NgramHit) -> list[Piece]:
        """The hit's passage as the index holds it (title, text, pseudo-queries), cut at its matches."""
        tokens = self.text_index.index.extract(self.passages.row(hit.passage_id))
        bounds = sorted({0, len(tokens), *(edge for one in hit.matches for edge in (one.start, one.end))})
        texts = [""] * len(tokens)
        for begin, end in pairwise(bounds):
            texts[begin] = self.backbone.tokenizer.decode(tokens[begin:end])
        return pieces(texts, hit.matches)

    def with_settings(self, **changes: Any) -> NgramRetriever:
        """The same retriever with some settings changed."""
        return NgramRetriever(self.backbone, self.text_index, replace(self.settings, **changes))

    def save_pretrained(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a self-contained model folder: Hugging Face's files, the index's folder, manifest.

        Raises:
            InputError: `folder` exists and `overwrite` is false.
        """
        meta = {
            "settings": self.settings.values(),
            "passages": len(self.passages),
            "index": folder_build(self.text_index.folder),
        }
        with publish_folder(folder, kind=KIND, version=VERSION, meta=meta, overwrite=overwrite) as scratch:
            self.backbone.save_pretrained(scratch)
            shutil.copytree(self.text_index.folder, scratch / INDEX_FOLDER)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], *, device: str | None = None, verify: bool = True
    ) -> NgramRetriever:
        """Load what `save_pretrained` wrote; every file is checked against the manifest first.

        Raises:
            InputError: no such folder, or the tokenizer in it is not the one that the index was built with.
            ArtefactError: something in it is missing, damaged, or newer than this library.
        """
        meta = check_folder(folder, kind=KIND, version=VERSION, verify=verify)
        place = Path(folder)
        # Folders of the first version do not say which index they were published with.
        if "index" in meta and meta["index"] != folder_build(place / INDEX_FOLDER):
            raise ArtefactError(f"{place / INDEX_FOLDER}: belongs to another model folder than this one.")
        index = TextIndex.load(place / INDEX_FOLDER, verify=verify)
        with foreign(place / MANIFEST, "settings"):
            settings = settings_of(meta["settings"], f"{place}: settings")
        if meta.get("passages") != len(index.passages):
            raise ArtefactError(f"{place}: altered: it does not hold {meta.get('passages')!r:.80} passages.")
        return cls(load_backbone(place, device=pick_device(device)), index, settings)
