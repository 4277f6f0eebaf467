"""What a text should find: its own passage, and what a teacher, a dense retriever or a guest's, finds for it.

Knows unit vectors of texts and of passages; knows no docid and no model that is trained.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genret.corpus import Passage
from genret.errors import InputError
from genret.plugins import Door
from genret.training.examples.batch import Batch
from genret.training.linear_index.query_side import Lexical, QuerySide
from genret.vectors.topk import nearest_rows

__all__ = ["TEACHERS", "TEACHER_DOOR", "DenseTeacher", "InnerProducts", "Scorer", "Taught", "Teacher"]


# Of rows of distinct texts (int64 [B]) and passages (int64 [P]): scores, float32 [B, P].
Scorer: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Taught:
    """What a teacher scores.

    Attributes:
        texts: the distinct sources of all examples.
        vectors: float32 [len(texts), d], unit length but for a query map's effect.
        passages: the corpus.
        passage_vectors: float32 [len(passages), d], unit length.
    """

    texts: Sequence[str]
    vectors: Tensor
    passages: Sequence[Passage]
    passage_vectors: Tensor


class Teacher(ABC):
    """What says how well passages answer a text; a frozen dataclass whose fields are its options."""

    @abstractmethod
    def scorer(self, taught: Taught) -> Scorer:
        """Scores whose softmax over the recipe's `teacher.temperature` is what the linear index learns."""


@dataclass(frozen=True)
class InnerProducts(Teacher):
    """Those of the encoder's vectors: distillation from a dense retriever, as in RIPOR (WWW 2024, section 3.3)."""

    def scorer(self, taught: Taught) -> Scorer:
        return lambda rows, pool: taught.vectors[rows] @ taught.passage_vectors[pool].T


TEACHERS: dict[str, type[Teacher]] = {"dense": InnerProducts}
TEACHER_DOOR: Door[Teacher] = Door("teacher", TEACHERS, Teacher)


class DenseTeacher:
    """Target distributions over passages: `gold_share` on the example's passage, the rest by a teacher's scores.

    The rest is the softmax of those scores over `temperature`.

    Args:
        texts: the sources of all examples; repeats are allowed.
        vectors: floats [len(texts), d], unit length.
        passages: floats [N, d], unit length, in the order of the corpus.
        gold_share: for each task, from 0 (all from the teacher) to 1 (all on the example's passage).
        neighbours: how many of a text's nearest passages are kept at hand.
        side: whose map every text's vector is multiplied with, and whose weight of words counts; None: as they are.
        lexical: what the texts' words are worth to all passages, by the texts' places in `texts`; None: nothing. The
            teacher is then the sum of both, which ranks better than either.
        teacher: whose scores.
        corpus: the passages themselves, for a teacher that reads them.

    Attributes:
        asked: float32 [distinct texts, d], as they came.
        vectors: the same, mapped.
    """

    def __init__(
        self,
        texts: Sequence[str],
        vectors: npt.NDArray[Any],
        passages: npt.NDArray[Any],
        *,
        gold_share: Mapping[str, float],
        temperature: float = 0.05,
        neighbours: int = 16,
        side: QuerySide | None = None,
        lexical: Lexical | None = None,
        teacher: Teacher | None = None,
        corpus: Sequence[Passage] = (),
    ) -> None:
        if not temperature > 0:
            raise InputError(f"temperature: expected a number above 0, found {temperature}.")
        firsts: dict[str, int] = {}
        for row, text in enumerate(texts):
            firsts.setdefault(text, row)
        self._rows = {text: place for place, text in enumerate(firsts)}
        kept = np.fromiter(firsts.values(), np.int64, len(firsts))
        side = side or QuerySide.untrained(vectors.shape[1], temperature)
        self._lexical, self._words, self._kept = lexical, side.words, torch.from_numpy(kept)
        self.asked = torch.from_numpy(np.asarray(vectors[kept], np.float32))
        self.vectors = self.asked @ side.map.T
        self.passages = torch.from_numpy(np.asarray(passages, np.float32))
        self.temperature, self.gold_share = temperature, dict(gold_share)
        taught = Taught(list(firsts), self.vectors, corpus, self.passages)
        self._score = (teacher or InnerProducts()).scorer(taught)
        near = nearest_rows(self.vectors.numpy(), self.passages.numpy(), min(neighbours, len(passages)))[0]
        self.neighbours = torch.from_numpy(np.ascontiguousarray(near)).long()  # [distinct texts, neighbours]

    def rows(self, sources: Sequence[str]) -> Tensor:
        """The row of each text in `vectors` and `neighbours`, int64 [B].

        Raises:
            InputError: a text is not one that the teacher was made with.
        """
        try:
            return torch.tensor([self._rows[text] for text in sources])
        except KeyError as error:
            raise InputError(f"the teacher has no vector of the text {error.args[0][:80]!r}.") from error

    def targets(self, batch: Batch, rows: Tensor, pool: Tensor) -> Tensor:
        """Distributions over the passages `pool` (int64 [P], ascending), float32 [B, P].

        The gold passage of an example must be in the pool, or its share is lost.
        """
        scores = self._score(rows, pool) / self.temperature  # [B, P]
        if (words := self.lexical(rows, pool)) is not None:
            scores = scores + self._words * words
        shares = torch.tensor([self.gold_share.get(task, 0.0) for task in batch.tasks])
        shares = torch.where(batch.documents >= 0, shares, torch.zeros_like(shares))[:, None]
        gold = (pool[None, :] == batch.documents[:, None]).float()
        return shares * gold + (1 - shares) * torch.softmax(scores, dim=1)

    def lexical(self, rows: Tensor, pool: Tensor) -> Tensor | None:
        """What the words of texts `rows` are worth to passages `pool`, float32 [B, P], before the side's weight."""
        return None if self._lexical is None else self._lexical(self._kept[rows])[:, pool]
