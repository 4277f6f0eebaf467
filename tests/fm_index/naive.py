"""The slow, obvious twin of the index: answers every question by looking at all documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Documents = Sequence[Sequence[int]]


def ends(documents: Documents, ngram: Sequence[int]) -> list[tuple[int, int]]:
    """(document, place behind the n-gram) of each occurrence."""
    size = len(ngram)
    return [
        (d, i + size)
        for d, tokens in enumerate(documents)
        for i in range(len(tokens) - size + 1)
        if list(tokens[i : i + size]) == list(ngram)
    ]


def successors(documents: Documents, ngram: Sequence[int]) -> dict[int, int]:
    """Token -> occurrences behind the n-gram."""
    found = Counter(documents[d][place] for d, place in ends(documents, ngram) if place < len(documents[d]))
    return dict(sorted(found.items()))


def first_tokens(documents: Documents) -> dict[int, int]:
    """Token -> documents that start with it."""
    return dict(sorted(Counter(tokens[0] for tokens in documents if len(tokens)).items()))


def positions(documents: Documents, ngram: Sequence[int]) -> list[int]:
    """Offsets, in the concatenation, of the last token of each occurrence; ascending."""
    starts = [0]
    for tokens in documents:
        starts.append(starts[-1] + len(tokens))
    return sorted(starts[d] + place - 1 for d, place in ends(documents, ngram))


def ngrams(documents: Documents, longest: int) -> list[tuple[int, ...]]:
    """Every n-gram up to a length, the empty one first."""
    found = {
        tuple(tokens[i : i + size])
        for tokens in documents
        for size in range(1, longest + 1)
        for i in range(len(tokens) - size + 1)
    }
    return [(), *sorted(found)]
