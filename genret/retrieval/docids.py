"""A retriever whose model emits docids: the model, its docids (codes, and words beside them), their trie, the passages.

Knows how the parts fit together; the work is done by `models`, `decoding`, `docid`, `words` and `corpus`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from docid import DocidTable, DocidTrie
from docid.ragged import IntArray
from docid.simultaneous import level_codes
from docid.words import words_alone
from genret.artefact import CheckedFolder
from genret.constraint.protocol import Constraint
from genret.constraint.trie_constraint import TrieConstraint
from genret.corpus.store import PassageStore
from genret.decoding.beam import beam_search
from genret.decoding.planning import AskedQueries, Planner
from genret.decoding.steps.hypothesis import Hypothesis
from genret.decoding.trace import Trace, traced_beam_search
from genret.errors import ArtefactError, InputError, UsageError
from genret.models.backbone import Backbone
from genret.models.exactness.company import by_width
from genret.retrieval import DOCIDS
from genret.retrieval.changes import Change
from genret.retrieval.docid_hits import Hit, Standing, place_of
from genret.retrieval.docid_parts import check_tokenizer, check_tokens, fitted_in, known, parts_meta, words_in
from genret.retrieval.matches import Match, Piece
from genret.retrieval.retriever import FILTERS, Limits, Retriever
from genret.retrieval.search_options import SearchOptions
from genret.retrieval.word_parts import WordParts, marked_words, word_parts
from genret.retrieval.words_alone import check_words_alone, refuse_beams
from genret.words import Words

if TYPE_CHECKING:
    from genret.docids.fitted import FittedStrategy

__all__ = ["GenerativeRetriever", "Hit", "Standing"]

FloatArray = npt.NDArray[Any]

TABLE_FILE = "docids.table"
TRIE_FILE = "docids.trie"
PASSAGES_FILE = "passages.store"


class GenerativeRetriever(Retriever[Hit, SearchOptions]):
    """A trained model together with the docids that it may emit and the passages that they stand for.

    `table` is bound to the model's vocabulary: its tokens are ids of `backbone.tokenizer`. `words` are of the same
    documents; without them docids are codes alone. `fitted` gave the docids, and gives later passages theirs; None where
    nobody knows what gave them. Docids of words alone are searched in mode `plan` only.

    Attributes:
        words_alone: whether docids are words alone: what the model says of codes is of all documents the same.

    Raises:
        InputError: the table, the words and the passage store do not hold the same number of documents.
        UsageError: docids are words alone, and the mode is of beams.
    """

    kind: ClassVar[str] = DOCIDS
    # 2: docids may have words. 3: what gave the docids; files of earlier generations.
    version: ClassVar[int] = 3
    options_type: ClassVar[type[SearchOptions]] = SearchOptions

    def __init__(
        self,
        backbone: Backbone,
        table: DocidTable,
        passages: PassageStore,
        *,
        trie: DocidTrie | None = None,
        words: Words | None = None,
        fitted: FittedStrategy | None = None,
        options: SearchOptions | None = None,
    ) -> None:
        named = {"docids": table.num_documents}
        if words is not None:
            named["words"] = words.sets.num_documents
        for what, number in named.items():
            if number != len(passages):
                raise InputError(
                    f"The {what} name {number} passages, the passage store holds {len(passages)}; "
                    f"build the {what} from this corpus."
                )
        self.backbone = backbone
        self.table = table
        self._passages = passages
        self.words = words
        self.fitted = fitted
        self.trie = table.trie(backbone.eos_token_id) if trie is None else trie
        self.words_alone = words_alone(table)
        default = SearchOptions(mode="plan") if self.words_alone else SearchOptions()
        self.options = (options or default).scored("full")
        if self.words_alone:
            check_words_alone(words, self.options)
        self.constraint = TrieConstraint(self.trie, backbone.device)

    @property
    def passages(self) -> PassageStore:
        return self._passages

    def _answer(
        self, queries: Sequence[str], k: int, num_beams: int, limits: Limits, with_text: bool
    ) -> Iterator[list[Hit]]:
        """Equal scores come in corpus order. One pass over all documents gives a query the same bits in any company."""
        answer = partial(self._together, k=k, num_beams=num_beams, limits=limits, with_text=with_text)
        lengths = self.backbone.source_lengths(queries) if self.options.mode == "plan" else None
        return answer(queries) if lengths is None else by_width(answer, queries, lengths)

    def _together(
        self, queries: Sequence[str], k: int, num_beams: int, limits: Limits, with_text: bool
    ) -> Iterator[list[Hit]]:
        allowed = self.constraint if limits.constraint is None else limits.constraint
        with torch.inference_mode():
            asked = self._ask(queries)
            found = self._found(asked, k, num_beams, allowed)
        for number, (documents, scores) in enumerate(found):
            words = word_parts(self.words, asked.words, number, documents)
            names = {} if self.words is None else self.words.reader.names(queries[number])
            yield self._hits(documents, scores, words, names, k, with_text)

    def _limits(self, constraint: Constraint | None, where: str | None) -> Limits:
        if where is None:
            return Limits(constraint)
        if constraint is None:
            return Limits(self._within(where))
        if not isinstance(constraint, TrieConstraint):
            raise UsageError(
                f"`where` filters the docids of a trie, this constraint is a {type(constraint).__name__}; leave out one."
            )
        rows, legal = self._rows(where), self._legal(constraint)
        return Limits(constraint.within(np.flatnonzero(rows if legal is None else rows & legal)))

    @cached_property
    def _within(self) -> Callable[[str], TrieConstraint]:
        """The trie within what conditions let through; the latest are remembered, and their ways through it."""
        return lru_cache(FILTERS)(lambda where: self.constraint.within(np.flatnonzero(self._rows(where))))

    def _found(
        self, asked: AskedQueries, k: int, num_beams: int, allowed: Constraint
    ) -> list[tuple[IntArray, FloatArray]]:
        """For each query documents, distinct, and what their docids score: codes alone."""
        mode = self.options.mode
        if mode == "plan":
            return self._planned(asked, k, allowed)
        beams = [_documents(one) for one in self._beams(asked, max(num_beams, k), allowed)]
        if mode == "beam":
            return beams
        planned = [documents for documents, _ in self._planned(asked, k, allowed)]
        # The same scores for what the beams lost: a search that sees these documents alone, and loses none.
        filters = [np.setdiff1d(plan, beam[0]) for plan, beam in zip(planned, beams, strict=True)]
        more = self._beams(asked, max(map(len, filters), default=0) or 1, allowed, filters)
        joined = zip(beams, map(_documents, more), strict=True)
        return [(np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])) for a, b in joined]

    def _planned(self, asked: AskedQueries, k: int, allowed: Constraint) -> list[tuple[IntArray, FloatArray]]:
        found = self._planner_of(allowed).best(asked.logits, k, asked.words, self._legal(allowed))
        parts = [
            word_parts(self.words, asked.words, number, one.documents) for number, one in enumerate(found)
        ]
        return [(one.documents, one.scores - part.scores) for one, part in zip(found, parts, strict=True)]

    def decode(
        self, queries: Sequence[str], num_beams: int, constraint: Constraint | None = None
    ) -> list[list[Hypothesis]]:
        """The decoded docids of each query, best first by the beam's own score: words plan them, but are no part of it."""
        if self.words_alone:
            refuse_beams("there are no beams to decode")
        allowed = self.constraint if constraint is None else constraint
        with torch.inference_mode():
            return self._beams(self._ask(queries), num_beams, allowed)

    def _beams(
        self,
        asked: AskedQueries,
        num_beams: int,
        allowed: Constraint,
        filters: Sequence[IntArray] | None = None,
    ) -> list[list[Hypothesis]]:
        how = self._how(asked, allowed)
        return beam_search(self.backbone, asked.encoded, allowed, num_beams=num_beams, filters=filters, **how)

    def trace(
        self,
        query: str,
        num_beams: int | None = None,
        *,
        constraint: Constraint | None = None,
        where: str | None = None,
    ) -> Trace:
        if self.words_alone:
            refuse_beams("there is no search to follow")
        asked = self._ask([query])
        limited = self._limits(constraint, where).constraint
        allowed = self.constraint if limited is None else limited
        beams = self.options.num_beams if num_beams is None else num_beams
        how = self._how(asked, allowed)
        return traced_beam_search(self.backbone, asked.encoded, allowed, beams, **how)[1][0]

    def standing(self, query: str, passage_id: str) -> Standing:
        """Where a passage stands among all, by codes, by words and by both: at which of them it was lost.

        Raises:
            InputError: no passage has this id.
        """
        row = self.passages.row(passage_id)
        with torch.inference_mode():
            asked = self._ask([query])
        codes = self._planner.documents(asked.logits)[0]
        words = np.zeros_like(codes)
        if asked.words is not None:
            # By themselves, not as a difference: what is rounded off would tell equal words apart.
            words = self._planner.words(asked.words)[0]
        return Standing(*place_of(codes + words, row), *place_of(codes, row), *place_of(words, row))

    def matches(self, hit: Hit) -> list[Match]:
        if self.words is None:
            raise UsageError("these docids have no words that could be marked in a passage.")
        found = []
        for word in hit.words:
            held = int(self.words.sets.statistics.frequencies[self.words.reader.number(word.text)])
            found.append(Match(word.text, "words", held, word.score, 0, 0))
        return found

    def pieces(self, hit: Hit) -> list[Piece]:
        """Title and text, cut at the words that the docid shares with the query."""
        matches = {match.text: match for match in self.matches(hit)}
        text = self.passages[self.passages.row(hit.passage_id)].full_text
        assert self.words is not None
        return marked_words(text, self.words.reader, matches)

    def _ask(self, queries: Sequence[str]) -> AskedQueries:
        """Words are worth the more, the less a query's codes tell all documents apart."""
        asked = AskedQueries(self.backbone, self.backbone.encode(list(queries)))
        if self.words is None:
            return asked
        words, legal = self.words.weighted(queries), self._legal(self.constraint)
        if not self.words_alone:
            words = words.times(self._planner.emphasis(asked.logits, words, legal))
        asked.words = words
        return asked

    def _how(self, asked: AskedQueries, constraint: Constraint) -> dict[str, Any]:
        """Of the search of one batch."""
        options, plan = self.options, None
        if options.plan_ahead:
            legal = self._legal(constraint)
            plan = self._planner_of(constraint).plan(asked.logits, asked.words, legal)
        return {"score": options.score, "length_penalty": options.length_penalty, "look_ahead": plan}

    def _planner_of(self, constraint: Constraint) -> Planner:
        if not isinstance(constraint, TrieConstraint):
            way = "search with `with_options(mode='beam', plan_ahead=False)`"
            if self.words_alone:
                way = "give rows, by `constraint.within`"
            raise UsageError(
                f"plans are made over a trie of docids, this constraint is a {type(constraint).__name__}; {way}."
            )
        sets = None if self.words is None else self.words.sets
        if constraint.trie is not self.trie:
            return Planner(constraint, self.table.num_documents, words=sets)
        return self._planner

    def _legal(self, constraint: Constraint) -> npt.NDArray[np.bool_] | None:
        """Which documents it leads to, None: all."""
        found = isinstance(constraint, TrieConstraint) and constraint.legal_documents(
            self.table.num_documents
        )
        return found if isinstance(found, np.ndarray) else None

    @cached_property
    def _planner(self) -> Planner:
        sets = None if self.words is None else self.words.sets
        return Planner(self.constraint, self.table.num_documents, level_codes(self.table), sets)

    def sequence(self, passage_id: str) -> list[int]:
        """The docid tokens of a passage, the end token included.

        Raises:
            InputError: no passage has this id.
        """
        return [*self.table.sequence(self.passages.row(passage_id)).tolist(), self.backbone.eos_token_id]

    def _hits(
        self,
        documents: IntArray,
        codes: FloatArray,
        words: WordParts,
        names: Mapping[int, str],
        k: int,
        with_text: bool,
    ) -> list[Hit]:
        """Of the documents, whose codes score `codes`, the `k` best by both parts; `names` are of the query's words."""
        scores = codes + words.scores
        hits = []
        for rank, place in enumerate(np.lexsort((documents, -scores))[:k], start=1):
            document = int(documents[place])
            passage = self.passages[document]
            text, docid = passage.text if with_text else None, self.table.docid(document)
            parts = float(codes[place]), float(words.scores[place]), words.of(int(place), names)
            hits.append(
                Hit(rank, passage.passage_id, docid, float(scores[place]), text, *parts, passage.metadata)
            )
        return hits

    def with_options(self, **changes: Any) -> Self:
        made = type(self)(
            self.backbone,
            self.table,
            self.passages,
            trie=self.trie,
            words=self.words,
            fitted=self.fitted,
            options=replace(self.options, **changes),
        )
        made.source = self.source
        return made

    def _meta(self) -> dict[str, Any]:
        return parts_meta(self.backbone, self.words, self.fitted)

    def _changed(self, change: Change, passages: PassageStore) -> Self:
        table = self.table.only(change.kept)
        words = None if self.words is None else self.words.only(change.kept)
        if len(change.fresh):
            table = known(self.fitted).later(table, change.fresh, self.backbone)
            words = None if words is None else words.extended(change.fresh)
        return type(self)(
            self.backbone, table, passages, words=words, fitted=self.fitted, options=self.options
        )

    def _write_changed(self, scratch: Path, source: CheckedFolder) -> dict[str, Any]:
        self._save_documents(scratch)
        return self._meta()

    def _save_documents(self, scratch: Path) -> None:
        """Write what documents that come and go change."""
        self.table.save(scratch / TABLE_FILE)
        self.trie.save(scratch / TRIE_FILE)
        self.passages.save(scratch / PASSAGES_FILE)
        if self.words is not None:
            self.words.save(scratch)

    def _save(self, scratch: Path) -> None:
        self._save_documents(scratch)
        if self.fitted is not None:
            self.fitted.save(scratch)

    @classmethod
    def _load(
        cls,
        place: Path,
        meta: dict[str, Any],
        options: SearchOptions,
        load: Callable[[], Backbone],
        verify: bool,
    ) -> Self:
        table, passages = DocidTable.load(place / TABLE_FILE), PassageStore.load(place / PASSAGES_FILE)
        trie = DocidTrie.load(place / TRIE_FILE)
        if fault := table.fault_in_trie(trie):
            raise ArtefactError(f"{place / TRIE_FILE}: belongs to other docids: {fault}.")
        if table.num_documents != len(passages):
            raise ArtefactError(f"{place}: altered: its docids and its passages differ in number.")
        backbone = load()
        check_tokenizer(place, meta, backbone)
        check_tokens(place / TABLE_FILE, table, backbone)
        words = words_in(place, meta, table, backbone)
        if words_alone(table) and options.mode != "plan":
            raise ArtefactError(
                f"{place}: altered: its docids are words alone, and it is searched in mode {options.mode!r}."
            )
        fitted = fitted_in(place, meta, table)
        return cls(backbone, table, passages, trie=trie, words=words, fitted=fitted, options=options)


def _documents(hypotheses: Sequence[Hypothesis]) -> tuple[IntArray, FloatArray]:
    """The documents of hypotheses, and their scores."""
    documents = np.array([document for one in hypotheses for document in one.documents], np.int64)
    scores = np.array([one.score for one in hypotheses for _ in one.documents], np.float64)
    return documents, scores
