"""One search, step by step: which prefixes the beam held, how they scored, what they could still reach.

Knows a retriever's parts (backbone, trie, table, passages) and walks them slowly, one prefix at a time; the
search that answers questions is `genret.decoding.beam_search`, and the tests hold the two to the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from docid.ragged import IntArray
    from genret.retriever import GenerativeRetriever

__all__ = ["Branch", "Departure", "Prefix", "Step", "departure", "explain_search", "prefixes", "reachable"]


class Branch(NamedTuple):
    """A legal continuation of a live prefix.

    `tokens` closes with the end token where the docid is complete. `probability` is that of the last token among
    the legal ones, `score` the sum over all tokens of what the search adds up (see `SearchSettings`).
    """

    tokens: tuple[int, ...]
    probability: float
    score: float


class Step(NamedTuple):
    """What one step of the search saw.

    Attributes:
        number: tokens of the prefixes, from 1.
        num_beams: how many prefixes stay alive.
        branches: every legal continuation that does not end a docid, best first; the first `num_beams` stay.
        ended: the complete docids so far, best first, at most `num_beams`.
    """

    number: int
    num_beams: int
    branches: list[Branch]
    ended: list[Branch]

    @property
    def live(self) -> list[Branch]:
        """The beam after this step."""
        return self.branches[: self.num_beams]


class Prefix(NamedTuple):
    """A beam for people: its tokens as text, scores, and what lies below it in the trie."""

    tokens: list[str]
    probability: float
    score: float
    reachable: int
    example: str


class Departure(NamedTuple):
    """Where a docid left the beam: at `step` its prefix came in at `place` of `of`, and only `num_beams` stay.

    `score` is what it had, `needed` what the last prefix that stayed had.
    """

    step: int
    place: int
    of: int
    num_beams: int
    score: float
    needed: float


def explain_search(retriever: GenerativeRetriever, query: str, num_beams: int | None = None) -> list[Step]:
    """The steps of a search for `query`, from the first token to the end of the longest docid.

    `num_beams` as in `GenerativeRetriever.search`. The search runs to the end, without an early stop.
    """
    beams = num_beams or retriever.settings.num_beams
    with torch.inference_mode():
        return list(_steps(retriever, query, beams))


def _steps(retriever: GenerativeRetriever, query: str, num_beams: int) -> Iterator[Step]:
    backbone, eos = retriever.backbone, retriever.trie.eos
    hidden, state = backbone.start(backbone.encode([query]))
    live, ended = [Branch((), 1.0, 0.0)], list[Branch]()
    while live:
        branches = sorted(_branches(retriever, live, backbone.logits(hidden)), key=_order)
        ended = sorted([*ended, *(one for one in branches if one.tokens[-1] == eos)], key=_order)[:num_beams]
        going = [one for one in branches if one.tokens[-1] != eos]
        number = len(branches[0].tokens) if branches else 0
        if branches:
            yield Step(number, num_beams, going, ended)
        parents = {one.tokens: row for row, one in enumerate(live)}
        live = going[:num_beams]
        if live:
            rows = torch.tensor([parents[one.tokens[:-1]] for one in live], device=backbone.device)
            tokens = torch.tensor([one.tokens[-1] for one in live], device=backbone.device)
            hidden, state = backbone.step(backbone.reorder(state, rows), tokens)


def _order(branch: Branch) -> tuple[float, tuple[int, ...]]:
    return -branch.score, branch.tokens


def _branches(retriever: GenerativeRetriever, live: Sequence[Branch], logits: Tensor) -> Iterator[Branch]:
    """The legal continuations of each live prefix; `logits` is float32 [len(live), vocabulary]."""
    for prefix, row in zip(live, logits, strict=True):
        tokens = retriever.trie.allowed(prefix.tokens)
        if not tokens:
            continue
        legal = row[tokens]
        offsets = {"raw": torch.zeros(()), "full": row.logsumexp(0), "renormalised": legal.logsumexp(0)}
        scores = (legal - offsets[retriever.settings.score]).tolist()
        for token, probability, score in zip(tokens, legal.softmax(0).tolist(), scores, strict=True):
            yield Branch((*prefix.tokens, token), probability, prefix.score + score)


def reachable(retriever: GenerativeRetriever, step: Step) -> int:
    """Passages that the search can still return after `step`: below a live prefix, or of a complete docid."""
    return sum(len(retriever.trie.documents_below(one.tokens)) for one in [*step.live, *step.ended])


def prefixes(retriever: GenerativeRetriever, step: Step, limit: int) -> list[Prefix]:
    """The best `limit` beams of `step`, complete docids among them, each with an example from its subtree."""
    best = sorted([*step.live, *step.ended], key=_order)[:limit]
    return [_prefix(retriever, one) for one in best]


def _prefix(retriever: GenerativeRetriever, branch: Branch) -> Prefix:
    below = retriever.trie.documents_below(branch.tokens)
    words = retriever.backbone.tokenizer.convert_ids_to_tokens(list(branch.tokens))
    # The middle one: the first of every subtree would often be its alphabetically first neighbour.
    passage = retriever.passages[int(below[len(below) // 2])]
    example = passage.title or passage.text
    return Prefix(list(words), branch.probability, branch.score, len(below), example)


def departure(steps: Sequence[Step], sequence: Sequence[int] | IntArray) -> Departure | None:
    """Where the docid `sequence` (without its end token) left the beam; None if it stayed until its end."""
    tokens = tuple(int(token) for token in sequence)
    for step in steps[: len(tokens)]:
        place = next(
            (at for at, one in enumerate(step.branches, 1) if one.tokens == tokens[: step.number]), None
        )
        if place is not None and place > step.num_beams:
            mine, last = step.branches[place - 1], step.live[-1]
            return Departure(step.number, place, len(step.branches), step.num_beams, mine.score, last.score)
    return None
