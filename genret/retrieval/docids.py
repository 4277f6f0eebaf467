"""A retriever whose model emits docids: the model, its docids, their trie and the passages.

Knows how the parts fit together; the work is done by `models`, `decoding`, `docid` and `corpus`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch

from docid import DocidTable, DocidTrie
from genret.constraint.protocol import Constraint
from genret.constraint.trie_constraint import TrieConstraint
from genret.corpus.store import PassageStore
from genret.decoding.beam import beam_search
from genret.decoding.planning import Planner
from genret.decoding.steps.hypothesis import Hypothesis
from genret.decoding.trace import Trace, traced_beam_search
from genret.errors import ArtefactError, InputError, UsageError
from genret.models.backbone import Backbone, Encoded
from genret.retrieval import DOCIDS
from genret.retrieval.retriever import Retriever
from genret.retrieval.search_options import SearchOptions
from genret.tokenizer.fingerprint import tokenizer_fingerprint

__all__ = ["GenerativeRetriever", "Hit"]

TABLE_FILE = "docids.table"
TRIE_FILE = "docids.trie"
PASSAGES_FILE = "passages.store"


class Hit(NamedTuple):
    """One retrieved passage. `score` is the score of the docid that stands for it (see `SearchOptions`)."""

    rank: int
    passage_id: str
    docid: str
    score: float
    text: str | None = None


class GenerativeRetriever(Retriever[Hit, SearchOptions]):
    """A trained model together with the docids that it may emit and the passages that they stand for.

    `table` is bound to the model's vocabulary: its tokens are ids of `backbone.tokenizer`.

    Raises:
        InputError: the table and the passage store do not hold the same number of documents.
    """

    kind: ClassVar[str] = DOCIDS
    version: ClassVar[int] = 1
    options_type: ClassVar[type[SearchOptions]] = SearchOptions

    def __init__(
        self,
        backbone: Backbone,
        table: DocidTable,
        passages: PassageStore,
        *,
        trie: DocidTrie | None = None,
        options: SearchOptions | None = None,
    ) -> None:
        if table.num_documents != len(passages):
            raise InputError(
                f"The docids name {table.num_documents} passages, the passage store holds {len(passages)}; "
                "build the docids from this corpus."
            )
        self.backbone = backbone
        self.table = table
        self._passages = passages
        self.trie = table.trie(backbone.eos_token_id) if trie is None else trie
        self.options = (options or SearchOptions()).scored("full")
        self.constraint = TrieConstraint(self.trie, backbone.device)

    @property
    def passages(self) -> PassageStore:
        return self._passages

    def _answer(
        self, queries: Sequence[str], k: int, num_beams: int, constraint: Constraint | None, with_text: bool
    ) -> Iterator[list[Hit]]:
        """Passages that share a docid come one after the other, in corpus order."""
        for hypotheses in self.decode(queries, max(num_beams, k), constraint):
            yield self._hits(hypotheses, k, with_text)

    def decode(
        self, queries: Sequence[str], num_beams: int, constraint: Constraint | None = None
    ) -> list[list[Hypothesis]]:
        """The decoded docids of each query, best first."""
        allowed = self.constraint if constraint is None else constraint
        with torch.inference_mode():
            encoded = self.backbone.encode(list(queries))
            return beam_search(
                self.backbone, encoded, allowed, num_beams=num_beams, **self._how(encoded, allowed)
            )

    def trace(
        self, query: str, num_beams: int | None = None, *, constraint: Constraint | None = None
    ) -> Trace:
        encoded = self.backbone.encode([query])
        allowed = self.constraint if constraint is None else constraint
        beams = self.options.num_beams if num_beams is None else num_beams
        found = traced_beam_search(self.backbone, encoded, allowed, beams, **self._how(encoded, allowed))
        return found[1][0]

    def _how(self, encoded: Encoded, constraint: Constraint) -> dict[str, Any]:
        """Of the search of one batch."""
        options = self.options
        plan = self._planner_of(constraint).plan(self.backbone, encoded) if options.plan_ahead else None
        return {"score": options.score, "length_penalty": options.length_penalty, "look_ahead": plan}

    def _planner_of(self, constraint: Constraint) -> Planner:
        if isinstance(constraint, TrieConstraint):
            return self._planner if constraint.trie is self.trie else Planner(constraint)
        raise UsageError(
            f"plan_ahead: plans are made over a trie of docids, this constraint is a {type(constraint).__name__}; "
            "search with `with_options(plan_ahead=False)`."
        )

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.constraint)

    def sequence(self, passage_id: str) -> list[int]:
        """The docid tokens of a passage, the end token included.

        Raises:
            InputError: no passage has this id.
        """
        return [*self.table.sequence(self.passages.row(passage_id)).tolist(), self.backbone.eos_token_id]

    def _hits(self, hypotheses: Sequence[Hypothesis], k: int, with_text: bool) -> list[Hit]:
        found = ((document, one.score) for one in hypotheses for document in one.documents)
        hits = []
        for rank, (document, score) in enumerate(found, start=1):
            if rank > k:
                break
            passage = self.passages[document]
            text = passage.text if with_text else None
            hits.append(Hit(rank, passage.passage_id, self.table.docid(document), score, text))
        return hits

    def with_options(self, **changes: Any) -> Self:
        options = replace(self.options, **changes)
        return type(self)(self.backbone, self.table, self.passages, trie=self.trie, options=options)

    def _meta(self) -> dict[str, Any]:
        return {"tokenizer": tokenizer_fingerprint(self.backbone.tokenizer)}

    def _save(self, scratch: Path) -> None:
        self.table.save(scratch / TABLE_FILE)
        self.trie.save(scratch / TRIE_FILE)
        self.passages.save(scratch / PASSAGES_FILE)

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
        _check_tokenizer(place, str(meta.get("tokenizer")), tokenizer_fingerprint(backbone.tokenizer))
        _check_tokens(place / TABLE_FILE, table, backbone)
        return cls(backbone, table, passages, trie=trie, options=options)


def _check_tokenizer(place: Path, expected: str, found: str) -> None:
    if found != expected:
        raise ArtefactError(
            f"{place}: its docids were made with the tokenizer {expected}, the tokenizer in this folder is {found}; "
            "put the original tokenizer back, or build the docids and train again."
        )


def _check_tokens(path: Path, table: DocidTable, backbone: Backbone) -> None:
    """Refuse docids of tokens that the model has not, or that have other names in its vocabulary."""
    values = table.arrays.sequence_values
    if not table.is_bound or (len(values) and int(values.max()) >= backbone.vocab_size):
        raise ArtefactError(f"{path}: altered: a docid has a token that the model has not.")
    ids = backbone.tokenizer.convert_tokens_to_ids(table.new_tokens)
    if list(ids) != table.arrays.new_token_ids.tolist():
        raise ArtefactError(f"{path}: altered: its new tokens have other ids in the model's vocabulary.")
