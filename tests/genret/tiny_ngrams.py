"""A small corpus, byte-level models and the n-gram retrievers over it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backbones import t5

from fm_index.weights import ScoringOptions
from genret.corpus import Passage, PassageStore
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.retrieval.ngrams import NgramOptions, NgramRetriever, View

PASSAGES = [
    Passage("seine", "Seine", "The Seine is a river  in France."),
    Passage("rome", "Rome", "The city of Rome\nlies on a river."),
    Passage("alps", "Alps", "The Alps are mountains; Mont Blanc is in France."),
    Passage("none", "", "A text without a title, in rome."),
    Passage("last", "Zebra", "A zebra has stripes."),
]
QUERIES = ["which river lies in france", "stripes of the zebra"]
VIEWS = {
    "body": View(length=5),
    "title": View(source="{query} || title", prefix="title", suffix="separator", length=8),
    "pseudo": View(prefix="query", suffix="separator", length=30, bonus=2.0),
    "query": View(keys="query", length=2, weight=0.5),
    "unigrams": View(keys="unigrams", count=20),
}
# In a corpus of a few lines a random model finds nothing likelier than its frequency.
LM_ONLY = ScoringOptions(lm_only=True)
PSEUDO: list[list[str]] = [["what river is in paris"], [], ["how high", "what is high"], [], []]


def text_index(folder: Path, tokenizer: Any, pseudo: Sequence[Sequence[str]] | None = PSEUDO) -> TextIndex:
    store = PassageStore.build(PASSAGES)
    build_text_index(
        store, tokenizer, folder, layout=Layout.of(tokenizer), pseudo_queries=pseudo, overwrite=True
    )
    return TextIndex.load(folder)


def marked_t5() -> Any:
    """A byte-level T5 whose tokenizer has a second mark beside the newline."""
    backbone = t5()
    backbone.extend_vocabulary(["<query>"])
    backbone.tokenizer.add_special_tokens({"additional_special_tokens": ["<query>"]})
    return backbone


def retriever(folder: Path, **changes: Any) -> NgramRetriever:
    backbone = marked_t5()
    settings = NgramOptions(
        **{"views": VIEWS, "num_beams": 4, "batch_size": 8, "scoring": LM_ONLY, **changes}
    )
    return NgramRetriever(backbone, text_index(folder, backbone.tokenizer), settings)
