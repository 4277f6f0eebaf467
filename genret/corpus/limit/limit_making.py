"""Passages that list what people like, and questions for one liking, each with exactly two right passages.

After O. Weller et al., "On the Theoretical Limitations of Embedding-Based Retrieval", 2025, section 5, with words of our
own. Of 46 passages nearly every pair is the answer to some question: 1,000 of all 1,035 pairs. What is asked for occurs
in the two right passages only, as a word or several.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from genret.artefact import publish_folder
from genret.corpus.formats.beir import write_passages, write_queries
from genret.corpus.formats.judgements import write_judgements
from genret.corpus.limit.names_and_likings import FIRST_NAMES, LAST_NAMES, LIKINGS
from genret.corpus.types import Judgements, Passage, Query

__all__ = ["LimitOptions", "LimitTask", "limit_task", "write_limit"]

KIND, VERSION = "limit-task", 1
PASSAGES, QUERIES = 50_000, 1_000
# Every two of so many passages are a pair: the least number of passages with 1,000 pairs.
RELEVANT = 46
# Likings of a passage: fewer than 50, and at least as many as one of 46 passages has partners.
LISTED = 48
SPLIT = "test"


@dataclass(frozen=True)
class LimitOptions:
    """What is made.

    Attributes:
        small: only the passages that are right for a question, and their hard negatives.
        hard_negatives: beside each right passage one that shares all of its likings but the asked one. A passage is
            then right for one question: 2,000 passages of 1,000 pairs, or 46 of 23 in the small form.
        seed: of likings, pairs, names and order.
    """

    small: bool = False
    hard_negatives: bool = False
    seed: int = 0


@dataclass(frozen=True)
class LimitTask:
    """Passages in random order, questions, and their judgements."""

    passages: list[Passage]
    queries: list[Query]
    judgements: Judgements


def limit_task(options: LimitOptions) -> LimitTask:
    """The task of a seed; the small form has the questions and the right passages of the large one, or some of them."""
    likings = _drawn(options, 0).permutation(LIKINGS).tolist()
    pairs = _pairs(options)
    asked, others = likings[: len(pairs)], likings[QUERIES:]
    listed = _right(asked, others, pairs, _drawn(options, 2))
    if options.hard_negatives:
        listed += _hard_negatives(asked, others, pairs, listed, _drawn(options, 3))
    if not options.small:
        rng = _drawn(options, 4)
        listed += [_some(others, LISTED, rng) for _ in range(PASSAGES - len(listed))]
    names = _drawn(options, 5).permutation(len(FIRST_NAMES) * len(LAST_NAMES)).tolist()
    texts = [_text(name, likes) for name, likes in zip(names, listed, strict=False)]
    order = _drawn(options, 6).permutation(len(texts)).tolist()
    ids = {row: f"p{place}" for place, row in enumerate(order)}
    queries = [Query(f"q{number}", f"Who likes {liking}?") for number, liking in enumerate(asked)]
    judged = zip(queries, pairs, strict=True)
    return LimitTask(
        [Passage(ids[row], "", texts[row]) for row in order],
        queries,
        {query.query_id: {ids[row]: 1 for row in pair} for query, pair in judged},
    )


def write_limit(folder: str | os.PathLike[str], options: LimitOptions, *, overwrite: bool = False) -> None:
    """Make the task and write it as a BEIR folder, with one split, `test`.

    Raises:
        InputError: `folder` exists and `overwrite` is false.
    """
    with publish_folder(
        folder, kind=KIND, version=VERSION, meta=asdict(options), overwrite=overwrite
    ) as scratch:
        task = limit_task(options)
        write_passages(scratch / "corpus.jsonl", task.passages)
        write_queries(scratch / "queries.jsonl", task.queries)
        (scratch / "qrels").mkdir()
        write_judgements(scratch / "qrels" / f"{SPLIT}.tsv", task.judgements)


def _drawn(options: LimitOptions, what: int) -> np.random.Generator:
    """What is drawn for one purpose does not depend on what was drawn for another."""
    return np.random.default_rng([options.seed, what])


def _pairs(options: LimitOptions) -> list[tuple[int, int]]:
    """The rows of the two right passages of each question."""
    if options.hard_negatives:
        count = RELEVANT // 2 if options.small else QUERIES
        return [(2 * number, 2 * number + 1) for number in range(count)]
    every = list(combinations(range(RELEVANT), 2))
    return [every[place] for place in _drawn(options, 1).permutation(len(every))[:QUERIES].tolist()]


def _right(
    asked: Sequence[str], others: Sequence[str], pairs: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[list[str]]:
    """What the right passages list: all that is asked of them, and others, in random order."""
    listed: list[list[str]] = [[] for _ in range(1 + max(row for pair in pairs for row in pair))]
    for liking, pair in zip(asked, pairs, strict=True):
        for row in pair:
            listed[row].append(liking)
    for likes in listed:
        likes += _some(others, LISTED - len(likes), rng)
        likes[:] = _some(likes, LISTED, rng)
    return listed


def _hard_negatives(
    asked: Sequence[str],
    others: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    listed: Sequence[Sequence[str]],
    rng: np.random.Generator,
) -> list[list[str]]:
    """Each right passage's list with another liking in the place of the asked one."""
    found = []
    for liking, pair in zip(asked, pairs, strict=True):
        for row in pair:
            other = next(one for one in _some(others, LISTED, rng) if one not in listed[row])
            found.append([other if one == liking else one for one in listed[row]])
    return found


def _some(likings: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """So many of the likings, each once, in random order."""
    return [likings[place] for place in rng.permutation(len(likings))[:count].tolist()]


def _text(name: int, likes: Sequence[str]) -> str:
    first, last = divmod(name, len(LAST_NAMES))
    return f"{FIRST_NAMES[first]} {LAST_NAMES[last]} likes {', '.join(likes[:-1])} and {likes[-1]}."
