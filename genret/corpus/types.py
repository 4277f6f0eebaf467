"""The words of a corpus: passage, query, judgements, run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["Judgements", "MetadataValue", "Passage", "Query", "Run"]

# What a passage may say of itself beside its title and its text; a field that it says nothing of is absent.
MetadataValue: TypeAlias = str | int | float | bool


class Passage(NamedTuple):
    """One unit of retrieval; `passage_id` is the corpus's own, `title` or `text` may be empty, but not both.

    `metadata` are its other fields, by name; nested ones by dotted paths.
    """

    passage_id: str
    title: str
    text: str
    # A plain dict, which JSON and pickle know; its type lets nobody write into it.
    metadata: Mapping[str, MetadataValue] = {}

    def __hash__(self) -> int:
        # Without the metadata, which as a mapping has none; equal passages have equal ones all the same.
        return hash(self[:3])

    @property
    def body(self) -> str:
        """The text, and where there is none the title: what stands for a passage where one text is asked for."""
        return self.text if self.text.strip() else self.title

    @property
    def full_text(self) -> str:
        """Title and text as one string, the form in which encoders read a passage: `title. text`."""
        return f"{self.title}. {self.text}" if self.title and self.text else self.title or self.text


class Query(NamedTuple):
    """One question."""

    query_id: str
    text: str


# query_id -> passage_id -> grade; a grade above 0 means relevant.
Judgements: TypeAlias = dict[str, dict[str, int]]
# query_id -> (passage_id, score), best first; a query without hits has an empty list.
Run: TypeAlias = dict[str, list[tuple[str, float]]]
