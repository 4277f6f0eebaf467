"""What a set of docids is like, before any training: sharing, lengths, entropy, branching, purity.

Knows a table, its trie and labels; knows no model. Every number is about documents drawn evenly from the corpus.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quality.identifiers import identifiers
from docid.quality.kept import vectors_kept
from docid.ragged import IntArray, Ragged
from docid.strategies.codes import levels_of
from docid.table import DocidTable
from docid.trie import DocidTrie
from docid.words import WordSets

__all__ = ["DocidReport", "LevelReport", "describe"]


LEAST_UNIQUE = 0.9


@dataclass(frozen=True)
class LevelReport:
    """One position of the docids, over the documents whose docid is that long.

    Attributes:
        documents: documents that have a token here.
        tokens: distinct tokens in use.
        entropy: of the token's distribution over documents, in bits.
        perplexity: 2 to the entropy: as many equally frequent tokens would be as hard to guess.
        usage: perplexity over tokens in use; 1 when all are equally frequent.
        branching: mean number of legal next tokens over the distinct prefixes of this length (the end counts).
        successors: mean number of legal next tokens over documents: what a decoder chooses from at this step.
        purity: share of documents whose label is the most frequent one among those with the same prefix up to here;
            None without labels.
        kept: share of the vectors' squared norm that the codes up to here keep (see `docid.quality.kept`); None without
            vectors.
    """

    documents: int
    tokens: int
    entropy: float
    perplexity: float
    usage: float
    branching: float
    successors: float
    purity: float | None
    kept: float | None = None


@dataclass(frozen=True)
class DocidReport:
    """What a set of docids is like.

    Attributes:
        documents: documents.
        docids: distinct token sequences.
        unique_share: share of the documents that are not removed which no other has the identifier of: the same docid
            and, where there are words beside, the same set of words.
        buckets: how many identifiers stand for how many of these documents: {documents: identifiers}.
        lengths: how many documents have docids of how many tokens, without the end: {tokens: documents}.
        prefix_share: share of documents whose docid is the beginning of another docid.
        new_tokens: tokens that a model's vocabulary must gain.
        trie_bytes: bytes of the trie's arrays.
        successors: mean number of legal next tokens over all steps of all documents, the end included.
        levels: position by position.
        imitation: how well the nearest centroids alone retrieve (see `docid.quality.imitation`); empty when not measured.
        words: share of a document's BM25 weight that its set of words carries, and that sets of other sizes would (see
            `docid.quality.kept`); empty when not measured.
    """

    documents: int
    docids: int
    unique_share: float
    buckets: dict[int, int]
    lengths: dict[int, int]
    prefix_share: float
    new_tokens: int
    trie_bytes: int
    successors: float
    levels: list[LevelReport]
    imitation: dict[str, float] = field(default_factory=dict)
    words: dict[str, float] = field(default_factory=dict)

    @property
    def to_mend(self) -> str | None:
        """What is to be mended before anything is trained, as a sentence; None where nothing is known to be wrong.

        Of all that can be measured of docids beforehand, published studies find only uniqueness to predict results.
        """
        if self.unique_share >= LEAST_UNIQUE:
            return None
        return (
            f"mend first: the unique share is {self.unique_share:.3f}, below {LEAST_UNIQUE}: documents that share a docid, "
            "and its words where there are any, cannot be told apart. Take more levels or codes, or a rule for "
            "collisions: `next`, `ordinal`, or `suffix` for texts; or more words."
        )

    def json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "to_mend": self.to_mend}


def describe(
    table: DocidTable,
    labels: Sequence[Hashable] | None = None,
    imitation: Mapping[str, float] | None = None,
    vectors: npt.NDArray[Any] | None = None,
    words: Mapping[str, float] | None = None,
    sets: WordSets | None = None,
) -> DocidReport:
    """Measure a table, bound or not.

    Args:
        labels: one a document (titles, say), for purity.
        imitation: what `imitation_scores` found.
        vectors: floats [documents, dimensions], of which codes keep a share.
        words: what `words_kept` found.
        sets: the words beside the table, which are part of its identifiers.

    Raises:
        InputError: there is not one usable vector a document, or the words are of another number of documents.
    """
    sequences, trie = plain_trie(table)
    steps, sizes = _Steps(sequences, trie), _shares(table, trie, sets)
    numbers = None if labels is None else _numbers(labels)
    levels = [steps.level(depth, numbers) for depth in range(int(sequences.lengths.max(initial=0)))]
    if vectors is not None:
        kept = vectors_kept(sequences, vectors)
        levels = [replace(level, kept=share) for level, share in zip(levels, kept, strict=True)]
    return DocidReport(
        documents=table.num_documents,
        docids=trie.num_leaves,
        unique_share=float((sizes == 1).sum() / sizes.sum()) if len(sizes) else 1.0,
        buckets=_histogram(sizes),
        lengths=_histogram(sequences.lengths),
        prefix_share=_prefix_share(trie),
        new_tokens=len(table.new_tokens),
        trie_bytes=trie.nbytes,
        successors=steps.mean_successors(),
        levels=levels,
        imitation=dict(imitation or {}),
        words=dict(words or {}),
    )


def plain_trie(table: DocidTable) -> tuple[Ragged, DocidTrie]:
    """The sequences with tokens renumbered from 1, so that unbound tables too have a trie; its end token is 0."""
    _, values = np.unique(table.sequences.values, return_inverse=True)
    sequences = Ragged((values + 1).astype(np.int32), table.sequences.offsets)
    return sequences, DocidTrie.build(sequences, 0)


def _shares(table: DocidTable, trie: DocidTrie, sets: WordSets | None) -> IntArray:
    """How many documents each identifier stands for, but for those that are removed."""
    numbers = np.empty(table.num_documents, np.int64)
    numbers[trie.leaf_documents] = np.repeat(np.arange(trie.num_leaves), trie.leaf_sizes())
    if sets is not None:
        if sets.num_documents != table.num_documents:
            raise InputError(
                f"found words of {sets.num_documents} documents and docids of {table.num_documents}; expected the same."
            )
        numbers = identifiers(numbers, sets.identifiers())
    return np.unique(np.delete(numbers, table.arrays.removed), return_counts=True)[1]


class _Steps:
    """All steps of all documents down the trie."""

    def __init__(self, sequences: Ragged, trie: DocidTrie) -> None:
        self.sequences, self.trie = sequences, trie
        self.levels = levels_of(sequences)
        # Of each token: the state before it, as a number of the prefix, and the legal next tokens there.
        self.states = np.empty(len(sequences.values), np.int64)
        self.choices = np.empty(len(sequences.values), np.int64)
        self.last_choices = np.empty(sequences.num_rows, np.int64)
        self._walk()

    def _walk(self) -> None:
        """Move all documents down at once, a token a round."""
        sequences, trie = self.sequences, self.trie
        states = np.full(sequences.num_rows, trie.root)
        alive = np.arange(sequences.num_rows)
        depth = 0
        while len(alive):
            here, row = np.unique(states, return_inverse=True)
            offsets, tokens, edges = trie.successors(here)
            counts = np.diff(offsets)[row]
            places = sequences.offsets[alive] + depth
            more = places < sequences.offsets[alive + 1]
            self.last_choices[alive[~more]] = counts[~more]
            alive, row, places, counts = alive[more], row[more], places[more], counts[more]
            self.states[places], self.choices[places] = states[more], counts
            states = trie.advance(edges[_find(tokens, offsets[row], counts, sequences.values[places])])
            depth += 1

    def mean_successors(self) -> float:
        total = len(self.choices) + len(self.last_choices)
        return float(self.choices.sum() + self.last_choices.sum()) / total if total else 0.0

    def level(self, depth: int, labels: IntArray | None) -> LevelReport:
        """One position; `labels` are numbers, one a document."""
        here = np.flatnonzero(self.levels == depth)
        counts = np.unique(self.sequences.values[here], return_counts=True)[1]
        entropy = _entropy(counts)
        _, first = np.unique(self.states[here], return_index=True)
        return LevelReport(
            documents=len(here),
            tokens=len(counts),
            entropy=entropy,
            perplexity=2**entropy,
            usage=2**entropy / len(counts),
            branching=float(self.choices[here][first].mean()),
            successors=float(self.choices[here].mean()),
            purity=None if labels is None else self._purity(here, labels),
        )

    def _purity(self, here: IntArray, labels: IntArray) -> float:
        documents = np.searchsorted(self.sequences.offsets, here, side="right") - 1
        pairs = np.stack([self.states[here], self.sequences.values[here], labels[documents]], axis=1)
        groups, counts = np.unique(pairs, axis=0, return_counts=True)
        begins = np.flatnonzero(np.append(True, (groups[1:, :2] != groups[:-1, :2]).any(axis=1)))
        return float(np.maximum.reduceat(counts, begins).sum() / len(here))


def _find(tokens: IntArray, begins: IntArray, counts: IntArray, wanted: IntArray) -> IntArray:
    """Where in `tokens` each row (ascending tokens, which hold the wanted one) has its token: bisection."""
    low, high = begins.copy(), begins + counts - 1
    while (low < high).any():
        middle = (low + high) // 2
        below = tokens[middle] < wanted
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def _prefix_share(trie: DocidTrie) -> float:
    """Leaves that an end edge of a node leads to: a node has other docids below."""
    if trie.num_documents == 0:
        return 0.0
    ends = np.flatnonzero(trie.tokens == trie.eos)
    documents = trie.documents_of(trie.edge_targets()[ends])
    return len(documents.values) / trie.num_documents


def _entropy(counts: IntArray) -> float:
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _histogram(values: IntArray) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _numbers(labels: Sequence[Hashable]) -> IntArray:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in labels], np.int64)
