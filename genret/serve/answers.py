"""What is run for a request, and its results as answers: searches, and the way of one docid through a search.

Knows retrievers and answers; knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from genret.decoding.trace import Trace
from genret.errors import UsageError
from genret.retrieval.docids import GenerativeRetriever, Standing
from genret.retrieval.matches import Match, Piece
from genret.retrieval.retriever import Retriever
from genret.retrieval.search_options import Mode
from genret.serve.bodies import HitAnswer, MatchAnswer, PieceAnswer, WordAnswer
from genret.serve.generations import Generation

__all__ = ["Explained", "Found", "Search", "Tracing", "hit_answer"]


class Found(NamedTuple):
    """A hit of either kind of retriever; its title, and what found it where that was asked for."""

    hit: Any
    title: str
    matches: Sequence[Match] | None = None
    pieces: Sequence[Piece] | None = None


@dataclass(frozen=True)
class Search:
    """A search, but for its queries; equal ones may be run together.

    Attributes:
        generation: whose passages are found.
        k, beams, mode, where, text: as `Retriever.batch_search` has them.
        matches: whether each hit's matches and pieces are found, too.
    """

    generation: Generation
    k: int = 10
    beams: int | None = None
    mode: Mode | None = None
    where: str | None = None
    text: bool = False
    matches: bool = False

    @property
    def together(self) -> bool:
        """Whether each query's answer is the same to the bit whatever the others are."""
        return self.generation.together and self.mode in (None, "plan")

    def __call__(self, queries: Sequence[str], /) -> list[list[Found]]:
        retriever: Retriever[Any, Any] = self.generation.of_mode(self.mode)
        batches = [queries] if self.together else [[query] for query in queries]
        found = [
            hits
            for batch in batches
            for hits in retriever.batch_search(
                batch, self.k, num_beams=self.beams, where=self.where, with_text=self.text
            )
        ]
        return [[self._found(retriever, hit) for hit in hits] for hits in found]

    def _found(self, retriever: Retriever[Any, Any], hit: Any) -> Found:
        passages = retriever.passages
        title = passages.titles[passages.row(hit.passage_id)]
        if not self.matches:
            return Found(hit, title)
        return Found(hit, title, retriever.matches(hit), retriever.pieces(hit))


class Explained(NamedTuple):
    """The way of one docid through the search for one query.

    Attributes:
        sequence: the docid's tokens, the end token included.
        trace: of the beams; None where docids have nothing that a beam could follow.
        standing: among all passages before any search.
        names: of all tokens in the trace.
    """

    sequence: list[int]
    trace: Trace | None
    standing: Standing
    names: dict[int, str]


@dataclass(frozen=True)
class Tracing:
    """How a passage was found, or lost."""

    generation: Generation
    passage_id: str
    where: str | None = None
    together: bool = False

    def __call__(self, queries: Sequence[str], /) -> list[Explained]:
        retriever = self.generation.retriever
        if not isinstance(retriever, GenerativeRetriever):
            raise UsageError(
                "trace: this model emits n-grams and no docids; its matches show what found a passage."
            )
        return [self._explained(retriever, query) for query in queries]

    def _explained(self, retriever: GenerativeRetriever, query: str) -> Explained:
        sequence = retriever.sequence(self.passage_id)
        trace = None if retriever.words_alone else retriever.trace(query, where=self.where)
        tokens = (
            {*sequence, *(token for step in trace.steps for token in step.tokens.tolist())}
            if trace
            else sequence
        )
        names = dict(
            zip(tokens, retriever.backbone.tokenizer.convert_ids_to_tokens(list(tokens)), strict=True)
        )
        return Explained(sequence, trace, retriever.standing(query, self.passage_id), names)


def hit_answer(found: Found) -> HitAnswer:
    """A hit as it goes over the wire; every number as the library has it."""
    hit = found.hit
    matches = None if found.matches is None else list(found.matches)
    return HitAnswer(
        rank=hit.rank,
        passage_id=hit.passage_id,
        title=found.title,
        score=hit.score,
        docid=getattr(hit, "docid", None),
        code_score=getattr(hit, "code_score", None),
        word_score=getattr(hit, "word_score", None),
        words=[WordAnswer(text=word.text, score=word.score) for word in getattr(hit, "words", ())],
        metadata=dict(hit.metadata),
        text=hit.text,
        matches=None if matches is None else [_match(match) for match in matches],
        pieces=None if found.pieces is None else [_piece(piece, matches or []) for piece in found.pieces],
    )


def _match(match: Match) -> MatchAnswer:
    return MatchAnswer(text=match.text, view=match.view, occurrences=match.occurrences, score=match.score)


def _piece(piece: Piece, matches: Sequence[Match]) -> PieceAnswer:
    return PieceAnswer(text=piece.text, match=None if piece.match is None else matches.index(piece.match))
