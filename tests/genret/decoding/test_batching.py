"""Texts in batches by tokens: every text once, in its order, and the same as one by one."""

from __future__ import annotations

import pytest
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search, search_texts
from genret.decoding.batching import batches_by_tokens
from tests.genret.backbones import BACKBONES, TEXTS


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120), st.integers(1, 8))
def test_batches_hold_every_place_once_and_obey_their_limits(
    lengths: list[int], tokens: int, queries: int
) -> None:
    batches = list(batches_by_tokens(lengths, tokens, queries))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= queries
        assert len(batch) == 1 or max(lengths[place] for place in batch) * len(batch) <= tokens
    flat = [lengths[place] for batch in batches for place in batch]
    assert flat == sorted(flat, reverse=True)


@pytest.mark.parametrize("name", ["t5", "gpt2", "frozen"])
def test_batches_change_nothing(name: str) -> None:
    backbone = BACKBONES[name]()
    docids = [[5, 6], [5, 7, 8], [9], [10, 5], [10, 6]]
    constraint = TrieConstraint(DocidTrie.build(docids, backbone.eos_token_id))
    texts = TEXTS * 3
    found = search_texts(
        backbone,
        texts,
        lambda encoded, _: beam_search(backbone, encoded, constraint, 3),
        tokens=64,
        queries=5,
    )
    for text, hypotheses in zip(texts, found, strict=True):
        alone = beam_search(backbone, backbone.encode([text]), constraint, 3)[0]
        assert [h.tokens for h in hypotheses] == [h.tokens for h in alone]
        assert_close([h.score for h in hypotheses], [h.score for h in alone], ulps=FORWARD, scale=LOGITS)


def test_places_carry_options_that_belong_to_a_text() -> None:
    backbone = BACKBONES["t5"]()
    constraint = TrieConstraint(DocidTrie.build([[5], [6], [7], [8]], backbone.eos_token_id))
    filters = [[0], [1], [2], [3]]
    found = search_texts(
        backbone,
        TEXTS,
        lambda encoded, places: beam_search(
            backbone, encoded, constraint, filters=[filters[p] for p in places]
        ),
        queries=2,
    )
    assert [[h.documents for h in row] for row in found] == [[[0]], [[1]], [[2]], [[3]]]
