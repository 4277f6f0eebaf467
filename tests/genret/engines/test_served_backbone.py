"""A model that an engine serves, in our search: the beams of the model itself. The engine is a stand-in over its logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from backbones import llama
from floats import FORWARD, LOGITS, assert_close

from docid import DocidTrie
from fm_index import FMIndex
from genret.constraint import Constraint, FMIndexConstraint, NoConstraint, TrieConstraint
from genret.decoding import beam_search, sample, score_all
from genret.errors import InputError, UsageError
from genret.models import load_backbone
from genret.models.backbone import Backbone, Draw
from genret.models.causal import CausalBackbone
from genret.models.served.served_backbone import ServedBackbone
from genret.queries import Sampling, sample_texts

TEXTS = ["where lies paris", "who", "rome"]
DOCIDS = [[10, 11, 12], [10, 11, 13], [10, 14], [20, 21], [20, 21], [10], [30, 31, 32, 33, 34]]


class Logits:
    """A `TokenEngine` that computes every sequence whole, by itself."""

    def __init__(self, backbone: CausalBackbone) -> None:
        self.model = backbone.model
        self.vocab_size, self.eos_token_id = backbone.vocab_size, backbone.eos_token_id
        self.asked: list[int | None] = []

    def log_probs(
        self, prefixes: Sequence[list[int]], wanted: Sequence[np.ndarray[Any, Any] | None]
    ) -> list[np.ndarray[Any, Any]]:
        found = []
        for prefix, tokens in zip(prefixes, wanted, strict=True):
            with torch.inference_mode():
                logits = self.model(torch.tensor([prefix])).logits[0, -1]
            every = logits.float().log_softmax(0).numpy()
            found.append(every if tokens is None else every[tokens])
            self.asked.append(None if tokens is None else len(tokens))
        return found

    def draw(self, prefixes: Sequence[list[int]], seeds: Sequence[int], how: Draw) -> list[list[int]]:
        assert self.eos_token_id in how.stops
        return [[seed % 100 + 3, 70] for seed in seeds]


def pair() -> tuple[CausalBackbone, ServedBackbone]:
    own = llama()
    return own, ServedBackbone(Logits(own), own.tokenizer, config=own.model.config)


def check(constraint: Constraint, **options: Any) -> ServedBackbone:
    own, served = pair()
    backbone = cast(Backbone, served)
    mine = beam_search(own, own.encode(TEXTS), constraint, **options)
    found = beam_search(backbone, backbone.encode(TEXTS), constraint, **options)
    for expected, row in zip(mine, found, strict=True):
        assert [one.tokens for one in row] == [one.tokens for one in expected]
        assert [one.documents for one in row] == [one.documents for one in expected]
        for one, other in zip(row, expected, strict=True):
            assert_close(one.token_log_probs, other.token_log_probs, ulps=FORWARD, scale=LOGITS)
    return served


@pytest.mark.parametrize("score", ["full", "renormalised"])
@pytest.mark.parametrize("num_beams", [1, 3, 10])
def test_beams_over_docids(score: str, num_beams: int) -> None:
    served = check(TrieConstraint(DocidTrie.build(DOCIDS, eos=1)), num_beams=num_beams, score=score)
    # Nothing but legal tokens is asked for.
    assert isinstance(served.engine, Logits)
    assert all(count is not None and count <= 3 for count in served.engine.asked)


def test_beams_over_ngrams_and_over_everything() -> None:
    tokens = np.array([40, 41, 42, 41, 43, 50, 40, 41, 44])
    index = FMIndex.build(tokens, np.array([0, 5, 9]), vocab_size=300)
    check(FMIndexConstraint(index, eos=1), num_beams=4, max_length=5)
    check(NoConstraint(300, 1), num_beams=3, max_length=4)


def test_prefixes_and_filters() -> None:
    constraint = TrieConstraint(DocidTrie.build(DOCIDS, eos=1))
    check(constraint, num_beams=5, prefixes=[[10, 11], [], [20]], filters=[None, [2, 6], None])


def test_every_docid_and_samples() -> None:
    own, served = pair()
    backbone, constraint = cast(Backbone, served), TrieConstraint(DocidTrie.build(DOCIDS, eos=1))
    mine, found = (score_all(one, one.encode(TEXTS), constraint) for one in (own, backbone))
    assert [[h.tokens for h in row] for row in mine] == [[h.tokens for h in row] for row in found]
    mine, found = (sample(one, one.encode(TEXTS), constraint, 4, seed=3) for one in (own, backbone))
    assert [[h.tokens for h in row] for row in mine] == [[h.tokens for h in row] for row in found]


def test_an_engine_draws_texts_by_itself() -> None:
    _, served = pair()
    sampling = Sampling(per_source=2, max_tokens=4)
    first = sample_texts(cast(Backbone, served), TEXTS, sampling, numbers=[4, 5, 6], seed=1)
    again = sample_texts(cast(Backbone, served), TEXTS[1:], sampling, numbers=[5, 6], seed=1)
    assert [len(row) for row in first] == [2, 2, 2]
    # What is drawn for a source depends on its number, not on the sources beside it.
    assert first[1:] == again
    assert len({text for row in first for text in row}) > 3


def test_what_an_engine_cannot_do_is_refused() -> None:
    _, served = pair()
    backbone, constraint = cast(Backbone, served), TrieConstraint(DocidTrie.build(DOCIDS, eos=1))
    with pytest.raises(UsageError, match="raw"):
        beam_search(backbone, backbone.encode(TEXTS), constraint, score="raw")
    with pytest.raises(UsageError, match="cannot be trained"):
        served.train()
    with pytest.raises(UsageError, match="cannot be saved"):
        served.save_pretrained("x")
    with pytest.raises(InputError, match="vLLM runs causal models"):
        load_backbone("vllm:somewhere", "encoder-decoder")
