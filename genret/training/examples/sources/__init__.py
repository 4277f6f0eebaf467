"""Sources of training examples, by the names that configurations use.

A further source is a frozen dataclass that inherits from `Source`, with its paper and section in the docstring,
and an entry in `SOURCES`; a guest's needs no entry (see `genret.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genret.plugins import Door
from genret.training.examples.sources.corpusbrain import HyperlinkIdentifiers, InnerSentences, LeadParagraphs
from genret.training.examples.sources.documents import DocumentsAsQueries, FirstWords, Sentences
from genret.training.examples.sources.embedding_tasks import BodyFirstSelection, InverseCloze, WikiLinks
from genret.training.examples.sources.evaluation_queries import EvaluationQueries, Guarded
from genret.training.examples.sources.ngram_targets import PseudoQueryNgrams, QueryNgrams, SpanNgrams
from genret.training.examples.sources.pair import Pair
from genret.training.examples.sources.query_pairs import Labelled, SyntheticQueries
from genret.training.examples.sources.representative_words import RepresentativeWords
from genret.training.examples.sources.source import Computed, Material, Source, preview

__all__ = [
    "SOURCES",
    "SOURCE_DOOR",
    "Computed",
    "EvaluationQueries",
    "Guarded",
    "Material",
    "Pair",
    "Source",
    "make_source",
    "preview",
]

SOURCES: dict[str, type[Source]] = {
    kind.name: kind
    for kind in (
        FirstWords,
        DocumentsAsQueries,
        Sentences,
        Labelled,
        SyntheticQueries,
        InnerSentences,
        LeadParagraphs,
        HyperlinkIdentifiers,
        InverseCloze,
        BodyFirstSelection,
        WikiLinks,
        RepresentativeWords,
        QueryNgrams,
        SpanNgrams,
        PseudoQueryNgrams,
    )
}


SOURCE_DOOR: Door[Source] = Door("source", SOURCES, Source)


def make_source(name: str, options: Mapping[str, Any], where: str = "sources") -> Source:
    """The source that a configuration describes under `name`: its options, and its `kind` where that is not the name.

    Raises:
        InputError: no source has this name, or an option is wrong.
    """
    place = f"{where}.{name}"
    given = {key: value for key, value in options.items() if key != "kind"}
    return SOURCE_DOOR.make(str(options.get("kind", name)), given, place)
