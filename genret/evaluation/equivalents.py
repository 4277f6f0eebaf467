"""Judgements widened to passages that answer as well: near-copies of the right passage, passages of its page.

Knows passages' titles and words; knows no run. Widened, a question counts as answered by any of them, so that a
system is not called wrong for finding the right passage's twin.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from genret.corpus import Judgements, Passage

__all__ = ["near_copies", "same_page", "widened"]

WORD = re.compile(r"\w+")
# Rows of the sparse product at a time.
BLOCK = 256


def widened(judgements: Judgements, equivalents: Mapping[str, Collection[str]]) -> Judgements:
    """Judgements in which an equivalent of a judged passage has its grade; where it has several, the highest."""
    found: Judgements = {}
    for query_id, grades in judgements.items():
        found[query_id] = dict(grades)
        for passage_id, grade in grades.items():
            for other in equivalents.get(passage_id, ()):
                found[query_id][other] = max(grade, found[query_id].get(other, grade))
    return found


def same_page(passages: Sequence[Passage]) -> dict[str, list[str]]:
    """passage_id -> all passages with its title, itself included; a passage without a title has none."""
    pages = defaultdict(list)
    for passage in passages:
        if passage.title.strip():
            pages[passage.title].append(passage.passage_id)
    return {passage_id: page for page in pages.values() for passage_id in page}


def near_copies(
    passages: Sequence[Passage], passage_ids: Collection[str], share: float = 0.5
) -> dict[str, list[str]]:
    """passage_id -> other passages of `passages` that have nearly its words; for those of `passage_ids` that have any.

    Two texts are near-copies where at least `share` of all their distinct words are words of both (Jaccard),
    whatever their case and punctuation.
    """
    words = _words(passages)
    sizes = np.diff(words.indptr)
    wanted = set(passage_ids)
    asked = np.array([row for row, one in enumerate(passages) if one.passage_id in wanted], np.int64)
    found: dict[str, list[str]] = {}
    for begin in range(0, len(asked), BLOCK):
        rows = asked[begin : begin + BLOCK]
        common = (words[rows] @ words.T).tocoo()
        own, other = rows[common.row], common.col
        copies = common.data >= share * (sizes[own] + sizes[other] - common.data)
        for row, column in zip(own[copies].tolist(), other[copies].tolist(), strict=True):
            if row != column:
                found.setdefault(passages[row].passage_id, []).append(passages[column].passage_id)
    return found


def _words(passages: Sequence[Passage]) -> csr_array:
    """Which passage has which word: ones, [passages, words]."""
    known: dict[str, int] = {}
    columns: list[int] = []
    offsets = [0]
    for passage in passages:
        own = {word.casefold() for word in WORD.findall(passage.text)}
        columns += [known.setdefault(word, len(known)) for word in own]
        offsets.append(len(columns))
    ones = np.ones(len(columns), np.float32)
    return csr_array((ones, columns, offsets), shape=(len(offsets) - 1, len(known)))
