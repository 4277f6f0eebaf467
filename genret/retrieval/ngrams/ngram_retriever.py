"""A retriever whose model emits n-grams of the passages, an index of these, and how passages are scored by them.

Knows how the parts fit together; the work is done by `models`, `decoding`, `indexing` and `fm_index`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray
from fm_index.keys import Floats
from fm_index.scoring import Matches, ScoredPassages, score_passages
from genret.artefact import CheckedFolder, folder_build
from genret.constraint.protocol import Constraint
from genret.corpus.store import PassageStore
from genret.corpus.types import MetadataValue
from genret.decoding.trace import Trace
from genret.errors import ArtefactError
from genret.indexing.index_changes import changed_index, merged_index, write_changed_index
from genret.indexing.text_index import TextIndex
from genret.models.backbone import Backbone
from genret.retrieval import NGRAMS
from genret.retrieval.changes import Change
from genret.retrieval.matches import Match, Piece, pieces
from genret.retrieval.ngrams.evidence import Found, evidence_sums, rank_by_evidence
from genret.retrieval.ngrams.key_maker import KeyMaker, QueryKeys
from genret.retrieval.ngrams.lexicon import Lexicon
from genret.retrieval.ngrams.query_evidence import Evidence, evidence_of, word_matches
from genret.retrieval.ngrams.views import NgramOptions
from genret.retrieval.retriever import Limits, Retriever
from genret.tokenizer.fingerprint import tokenizer_fingerprint

__all__ = ["NgramHit", "NgramRetriever"]

INDEX_FOLDER, WORDS_FOLDER = "text_index", "words"


class NgramHit(NamedTuple):
    """One retrieved passage.

    Attributes:
        matches: the n-grams that found it, in the order in which they were counted; none where only a condition brought it.
        metadata: the passage's fields.
    """

    rank: int
    passage_id: str
    score: float
    matches: tuple[Match, ...]
    text: str | None = None
    metadata: Mapping[str, MetadataValue] = {}


class NgramRetriever(Retriever[NgramHit, NgramOptions]):
    """A model that generates n-grams of the passages, the index of these, and how passages are scored.

    With `options.words`, the words of questions and of what the model writes find passages as well, by a `lexicon`; None:
    it is made of the passages.

    A constraint in place of its own decides what n-grams all decoded views may write; passages are found by them
    among all passages. With `where`, among those that it lets through alone: n-grams are of the whole corpus.

    Raises:
        InputError: the index was built with another tokenizer than the model's, or a view needs marked fields that
            it does not have.
    """

    kind: ClassVar[str] = NGRAMS
    # 2: the build of its index. 3: files of earlier generations. 4: words, and weights of evidence.
    version: ClassVar[int] = 4
    options_type: ClassVar[type[NgramOptions]] = NgramOptions

    def __init__(
        self,
        backbone: Backbone,
        text_index: TextIndex,
        options: NgramOptions | None = None,
        lexicon: Lexicon | None = None,
    ) -> None:
        text_index.check_tokenizer(tokenizer_fingerprint(backbone.tokenizer))
        self.backbone, self.text_index = backbone, text_index
        self.options = options or NgramOptions()
        self.maker = KeyMaker(backbone, text_index, self.options)
        if lexicon is None and self.options.words is not None:
            lexicon = Lexicon.of(self.passages, backbone.tokenizer, self.options.words)
        self.lexicon = lexicon

    @property
    def passages(self) -> PassageStore:
        return self.text_index.passages

    def _answer(
        self, queries: Sequence[str], k: int, num_beams: int, limits: Limits, with_text: bool
    ) -> Iterator[list[NgramHit]]:
        made = self.maker.keys(queries, num_beams, limits.constraint)
        evidence = self.evidence(made)
        for number, found in enumerate(self._ranked(evidence, k, limits.rows)):
            yield self._hits(evidence, number, found, with_text)

    def trace(
        self,
        query: str,
        num_beams: int | None = None,
        *,
        constraint: Constraint | None = None,
        where: str | None = None,
        view: str | None = None,
    ) -> Trace:
        """How a decoded view's n-grams were written, step by step; the first such view where none is named.

        `where` has no part in it: it decides about passages.

        Raises:
            UsageError: no decoded view has this name.
        """
        return self.maker.trace(query, view, num_beams, constraint)

    def score(
        self, keys: Sequence[QueryKeys], k: int, rows: npt.NDArray[np.bool_] | None = None
    ) -> list[ScoredPassages]:
        """The `k` best passages of each query's keys and words, with the n-grams that found them.

        Args:
            rows: bool [passages], the only ones that may be found; None: all.
        """
        return [found.scored for found in self._ranked(self.evidence(keys), k, rows)]

    def evidence(self, keys: Sequence[QueryKeys]) -> Evidence:
        """What a batch of queries has to find passages by: n-grams, and words where there are any."""
        return evidence_of(keys, self.options, self.lexicon, self.backbone.tokenizer)

    def sums(self, keys: Sequence[QueryKeys], k: int) -> list[tuple[IntArray, Floats]]:
        """The `k` best passages of each query's keys and words, and what each kind of `options.evidence` adds up to there.

        Rows int64 [m] and sums float64 [m, kinds] of each query.
        """
        evidence = self.evidence(keys)
        found = self._ranked(evidence, k, None)
        parts = evidence_sums(
            self.text_index.index, self.lexicon, evidence, found, self.options.evidence, self.options.scoring
        )
        return [(one.scored.passages, own) for one, own in zip(found, parts, strict=True)]

    def _ranked(self, evidence: Evidence, k: int, rows: npt.NDArray[np.bool_] | None) -> list[Found]:
        index, scoring = self.text_index.index, self.options.scoring
        if self.options.worth:
            return rank_by_evidence(index, self.lexicon, evidence, self.options.worth, scoring, k, rows)
        keys = [one.keys for one in evidence.keys]
        scored = score_passages(index, keys, scoring, num_return=k, matches=True, documents=rows)
        return [Found(one, np.zeros(0, np.float32)) for one in scored]

    def _hits(self, evidence: Evidence, number: int, found: Found, with_text: bool) -> list[NgramHit]:
        scored = found.scored
        assert scored.matches is not None
        bounds = scored.matches.offsets.tolist()
        matches = self._matches(evidence.keys[number], scored, scored.matches)
        words: list[tuple[Match, ...]] = [()] * len(scored.passages)
        if self.lexicon is not None:
            words = word_matches(self.lexicon, evidence, number, self.options.worth, scored.passages)
        hits = []
        for place, (row, score) in enumerate(
            zip(scored.passages.tolist(), scored.scores.tolist(), strict=True)
        ):
            passage = self.passages[row]
            own = (*matches[bounds[place] : bounds[place + 1]], *words[place])
            text = passage.text if with_text else None
            hits.append(NgramHit(place + 1, passage.passage_id, score, own, text, passage.metadata))
        return hits

    def _matches(self, keys: QueryKeys, found: ScoredPassages, matches: Matches) -> list[Match]:
        """Every passage's n-grams, one after the other."""
        decode = self.backbone.tokenizer.decode
        texts = {key: decode(keys.keys.ngram(key)) for key in set(matches.keys.tolist())}
        occurrences = found.key_weights.occurrences
        columns = (matches.keys, matches.contributions, matches.starts, matches.ends)
        return [
            Match(texts[key], keys.views[key], int(occurrences[key]), score, start, end)
            for key, score, start, end in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def matches(self, hit: NgramHit) -> Sequence[Match]:
        return hit.matches

    def pieces(self, hit: NgramHit) -> list[Piece]:
        """The hit's passage as the index holds it (title, text, pseudo-queries), cut at its matches."""
        tokens = self.text_index.index.extract(self.passages.row(hit.passage_id))
        bounds = sorted({0, len(tokens), *(edge for one in hit.matches for edge in (one.start, one.end))})
        texts = [""] * len(tokens)
        for begin, end in pairwise(bounds):
            texts[begin] = self.backbone.tokenizer.decode(tokens[begin:end])
        return pieces(texts, hit.matches)

    def with_options(self, **changes: Any) -> Self:
        options = replace(self.options, **changes)
        return self._made(
            self.text_index, options, self.lexicon if options.words == self.options.words else None
        )

    def _made(self, index: TextIndex, options: NgramOptions, lexicon: Lexicon | None) -> Self:
        """Of the same folder."""
        made = type(self)(self.backbone, index, options, lexicon)
        made.source = self.source
        return made

    def compacted(self) -> Self:
        merged = merged_index(self.text_index)
        return self if merged is self.text_index else self._made(merged, self.options, self.lexicon)

    def _changed(self, change: Change, passages: PassageStore) -> Self:
        index = changed_index(self.text_index, change.kept, change.fresh, passages, self.backbone.tokenizer)
        lexicon = self.lexicon
        if lexicon is not None:
            lexicon = lexicon.only(change.kept).extended(change.fresh)
        return type(self)(self.backbone, index, self.options, lexicon)

    def _write_changed(self, scratch: Path, source: CheckedFolder) -> dict[str, Any]:
        write_changed_index(self.text_index, scratch / INDEX_FOLDER, source)
        self._save_words(scratch)
        return {"index": folder_build(scratch / INDEX_FOLDER)}

    def _meta(self) -> dict[str, Any]:
        return {"index": folder_build(self.text_index.folder)}

    def _save(self, scratch: Path) -> None:
        shutil.copytree(self.text_index.folder, scratch / INDEX_FOLDER)
        self._save_words(scratch)

    def _save_words(self, scratch: Path) -> None:
        if self.lexicon is not None:
            self.lexicon.save(scratch / WORDS_FOLDER)

    @classmethod
    def _load(
        cls,
        place: Path,
        meta: dict[str, Any],
        options: NgramOptions,
        load: Callable[[], Backbone],
        verify: bool,
    ) -> Self:
        # Folders of the first version do not say which index they were published with.
        if "index" in meta and meta["index"] != folder_build(place / INDEX_FOLDER):
            raise ArtefactError(f"{place / INDEX_FOLDER}: belongs to another model folder than this one.")
        index, backbone = TextIndex.load(place / INDEX_FOLDER, verify=verify), load()
        if options.words is None:
            return cls(backbone, index, options)
        lexicon = Lexicon.load(place / WORDS_FOLDER, backbone.tokenizer)
        if lexicon.num_documents != {len(index.passages)}:
            raise ArtefactError(f"{place}: altered: its words and its passages differ in number.")
        return cls(backbone, index, options, lexicon)
