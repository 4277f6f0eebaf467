"""CorpusBrain's pre-training tasks: sentences, leads and anchors lead to pages.

Chen et al., "CorpusBrain: Pre-train a Generative Retrieval Model for Knowledge-Intensive Language Tasks", CIKM
2022, section 3.2. A page is all passages of one title, a paragraph one of them; a page's docid is its first
passage's, which under title docids is every one's. Where a task's text lies beside anchors, the pages that some of
them link to are answers too, after the page itself: none to four of them, drawn by the paper's weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from genret.config import Count, Number, Weight, check_bounds
from genret.corpus.split import MIN_SENTENCE_WORDS, pick_sentence
from genret.errors import InputError
from genret.training.examples.sources.links import Links
from genret.training.examples.sources.passage_pages import titled_pages
from genret.training.examples.sources.source import Computed, Material, Pair, Source

__all__ = ["HyperlinkIdentifiers", "InnerSentences", "LeadParagraphs"]

IntArray = npt.NDArray[np.int64]
# How often none, one, two, three or four anchors give further answers.
ANCHOR_WEIGHTS = (0.7, 0.2, 0.05, 0.03, 0.02)
# Paragraphs of a context; each as likely as the other.
CONTEXTS = (1, 3)


@dataclass(frozen=True)
class _PageTask(Source):
    """A text from a context of one or three paragraphs of a page; answers: the page, then pages linked from there.

    Attributes:
        per_page: examples of each page.
        path: links or KILT's knowledge source; empty: the page is the only answer.
        anchor_weights: of none, one, two, ... further answers; where a context has fewer anchors, all of them.
        titles: a file of titles, one a line: only these pages give examples; empty: all do.
    """

    per_page: Count = 1
    path: str = ""
    anchor_weights: tuple[Weight, ...] = ANCHOR_WEIGHTS
    titles: str = ""

    def __post_init__(self) -> None:
        check_bounds(self)
        if not sum(self.anchor_weights) > 0:
            raise InputError(f"anchor_weights: expected one or more above 0, found {self.anchor_weights}.")

    def open(self, material: Material) -> Sequence[Pair]:
        links = Links.of(self.path, material) if self.path else None
        pages = titled_pages(self.titles, material.pages) if self.titles else range(len(material.pages))

        def draw(place: int) -> Pair:
            row, number = divmod(place, self.per_page)
            page = int(pages[row])
            return self._draw(material, links, page, material.random(self.name, page, number))

        return Computed(len(pages) * self.per_page, draw)

    def _draw(self, material: Material, links: Links | None, page: int, rng: np.random.Generator) -> Pair:
        rows = material.pages.rows(page)
        size = min(CONTEXTS[int(rng.integers(len(CONTEXTS)))], len(rows))
        first = self._first_paragraph(len(rows) - size, rng)
        texts = [material.passages[int(row)].body for row in rows[first : first + size]]
        linked = [] if links is None else self._anchors(links.of_page(page, first, first + size - 1), rng)
        return Pair(self._text(texts, rng), (int(rows[0]), *linked))

    def _anchors(self, targets: IntArray, rng: np.random.Generator) -> list[int]:
        weights = np.asarray(self.anchor_weights) / sum(self.anchor_weights)
        count = int(rng.choice(len(weights), p=weights))
        return [int(target) for target in rng.permutation(targets)[:count]]

    @abstractmethod
    def _first_paragraph(self, last: int, rng: np.random.Generator) -> int:
        """Where in the page the context begins, at most at `last`."""

    @abstractmethod
    def _text(self, paragraphs: Sequence[str], rng: np.random.Generator) -> str:
        """What is made of the context."""


@dataclass(frozen=True)
class InnerSentences(_PageTask):
    """Inner sentence selection (CorpusBrain, section 3.2): a sentence of any context of the page."""

    name: ClassVar[str] = "iss"
    min_words: Number = MIN_SENTENCE_WORDS

    def _first_paragraph(self, last: int, rng: np.random.Generator) -> int:
        return int(rng.integers(last + 1))

    def _text(self, paragraphs: Sequence[str], rng: np.random.Generator) -> str:
        return pick_sentence(paragraphs, rng, self.min_words)


@dataclass(frozen=True)
class LeadParagraphs(_PageTask):
    """Lead paragraph selection (CorpusBrain, section 3.2): the page's first one or three paragraphs."""

    name: ClassVar[str] = "lps"

    def _first_paragraph(self, last: int, rng: np.random.Generator) -> int:
        return 0

    def _text(self, paragraphs: Sequence[str], rng: np.random.Generator) -> str:
        return " ".join(paragraphs)


@dataclass(frozen=True)
class HyperlinkIdentifiers(Source):
    """Hyperlink identifier prediction (CorpusBrain, section 3.2): an anchor with its context leads to its page.

    Each link is one example; its context is one or three paragraphs, in a table the row or the row with its
    headings.

    Attributes:
        path: links or KILT's knowledge source.
        titles: a file of titles, one a line: only links to these pages; empty: to all.
    """

    name: ClassVar[str] = "hip"
    path: str = ""
    titles: str = ""

    def open(self, material: Material) -> Sequence[Pair]:
        links = Links.of(self.path, material)
        kept = np.arange(len(links))
        if self.titles:
            pages = titled_pages(self.titles, material.pages)
            kept = np.flatnonzero(np.isin(material.pages.page_of[links.targets], pages))

        def draw(place: int) -> Pair:
            row = int(kept[place])
            link, wide = links[row], material.random(self.name, row).integers(len(CONTEXTS))
            return Pair(link.wide if wide else link.context, (link.target,))

        return Computed(len(kept), draw)
