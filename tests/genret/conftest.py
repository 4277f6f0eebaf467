"""Beside this file lie helpers that tests below import by name: `from backbones import BACKBONES`."""

from __future__ import annotations

import pytest
from backbones import DOCID_TOKENS, frozen

from docid import DocidTable
from genret.corpus import Passage, PassageStore
from genret.retrieval.docids import GenerativeRetriever

# Words that the tiny encoder knows.
WORDS = ("river", "city", "mountain", "paris", "rome", "walk", "read", "run")


@pytest.fixture
def passages() -> list[Passage]:
    """Sixteen passages."""
    return [
        Passage(f"{first}.{second}", f"{first} {second}", f"the {first} lies near the {second}")
        for first in WORDS[:4]
        for second in WORDS[4:]
    ]


@pytest.fixture
def tiny_retriever(passages: list[Passage]) -> GenerativeRetriever:
    """Random weights; docids of two tokens, such as <a_0> <b_3>."""
    backbone = frozen()
    codes = [(number // 4, number % 4) for number in range(len(passages))]
    strings = [f"{first}-{second}" for first, second in codes]
    sequences = [[-1 - first, -1 - (8 + second)] for first, second in codes]
    ids = backbone.extend_vocabulary(DOCID_TOKENS)
    table = DocidTable.build(strings, sequences, DOCID_TOKENS).bind(ids)
    return GenerativeRetriever(backbone, table, PassageStore.build(passages))
