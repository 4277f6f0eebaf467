"""What goes over the wire: requests and answers as models, from which the OpenAPI description is made.

Knows types and their limits; knows nothing of retrievers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from genret.corpus.types import MetadataValue
from genret.retrieval.search_options import Mode

__all__ = [
    "ErrorAnswer",
    "HealthAnswer",
    "HitAnswer",
    "MatchAnswer",
    "PassageAnswer",
    "PieceAnswer",
    "QueryAnswer",
    "SearchAnswer",
    "SearchRequest",
    "WordAnswer",
]


def _examples(*examples: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [dict(one) for one in examples]})


class SearchRequest(BaseModel):
    """One query or many, and what of their passages is asked for."""

    model_config = ConfigDict(
        strict=True,
        **_examples(
            {"query": "who wrote the first program"},
            {
                "queries": ["who wrote it", "when"],
                "k": 5,
                "where": 'lang = "en"',
                "text": True,
                "matches": True,
            },
        ),
    )

    query: StrictStr | None = Field(default=None, description="One query; or give `queries`.")
    queries: list[StrictStr] | None = Field(default=None, description="Many queries, answered in this order.")
    k: Annotated[int, Field(ge=1, description="Passages of a query, at most.")] = 10
    where: StrictStr | None = Field(
        default=None,
        description="A condition on the passages' fields; what it does not let through is not found.",
    )
    text: bool = Field(default=False, description="Whether each hit has its passage's text.")
    matches: bool = Field(
        default=False,
        description="Whether each hit says which words or n-grams found it, and where they stand.",
    )
    beams: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Beams of a query; null: as stored."
    )
    mode: Mode | None = Field(
        default=None, description="How docids are searched; null: as stored with the model."
    )


class WordAnswer(BaseModel):
    """A word that a query and a docid share, and what it adds to the score."""

    text: str
    score: float


class MatchAnswer(BaseModel):
    """A word or n-gram that found a passage, and what it adds to the score.

    `occurrences`: in the whole corpus; of a word, the passages that have it.
    """

    text: str
    view: str
    occurrences: int
    score: float


class PieceAnswer(BaseModel):
    """A part of a passage's title and text, and which of the hit's `matches` covers it: its place from 0, or null."""

    text: str
    match: int | None


class HitAnswer(BaseModel):
    """One passage. `code_score` and `word_score` are the parts of `score` where docids have both."""

    rank: int
    passage_id: str
    title: str
    score: float
    docid: str | None = None
    code_score: float | None = None
    word_score: float | None = None
    words: list[WordAnswer] = []
    metadata: dict[str, MetadataValue] = {}
    text: str | None = None
    matches: list[MatchAnswer] | None = None
    pieces: list[PieceAnswer] | None = None


class QueryAnswer(BaseModel):
    """The passages of one query, best first; `note` says what a person should know of it beside them."""

    query: str
    hits: list[HitAnswer]
    note: str | None = None


class SearchAnswer(BaseModel):
    """An answer a query, in the order of the request, all from one generation of the model."""

    generation: str
    results: list[QueryAnswer]


class PassageAnswer(BaseModel):
    """A passage as the model folder holds it."""

    passage_id: str
    title: str
    text: str
    metadata: dict[str, MetadataValue] = {}
    generation: str


class HealthAnswer(BaseModel):
    """Whether the service answers, and with what.

    `status` is `ok`; or `stale` where the folder holds a newer generation that cannot be used, and `fault` says why.
    `batches`: whether queries of several requests are answered together (their answers are the same to the bit).
    """

    status: Literal["ok", "stale"]
    fault: str | None
    generation: str
    number: int
    passages: int
    kind: str
    batches: bool
    version: str


class ErrorAnswer(BaseModel):
    """Why there is no answer, as a sentence."""

    model_config = _examples({"error": "k: expected at most 1,000, found 5000."})

    error: str
