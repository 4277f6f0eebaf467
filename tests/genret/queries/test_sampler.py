"""Sampling: against one source at a time without any cache, and the truncated distribution by its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backbones import BACKBONES
from floats import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import InputError
from genret.queries.sampler import Sampling, sample_tokens, truncated_choice

SOURCES = ["the river lies near paris", "who", "a city of the mountain and the river rome run walk read"]


def slow(backbone, source: str, number: int, sampling: Sampling, seed: int) -> list[list[int]]:
    """Each sample by itself, the whole text through the model at every token."""
    uniforms = np.random.default_rng([seed, number]).random((sampling.per_source, sampling.max_tokens))
    stops = {backbone.eos_token_id, *backbone.tokenizer("\n", add_special_tokens=False)["input_ids"][-1:]}
    found = []
    for row in uniforms:
        tokens: list[int] = []
        for uniform in row:
            targets = torch.tensor([[*tokens, backbone.pad_token_id]])
            with torch.inference_mode():
                logits = backbone.target_logits(backbone.encode([source]), targets)[0, -1].double()
            order = (logits / sampling.temperature).softmax(0).sort(descending=True)
            kept, total = [], 0.0
            for prob, token in zip(order.values.tolist(), order.indices.tolist(), strict=True):
                if len(kept) == sampling.top_k or total >= sampling.top_p:
                    break
                kept.append((token, prob))
                total += prob
            left, chosen = uniform * total, kept[-1][0]
            for token, prob in kept:
                if left < prob:
                    chosen = token
                    break
                left -= prob
            if chosen in stops:
                break
            tokens.append(chosen)
        found.append(tokens)
    return found


@pytest.mark.parametrize("name", ["bart", "llama"])
def test_batches_with_shared_sources_draw_what_single_ones_do(name):
    backbone = BACKBONES[name]().eval()
    sampling = Sampling(per_source=3, top_k=5, top_p=0.8, temperature=0.7, max_tokens=6, batch_tokens=40)
    found = sample_tokens(backbone, SOURCES, sampling, numbers=[7, 8, 9], seed=4)
    for source, number, drawn in zip(SOURCES, (7, 8, 9), found, strict=True):
        assert drawn == slow(backbone, source, number, sampling, 4)
    assert len({str(drawn) for drawn in found}) > 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-40, 40).map(lambda tenths: tenths / 10), min_size=2, max_size=8, unique=True),
    st.integers(1, 8),
    st.floats(0.05, 1.0),
    st.floats(0.2, 3.0),
)
def test_choices_have_the_truncated_distribution(values, top_k, top_p, temperature):
    """Uniforms on a fine grid: each token comes as often as its share of what is kept."""
    sampling = Sampling(top_k=top_k, top_p=top_p, temperature=temperature)
    grid = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    logits = torch.tensor([values], dtype=torch.float64)
    chosen = truncated_choice(logits.expand(4000, -1), grid, sampling)
    probs = (logits[0] / temperature).softmax(0)
    best = probs.topk(min(top_k, len(values)))
    kept = best.values * ((best.values.cumsum(0) - best.values) < top_p)
    expected = torch.zeros(len(values), dtype=torch.float64)
    expected[best.indices] = kept / kept.sum()
    found = torch.bincount(chosen, minlength=len(values)).double() / 4000
    assert_close(found, expected, within=1 / 4000)  # one step of the grid


def test_the_last_uniform_stays_inside_the_nucleus():
    sampling = Sampling(top_k=5, top_p=0.5)
    chosen = truncated_choice(torch.tensor([[3.0, 0.0, 0.0, 0.0]]), torch.tensor([1.0 - 1e-17]), sampling)
    assert chosen.tolist() == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k: expected at least 1"),
        ({"top_p": 0.0}, "top_p"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        Sampling(**options)
