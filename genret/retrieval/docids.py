"""One object that holds a model, its docids and its passages: load, search, save.

Knows how the parts fit together; the work is done by `models`, `decoding`, `docid` and `corpus`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch

from docid import DocidTable, DocidTrie
from genret.artefact import check_folder, publish_folder
from genret.constraint import TrieConstraint
from genret.corpus import PassageStore, Query, Run
from genret.decoding import Hypothesis, Score, beam_search, traced_beam_search
from genret.decoding.planning import Planner
from genret.decoding.trace import Trace
from genret.device import pick_device
from genret.errors import ArtefactError, InputError
from genret.models import Backbone, load_backbone
from genret.models.backbone import Encoded
from genret.retrieval.base import Searching, check_search
from genret.tokenizer.fingerprint import tokenizer_fingerprint

__all__ = ["GenerativeRetriever", "Hit", "SearchSettings", "search_run"]

KIND = "retriever"
VERSION = 1
TABLE_FILE = "docids.table"
TRIE_FILE = "docids.trie"
PASSAGES_FILE = "passages.store"


class Hit(NamedTuple):
    """One retrieved passage. `score` is the score of the docid that stands for it (see `SearchSettings`)."""

    rank: int
    passage_id: str
    docid: str
    score: float
    text: str | None = None


@dataclass(frozen=True)
class SearchSettings:
    """How a model is searched; stored with it, and with every run that it writes.

    Attributes:
        num_beams: beams per query; a search for more passages than this raises it.
        score: "full" (sum of log-softmax over the whole vocabulary), "renormalised" (over the legal
            successors only) or "raw" (sum of logits).
        length_penalty: scores are divided by length to this power; 0 leaves them as they are.
        batch_size: queries searched at a time.
        plan_ahead: let the sums of each docid's token scores, as the first step sees them, decide which beams stay
            alive (see `Planner`).
    """

    num_beams: int = 10
    score: Score = "full"
    length_penalty: float = 0.0
    batch_size: int = 32
    plan_ahead: bool = False


class GenerativeRetriever(Searching[Hit]):
    """A trained model together with the docids that it may emit and the passages that they stand for.

    `table` is bound to the model's vocabulary: its tokens are ids of `backbone.tokenizer`.
    """

    def __init__(
        self,
        backbone: Backbone,
        table: DocidTable,
        passages: PassageStore,
        *,
        trie: DocidTrie | None = None,
        settings: SearchSettings | None = None,
    ) -> None:
        if table.num_documents != len(passages):
            raise InputError(
                f"The docids name {table.num_documents} passages, the passage store holds {len(passages)}; "
                "build the docids from this corpus."
            )
        self.backbone = backbone
        self.table = table
        self.passages = passages
        self.trie = table.trie(backbone.eos_token_id) if trie is None else trie
        self.settings = settings or SearchSettings()
        self.constraint = TrieConstraint(self.trie, backbone.device)

    def iter_search(
        self, queries: Sequence[str], k: int = 10, *, num_beams: int | None = None, with_text: bool = False
    ) -> Iterator[list[Hit]]:
        """As `batch_search`, yielding each query's hits in order as its batch is done.

        Passages that share a docid come one after the other, in corpus order.
        """
        check_search(queries, k, num_beams)
        beams = max(self.settings.num_beams if num_beams is None else num_beams, k)
        size = self.settings.batch_size
        for begin in range(0, len(queries), size):
            for hypotheses in self.decode(queries[begin : begin + size], beams):
                yield self._hits(hypotheses, k, with_text)

    def decode(self, queries: Sequence[str], num_beams: int) -> list[list[Hypothesis]]:
        """The decoded docids of each query, best first."""
        with torch.inference_mode():
            encoded = self.backbone.encode(list(queries))
            return beam_search(
                self.backbone, encoded, self.constraint, num_beams=num_beams, **self._options(encoded)
            )

    def trace(self, query: str, num_beams: int | None = None) -> Trace:
        """How the search for one query went, step by step."""
        encoded = self.backbone.encode([query])
        beams = self.settings.num_beams if num_beams is None else num_beams
        found = traced_beam_search(self.backbone, encoded, self.constraint, beams, **self._options(encoded))
        return found[1][0]

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        """Of the search of one batch."""
        return {
            "score": self.settings.score,
            "length_penalty": self.settings.length_penalty,
            "look_ahead": self._planner.plan(self.backbone, encoded) if self.settings.plan_ahead else None,
        }

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

    def with_settings(self, **changes: Any) -> GenerativeRetriever:
        """The same retriever with some search settings changed."""
        settings = replace(self.settings, **changes)
        return GenerativeRetriever(
            self.backbone, self.table, self.passages, trie=self.trie, settings=settings
        )

    def save_pretrained(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a self-contained model folder: Hugging Face's files, docids, trie, passages, manifest.

        Raises:
            InputError: `folder` exists and `overwrite` is false.
        """
        meta = {
            "settings": asdict(self.settings),
            "tokenizer": tokenizer_fingerprint(self.backbone.tokenizer),
            "passages": len(self.passages),
        }
        with publish_folder(folder, kind=KIND, version=VERSION, meta=meta, overwrite=overwrite) as scratch:
            self.backbone.save_pretrained(scratch)
            self.table.save(scratch / TABLE_FILE)
            self.trie.save(scratch / TRIE_FILE)
            self.passages.save(scratch / PASSAGES_FILE)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], *, device: str | None = None, verify: bool = True
    ) -> GenerativeRetriever:
        """Load what `save_pretrained` wrote; every file is checked against the manifest first.

        `verify=False` checks names and sizes only, which takes no time on large folders.

        Raises:
            InputError: no such folder. ArtefactError: something in it is missing, damaged, newer than this
                library, or its tokenizer is not the one that the docids were made with.
        """
        meta = check_folder(folder, kind=KIND, version=VERSION, verify=verify)
        place = Path(folder)
        backbone = load_backbone(place, device=pick_device(device))
        _check_tokenizer(place, meta["tokenizer"], tokenizer_fingerprint(backbone.tokenizer))
        return cls(
            backbone,
            DocidTable.load(place / TABLE_FILE),
            PassageStore.load(place / PASSAGES_FILE),
            trie=DocidTrie.load(place / TRIE_FILE),
            settings=SearchSettings(**meta["settings"]),
        )


def search_run(retriever: GenerativeRetriever, queries: Sequence[Query], k: int = 10) -> Run:
    """The run of a retriever: the `k` best passages of each query, by query id."""
    found = retriever.batch_search([query.text for query in queries], k)
    return {
        query.query_id: [(hit.passage_id, hit.score) for hit in hits]
        for query, hits in zip(queries, found, strict=True)
    }


def _check_tokenizer(place: Path, expected: str, found: str) -> None:
    if found != expected:
        raise ArtefactError(
            f"{place}: its docids were made with the tokenizer {expected}, the tokenizer in this folder is {found}; "
            "put the original tokenizer back, or build the docids and train again."
        )
