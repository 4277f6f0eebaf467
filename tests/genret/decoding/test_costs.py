"""What a search costs: memory that does not grow with beams times source length, and no waiting for a device."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.decoding.steps.search import Search
from tests.genret.backbones import BACKBONES
from tests.genret.decoding.markov import EOS, MarkovBackbone, random_markov
from tests.genret.decoding.watching import PeakBytes, waits


def test_peak_memory_does_not_grow_with_beams_times_source_length() -> None:
    """Cross-attention keys and values copied per beam would show as a product of the two."""
    backbone = BACKBONES["t5"]()
    generator = torch.Generator().manual_seed(0)
    docids = torch.randint(5, 250, (5000, 4), generator=generator).tolist()
    constraint = TrieConstraint(DocidTrie.build(docids, backbone.eos_token_id))

    def peak(num_beams: int, length: int) -> int:
        ids = torch.randint(5, 250, (2, length), generator=generator)
        with torch.inference_mode():
            encoded = backbone.encode_ids(ids, torch.ones_like(ids))
        with PeakBytes() as mode:
            beam_search(backbone, encoded, constraint, num_beams=num_beams)
        return mode.peak

    few, many, short, long = 4, 64, 32, 2048
    product = peak(many, long) - peak(many, short) - peak(few, long) + peak(few, short)
    config = backbone.model.config
    per_place = (
        2 * config.num_layers * config.num_heads * config.d_kv * 4
    )  # keys and values of one source token
    copied = 2 * (many - few) * (long - short) * per_place
    assert product < copied / 20


def test_a_step_of_the_trie_waits_for_nothing() -> None:
    docids = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    state = constraint.start(3)
    for _ in range(4):
        size = int(constraint.counts(state).sum())
        with waits() as found:
            constraint.counts(state)
            successors = constraint.successors(state, size)
            state = constraint.advance(successors, torch.arange(min(size, 6)))
            constraint.remaining(state)
        assert not found


def test_a_step_of_the_engine_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One `tolist` a step, none for the trie, and a few for the results at the end."""
    generator = torch.Generator().manual_seed(0)
    docids = [row[: 4 + row[0] % 3] for row in torch.randint(2, 9, (300, 6), generator=generator).tolist()]
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    steps = []

    class Stepping(MarkovBackbone):
        def step(self, state, tokens, lengths=None):  # type: ignore[no-untyped-def]
            steps.append(tokens.dim())
            return super().step(state, tokens, lengths)

    model = Stepping(random_markov(2, 10, 1).tables)
    move, moved = Search._move, Counter[str]()
    with waits() as found:

        def watched(*args: Any) -> None:
            before = Counter(found)
            move(*args)
            moved.update(found - before)

        monkeypatch.setattr(Search, "_move", watched)
        beam_search(model, [0, 1], constraint, num_beams=4)
    passes = steps.count(2)  # tails, completed in one pass: these need to know how long each one is
    assert passes >= 1
    assert len(steps) - passes >= 3
    choices = len(steps) - passes + 1
    assert moved == {"tolist": choices, "nonzero": passes}
