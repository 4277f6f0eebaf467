"""Candidates of each example for ranking losses: its own docid, wrong ones beside it, and the scores of all.

Knows where wrong docids come from: the model's own beams, or the passages that a run found for the example's query.
Knows nothing of what a loss makes of the scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from docid import DocidTable
from genret.constraint import TrieConstraint
from genret.corpus import Run, read_run
from genret.corpus.formats.datafile import show
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.training.examples.batch import Batch, Encode, repeated
from genret.training.examples.sources import Material

__all__ = ["BeamFinder", "Finder", "RankedCandidates", "RunHits", "Scored"]


class Finder(Protocol):
    """Docids for each example of a batch, best first, each with the end token; its own may be among them."""

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> list[list[list[int]]]: ...


class BeamFinder:
    """The `count` docids that a beam search finds, without dropout and without gradients."""

    def __init__(self, constraint: TrieConstraint, count: int) -> None:
        self.constraint, self.count = constraint, count

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> list[list[list[int]]]:
        training = backbone.training
        backbone.eval()
        with torch.no_grad():
            found = beam_search(backbone, encode(batch), self.constraint, self.count)
        backbone.train(training)
        return [[one.tokens for one in hypotheses] for hypotheses in found]


class RunHits:
    """The docids of passages that a run has for an example's query; an example whose text is no such query has none.

    Args:
        rows: text of a query to rows of passages, best first.
    """

    def __init__(self, rows: Mapping[str, Sequence[int]], table: DocidTable, eos: int) -> None:
        self.rows, self.table, self.eos = rows, table, eos

    @classmethod
    def read(cls, path: str, material: Material, table: DocidTable, eos: int, count: int) -> RunHits:
        """The first `count` wrong docids of each training query of a run file.

        A docid is wrong if no relevant passage of the query has it. Queries without judgements are passed over,
        since their right passages are not known; queries of one text are one query, the first one's passages first.

        Raises:
            InputError: the run has no training query, a query that the queries do not hold, or a passage that the
                corpus does not hold.
        """
        run = read_run(path)
        rows: dict[str, list[int]] = {}
        for text, query_ids in _training_queries(run, path, material).items():
            hits = [row for query_id in query_ids for row in _rows(run, query_id, path, material)]
            rows[text] = _wrong(hits, _relevant(query_ids, material), table, count)
        return cls(rows, table, eos)

    @classmethod
    def judged(cls, material: Material, table: DocidTable, eos: int, count: int) -> RunHits:
        """The first `count` docids that were judged not to be right, of each training query.

        Raises:
            InputError: no passage was judged so.
        """
        rows: dict[str, list[int]] = {}
        by_text: dict[str, list[str]] = {}
        for query_id in material.judgements:
            by_text.setdefault(material.queries[query_id], []).append(query_id)
        for text, query_ids in by_text.items():
            refused = [
                material.passages.row(passage_id)
                for query_id in query_ids
                for passage_id, grade in material.judgements[query_id].items()
                if grade <= 0
            ]
            rows[text] = _wrong(refused, _relevant(query_ids, material), table, count)
        if not any(rows.values()):
            raise InputError(
                "loss.judged: data.judgements holds no passage of grade 0, so that nothing says which are wrong; give "
                "loss.run, or leave both out for the model's own beams."
            )
        return cls(rows, table, eos)

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> list[list[list[int]]]:
        return [
            [[*_docid(self.table, row), self.eos] for row in self.rows.get(text, ())]
            for text in batch.sources
        ]


@dataclass(frozen=True)
class Scored:
    """Candidates of a batch, own first.

    Attributes:
        scores: float [B, K], with gradient.
        relevant, real: bool [B, K].
        cross_entropy: float [], of the own docids together.
        prefixes: float [B, K, T]; log-probabilities of the first t + 1 tokens, with gradient.
        same: bool [B, K, T]; whether these are the own docid's.
        lengths: int64 [B]; tokens of the own docids.
    """

    scores: Tensor
    relevant: Tensor
    real: Tensor
    cross_entropy: Tensor
    prefixes: Tensor
    same: Tensor
    lengths: Tensor


class RankedCandidates:
    """At most `count` wrong docids for each example, with the example's own, scored with gradients.

    A candidate's score is the log-probability of its tokens, the end included, over the full vocabulary. One is
    relevant if it is the example's own docid.

    Args:
        find: gives docids; one more than `count` is enough.
    """

    def __init__(self, find: Finder, count: int) -> None:
        self.find, self.count = find, count

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> Scored:
        return self.scored(backbone, encode, batch, self.listed(backbone, encode, batch))

    def scored(
        self, backbone: Backbone, encode: Encode, batch: Batch, listed: Sequence[Sequence[Sequence[int]]]
    ) -> Scored:
        """The scores of given candidates (see `listed`) by a model."""
        width = max(map(len, listed))
        targets, weights = _padded(listed, width, backbone.pad_token_id, batch.targets.device)
        wide = repeated(batch, targets, weights, width, interleave=True)
        logits = backbone.target_logits(encode(wide), targets)
        log_probs = torch.log_softmax(logits.float(), -1).gather(-1, targets[..., None])[..., 0]
        log_probs = torch.where(weights > 0, log_probs, torch.zeros_like(log_probs))
        scores, real = log_probs.sum(1).view(-1, width), (weights.sum(1) > 0).view(-1, width)
        relevant = torch.zeros_like(real)
        relevant[:, 0] = True
        shape = (len(listed), width, -1)
        tokens, counted = targets.view(shape), weights.view(shape) > 0
        alike = (tokens == tokens[:, :1]) & (counted == counted[:, :1])
        return Scored(
            scores,
            relevant,
            real,
            -scores[:, 0].sum(),
            log_probs.view(shape).cumsum(2),
            alike.long().cumprod(2).bool(),
            counted[:, 0].sum(1),
        )

    def listed(self, backbone: Backbone, encode: Encode, batch: Batch) -> list[list[list[int]]]:
        """The docids of each example, its own first."""
        own = [
            target[weight > 0].tolist() for target, weight in zip(batch.targets, batch.weights, strict=True)
        ]
        found = self.find(backbone, encode, batch)
        return [
            [docid, *[one for one in others if one != docid][: self.count]]
            for docid, others in zip(own, found, strict=True)
        ]


def _training_queries(run: Run, path: str, material: Material) -> dict[str, list[str]]:
    """Text to query ids, of the run's queries that have judgements."""
    found: dict[str, list[str]] = {}
    for query_id in run:
        if query_id not in material.queries:
            raise InputError(f"{path}: query {show(query_id)} is none of the queries that training reads.")
        if query_id in material.judgements:
            found.setdefault(material.queries[query_id], []).append(query_id)
    if not found:
        raise InputError(
            f"{path}: none of its {len(run):,} queries is one of data.judgements; make the run with those."
        )
    return found


def _rows(run: Run, query_id: str, path: str, material: Material) -> Iterable[int]:
    for passage_id, _ in run[query_id]:
        row = material.row(passage_id)
        if row is None:
            raise InputError(
                f"{path}, query {show(query_id)}: passage {show(passage_id)} is not in the corpus."
            )
        yield row


def _relevant(query_ids: Sequence[str], material: Material) -> list[int]:
    grades = [item for query_id in query_ids for item in material.judgements[query_id].items()]
    return [material.passages.row(passage_id) for passage_id, grade in grades if grade > 0]


def _wrong(hits: Iterable[int], relevant: Iterable[int], table: DocidTable, count: int) -> list[int]:
    """The first `count` of the hits with different docids that are no relevant passage's."""
    right = {_docid(table, row) for row in relevant}
    first: dict[tuple[int, ...], int] = {}
    for row in hits:
        first.setdefault(_docid(table, row), row)
    return [row for docid, row in first.items() if docid not in right][:count]


def _docid(table: DocidTable, row: int) -> tuple[int, ...]:
    return tuple(table.sequence(row).tolist())


def _padded(
    listed: Sequence[Sequence[Sequence[int]]], width: int, pad: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Token lists as targets int64 [B * width, T] and weights of 1 where they are real."""
    length = max(len(docid) for docids in listed for docid in docids)
    targets = torch.full((len(listed) * width, length), pad)
    weights = torch.zeros(targets.shape)
    for row, docids in enumerate(listed):
        for place, docid in enumerate(docids):
            targets[row * width + place, : len(docid)] = torch.tensor(docid)
            weights[row * width + place, : len(docid)] = 1.0
    return targets.to(device), weights.to(device)
