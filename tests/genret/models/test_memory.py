"""What decoding keeps and copies: the source once per query, never once per beam."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from backbones import frozen, gpt2, llama, t5
from floats import FORWARD, assert_close
from torch.utils._python_dispatch import TorchDispatchMode

QUERIES = 2


def long_texts(words: int) -> list[str]:
    return [" ".join(["river"] * words)] * QUERIES


class Largest(TorchDispatchMode):
    """The largest tensor that any operation gave while it was on, in elements of storage; views do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        known = {id(part.untyped_storage()) for part in args if isinstance(part, torch.Tensor)}
        for part in result if isinstance(result, tuple | list) else (result,):
            if (
                isinstance(part, torch.Tensor)
                and not part._is_view()
                and id(part.untyped_storage()) not in known
            ):
                self.elements = max(self.elements, part.numel())
        return result


def largest_of_a_step(backbone: Any, words: int, beams: int) -> int:
    """The largest new tensor of reordering and stepping, head aside."""
    _, state = backbone.start(backbone.encode(long_texts(words)))
    rows = torch.arange(QUERIES).repeat_interleave(beams)
    with Largest() as seen, torch.no_grad():
        state = backbone.reorder(state, rows)
        for _ in range(2):
            _, state = backbone.step(state, torch.full((len(rows),), 5))
            state = backbone.reorder(state, torch.arange(len(rows)).flip(0).sort().values)
    return seen.elements


WIDTH = 32  # of the decoders here
BEAMS = 40


@pytest.mark.parametrize("build", [t5, lambda: frozen(max_source_tokens=64, memory_tokens=64)])
def test_a_step_never_makes_a_tensor_of_beams_times_source(build: Any) -> None:
    backbone = build()
    source = backbone.source_lengths(long_texts(60))[0]
    assert source > 60
    few, many = (largest_of_a_step(backbone, words, BEAMS) for words in (1, 60))
    assert many <= few + QUERIES * source * 4 * WIDTH


def test_the_test_above_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genret.models.encoder_decoder.SHARING_TYPES", frozenset())
    backbone = t5()
    source = backbone.source_lengths(long_texts(60))[0]
    assert largest_of_a_step(backbone, 60, BEAMS) >= BEAMS * QUERIES * source * WIDTH


def test_the_source_is_stored_once_per_query_whatever_the_beams() -> None:
    for backbone in (t5(), frozen(), llama(), gpt2()):
        _, state = backbone.start(backbone.encode(long_texts(5)))
        stored = [keys.data_ptr() for keys, _ in state.memory.layers]
        state = backbone.reorder(state, torch.arange(QUERIES).repeat_interleave(30))
        _, state = backbone.step(state, torch.full((QUERIES * 30,), 5))
        state = backbone.reorder(
            state, torch.randint(0, 30, (60,)) + torch.tensor([0, 30]).repeat_interleave(30)
        )
        _, state = backbone.step(state, torch.full((QUERIES * 30,), 6))
        assert [keys.data_ptr() for keys, _ in state.memory.layers] == stored
        assert all(len(keys) == QUERIES for keys, _ in state.memory.layers)


def test_queries_without_rows_are_forgotten() -> None:
    for backbone in (t5(), frozen(), llama()):
        _, state = backbone.start(backbone.encode(long_texts(5)))
        state = backbone.reorder(state, torch.tensor([1, 1, 1]))
        assert all(len(keys) == 1 for keys, _ in state.memory.layers)


def test_rows_that_stay_are_not_copied() -> None:
    backbone = t5()
    _, state = backbone.start(backbone.encode(long_texts(5)))
    _, state = backbone.step(state, torch.tensor([5, 6]))
    assert backbone.reorder(state, torch.tensor([0, 1])).past is state.past
    assert backbone.reorder(state, torch.tensor([1, 0])).past.layers[0][0] is state.past.layers[0][0]


@torch.no_grad()
def test_models_with_attention_of_their_own_decode_with_expanded_caches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where transformers' attention cannot be replaced: the same logits, at the price of a copy per beam."""
    shared = t5()
    monkeypatch.setattr("genret.models.encoder_decoder.SHARING_TYPES", frozenset())
    expanded = t5()
    results = []
    for backbone in (shared, expanded):
        _, state = backbone.start(backbone.encode(["where lies paris", "who"]))
        state = backbone.reorder(state, torch.tensor([1, 0, 0]))
        hidden, state = backbone.step(state, torch.tensor([7, 8, 9]))
        hidden, state = backbone.step(backbone.reorder(state, torch.tensor([2, 0])), torch.tensor([5, 6]))
        results.append(backbone.logits(hidden))
        assert len(state.memory.layers[0][0]) == 2
    assert_close(*results, ulps=FORWARD)


@torch.no_grad()
def test_causal_models_of_other_types_carry_their_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = llama()
    monkeypatch.setattr("genret.models.causal.SHARING_TYPES", frozenset())
    expanded = llama()
    results = []
    for backbone in (shared, expanded):
        _, state = backbone.start(backbone.encode(["where lies paris", "who"]))
        assert (state.memory is None) == (backbone is expanded)
        state = backbone.reorder(state, torch.tensor([1, 0, 0]))
        hidden, state = backbone.step(state, torch.tensor([7, 8, 9]))
        hidden, state = backbone.step(
            backbone.reorder(state, torch.tensor([2, 0, 1])), torch.tensor([5, 6, 5])
        )
        results.append(backbone.logits(hidden))
    assert_close(*results, ulps=FORWARD)
