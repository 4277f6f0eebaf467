"""What a model of n-grams is trained on: a text leads to spans, titles and pseudo-queries of its passage.

Knows the layout of a passage's fields, so that a target is what the index holds (`genret.indexing.layout`).
Bevilacqua et al., "Autoregressive Search Engines", 2022, section 4.2 (SEAL); Li et al., "Multiview Identifiers
Enhanced Generative Retrieval", ACL 2023, section 3.2 (MINDER).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from docid.scripts import joined, units
from genret.config import Count, Fraction, Positive, check_bounds
from genret.errors import InputError
from genret.indexing.layout import Layout, encode_field
from genret.indexing.pseudo_queries import read_pseudo_queries
from genret.training.examples.sources.query_pairs import labelled_queries
from genret.training.examples.sources.source import Computed, Material, Pair, Source
from genret.training.examples.sources.telling_spans import Rarity, telling_span

__all__ = ["PseudoQueryNgrams", "QueryNgrams", "SpanNgrams"]

QUERY = "{query}"


@dataclass(frozen=True)
class _Ngrams(Source):
    """Spans and titles.

    Attributes:
        words: of a span; a shorter text gives itself.
        per_example: targets of each text.
        titles: this fraction of the targets are titles, where there is one, and behind its separator a span.
        body, title: what the model reads for a span and for a title, `{query}` in it the text; the same as the
            `source` of the view that decodes them.
    """

    words: Count = 10
    per_example: Count = 10
    titles: Fraction = 0.1
    body: str = "{query} || body"
    title: str = "{query} || title"

    def __post_init__(self) -> None:
        check_bounds(self)
        for name in ("body", "title"):
            if getattr(self, name).count(QUERY) != 1:
                raise InputError(f"{name}: expected {QUERY} once, found {getattr(self, name)!r}.")

    def _is_title(self, material: Material, row: int, rng: np.random.Generator) -> bool:
        if not material.passages.texts[row].strip():
            return True  # nothing else is there
        return bool(material.passages.titles[row].strip()) and rng.random() < self.titles

    def _title(self, material: Material, text: str, row: int, words: list[str]) -> Pair:
        """The title, its separator, and a span: one sequence teaches both, and the span knows its title."""
        title, span = encode_field(material.need_tokenizer(), [material.passages.titles[row], joined(words)])
        separator = Layout.of(material.need_tokenizer()).separator
        return Pair(self.title.replace(QUERY, text), (row,), (*title, separator, *span))

    def _span(self, material: Material, text: str, row: int, words: list[str]) -> Pair:
        (tokens,) = encode_field(material.need_tokenizer(), [joined(words)])
        return Pair(self.body.replace(QUERY, text), (row,), tuple(tokens))


@dataclass(frozen=True)
class QueryNgrams(_Ngrams):
    """Query to spans and title of its relevant passage (SEAL's supervised examples).

    A span's beginning is drawn with probability in proportion to exp(share / temperature), `share` the part of what the
    query asks that the span holds: of the idf of its words that are in the passage (`telling_spans`).
    """

    name: ClassVar[str] = "query_ngrams"
    temperature: Positive = 0.1

    def open(self, material: Material) -> Sequence[Pair]:
        labelled = labelled_queries(material, self.name)
        rarity = Rarity.of(material.passages)

        def draw(place: int) -> Pair:
            text, row = labelled[place // self.per_example]
            rng = material.random(self.name, *divmod(place, self.per_example))
            held = material.passages.texts[row]
            words = telling_span(held, text, rarity, self.words, self.temperature, rng)
            if self._is_title(material, row, rng):
                return self._title(material, text, row, words)
            return self._span(material, text, row, words)

        return Computed(len(labelled) * self.per_example, draw)


@dataclass(frozen=True)
class SpanNgrams(_Ngrams):
    """A span of a passage to another span of it, or to its title (SEAL's unsupervised examples)."""

    name: ClassVar[str] = "span_ngrams"

    def open(self, material: Material) -> Sequence[Pair]:
        def draw(place: int) -> Pair:
            row, number = divmod(place, self.per_example)
            rng = material.random(self.name, row, number)
            words = units(material.passages[row].body)
            source = joined(self._any_span(words, rng))
            if self._is_title(material, row, rng):
                return self._title(material, source, row, self._any_span(words, rng))
            return self._span(material, source, row, self._any_span(words, rng))

        return Computed(len(material.passages) * self.per_example, draw)

    def _any_span(self, words: list[str], rng: np.random.Generator) -> list[str]:
        begin = int(rng.integers(max(1, len(words) - self.words + 1)))
        return words[begin : begin + self.words]


@dataclass(frozen=True)
class PseudoQueryNgrams(Source):
    """Query to the pseudo-queries of its relevant passage (MINDER's third view).

    Attributes:
        path: JSON lines with `passage_id` and `text`, as `genret index build --pseudo-queries` reads them.
        per_example: pseudo-queries of each query, drawn from its passage's.
        source: what the model reads, `{query}` in it the query.
    """

    name: ClassVar[str] = "pseudo_query_ngrams"
    path: str = ""
    per_example: Count = 5
    source: str = "{query} || query"

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.source.count(QUERY) != 1:
            raise InputError(f"source: expected {QUERY} once, found {self.source!r}.")

    def open(self, material: Material) -> Sequence[Pair]:
        if not self.path:
            raise InputError(f"source {self.name!r} needs `path`, a file of pseudo-queries.")
        own = read_pseudo_queries(self.path, material.passages)
        layout = Layout.of(material.need_tokenizer())
        labelled = [(text, row) for text, row in labelled_queries(material, self.name) if own[row]]
        return Computed(
            len(labelled) * self.per_example, partial(self._draw, material, layout, own, labelled)
        )

    def _draw(
        self,
        material: Material,
        layout: Layout,
        own: Sequence[Sequence[str]],
        labelled: Sequence[tuple[str, int]],
        place: int,
    ) -> Pair:
        text, row = labelled[place // self.per_example]
        rng = material.random(self.name, *divmod(place, self.per_example))
        chosen = own[row][int(rng.integers(len(own[row])))]
        (tokens,) = encode_field(material.need_tokenizer(), [chosen])
        target = (layout.query_mark, *tokens, layout.separator)
        return Pair(self.source.replace(QUERY, text), (row,), target)
