"""The pre-training tasks of dense retrieval, with docids in the place of passage vectors.

Chang et al., "Pre-training Tasks for Embedding-based Large-scale Retrieval", ICLR 2020, section 3.2. There a task
gives a query and the passage that it must be near to; here the query leads to that passage's docid. The first
section of a page is its first passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genret.config import Count, Number, check_bounds
from genret.corpus.split import MIN_SENTENCE_WORDS, pick_sentence
from genret.training.examples.sources.links import UNKNOWN, Links
from genret.training.examples.sources.source import Computed, Material, Pair, Source

__all__ = ["BodyFirstSelection", "InverseCloze", "WikiLinks"]


@dataclass(frozen=True)
class InverseCloze(Source):
    """Inverse cloze task: a random sentence of a passage leads to the passage (Lee et al., ACL 2019, section 4).

    Attributes:
        per_passage: examples of each passage.
        min_words: shorter sentences are not drawn; a passage without a longer one gives its whole text.
    """

    name: ClassVar[str] = "ict"
    per_passage: Count = 1
    min_words: Number = MIN_SENTENCE_WORDS

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        def draw(place: int) -> Pair:
            row, number = divmod(place, self.per_passage)
            rng = material.random(self.name, row, number)
            return Pair(pick_sentence([material.passages[row].body], rng, self.min_words), (row,))

        return Computed(len(material.passages) * self.per_passage, draw)


@dataclass(frozen=True)
class BodyFirstSelection(Source):
    """Body first selection: a sentence of a page's first passage leads to another passage of the page.

    One example for each passage that is not the first of its page; a corpus of single passages has none.
    """

    name: ClassVar[str] = "bfs"
    min_words: Number = MIN_SENTENCE_WORDS

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        pages = material.pages
        bodies = np.flatnonzero([row != pages.rows(int(page))[0] for row, page in enumerate(pages.page_of)])

        def draw(place: int) -> Pair:
            row = int(bodies[place])
            first = int(pages.rows(int(pages.page_of[row]))[0])
            rng = material.random(self.name, row)
            return Pair(pick_sentence([material.passages[first].body], rng, self.min_words), (row,))

        return Computed(len(bodies), draw)


@dataclass(frozen=True)
class WikiLinks(Source):
    """Wiki link prediction: a sentence of a page's first passage leads to a passage that links to the page.

    One example for each link between two pages of the corpus; the linking passage is the paragraph that holds the
    anchor, a table's page's first passage.

    Attributes:
        path: links or KILT's knowledge source.
    """

    name: ClassVar[str] = "wlp"
    path: str = ""
    min_words: Number = MIN_SENTENCE_WORDS

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        links, pages = Links.of(self.path, material), material.pages
        known = np.flatnonzero(links.pages != UNKNOWN)

        def draw(place: int) -> Pair:
            link = links[int(known[place])]
            rows = pages.rows(link.page)
            linking = int(rows[max(0, min(link.paragraph, len(rows) - 1))])
            rng = material.random(self.name, place)
            first = int(pages.rows(int(pages.page_of[link.target]))[0])
            return Pair(pick_sentence([material.passages[first].body], rng, self.min_words), (linking,))

        return Computed(len(known), draw)
