"""What a model cannot do exactly is not done with it; what is wrong even one sequence at a time is refused."""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch
from backbones import BACKBONES, byte_tokenizer, llama, opt, t5, umt5

from genret.errors import InputError
from genret.models import CausalBackbone
from genret.models.exactness import self_check
from genret.models.exactness.decoding import groups_of
from genret.models.exactness.grouped import Grouped, _State
from genret.models.exactness.paths import Paths
from genret.models.head import Head
from genret.models.sharing.cache import Past
from tests.genret.models.architectures import ARCHITECTURES


@pytest.mark.parametrize("name", ["BERT, both ways", "XLNet", "ProphetNet"])
def test_a_model_that_reads_what_comes_later_is_refused(name: str) -> None:
    """ProphetNet: its predicting streams take the relative positions of other places, later ones among them."""
    with pytest.raises(
        InputError, match="is not supported: computed without a cache, one sequence at a time"
    ):
        ARCHITECTURES[name]()


@pytest.mark.parametrize("build", [opt, umt5, llama, t5])
def test_a_misread_head_is_replaced_by_the_model_s_own(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Head, "prepare", lambda self, hidden: hidden.roll(1, -1))
    backbone = build()
    assert not backbone.paths.head
    assert "its output layer by itself (differs" in " ".join(backbone.proof.faults)


def test_a_model_that_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **more: Any) -> None:
        raise RuntimeError("shape mismatch\nin line 3")

    monkeypatch.setattr(CausalBackbone, "bare_logits", fail)
    with pytest.raises(InputError, match=r"it cannot be run on one sequence \(shape mismatch\)"):
        opt()


def test_a_cache_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(Past, "grow", lambda self, layer, keys, values, fed: (keys, values))
    with caplog.at_level(logging.WARNING):
        backbone = llama()
        CausalBackbone(backbone.model, byte_tokenizer())  # the same model: nothing new to say
    assert not backbone.paths.cache
    assert [record.getMessage().count("the cache") for record in caplog.records] == [1]


def test_positions_that_are_wrong_switch_padding_off(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Past.positions
    monkeypatch.setattr(Past, "positions", lambda *a: right(*a) * 2)
    for build in (llama, opt):
        paths = build().paths
        assert (paths.cache, paths.rows, paths.shared, paths.uneven) == (True, "equal", False, False)


def test_groups_are_of_equal_lengths_or_of_one_query() -> None:
    assert groups_of([3, 2, 3, 5], alone=False) == [[0, 2], [1], [3]]
    assert groups_of([3, 2, 3, 5], alone=True) == [[0], [1], [2], [3]]
    assert groups_of([], alone=True) == []


class Listed:
    """Decodes nothing: a group's state is a name, and the rows that it was reordered to."""

    def reorder(self, state: str, rows: torch.Tensor, rows_per_query: int | None) -> tuple[str, list[int]]:
        return state, rows.tolist()


def test_a_group_without_a_row_is_dropped() -> None:
    grouped: Any = Grouped(Listed(), alone=False)  # type: ignore[arg-type]
    places = torch.tensor([0, 2]), torch.tensor([1])
    found = grouped.reorder(_State(("long", "short"), places), torch.tensor([2, 0, 2]), None)
    assert found.states == (("long", [1, 0, 1]),)
    assert [rows.tolist() for rows in found.places] == [[0, 1, 2]]
    both = grouped.reorder(_State(("long", "short"), places), torch.tensor([1, 2]), None)
    assert both.states == (("long", [1]), ("short", [0]))
    assert [rows.tolist() for rows in both.places] == [[1], [0]]


def test_the_check_leaves_the_mode_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = opt().model
    for training in (True, False):
        # A model that was checked before is not checked again.
        monkeypatch.setattr(self_check, "_found", WeakKeyDictionary())
        assert CausalBackbone(model.train(training), byte_tokenizer()).training is training
        assert model.training is training
        assert self_check._found[model]


def test_all_paths_of_known_types_are_proven_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The common case costs one pass over the cases: nothing is tried one by one."""
    tried: list[Paths] = []
    fault = self_check._Check._fault
    monkeypatch.setattr(
        self_check._Check,
        "_fault",
        lambda self, paths, asked: tried.append(paths) or fault(self, paths, asked),
    )
    for name in sorted(BACKBONES):
        tried.clear()
        backbone = BACKBONES[name]()
        assert len(tried) == hasattr(backbone, "proof")
        assert not hasattr(backbone, "proof") or backbone.proof.faults == ()


@torch.no_grad()
def test_frequencies_that_grew_with_a_long_sequence_are_forgotten() -> None:
    backbone = ARCHITECTURES["Llama, dynamic RoPE"]()
    sequences = [torch.arange(5, 5 + length)[None] for length in (30, 60, 30)]
    first, _, again = (backbone.run(input_ids=ids, use_cache=False)[:, -1] for ids in sequences)
    assert torch.equal(first, again)


@torch.no_grad()
def test_beyond_a_dynamic_rope_s_length_is_refused_and_below_it_exact() -> None:
    backbone = ARCHITECTURES["Llama, dynamic RoPE"]()
    assert (backbone.paths.reach, backbone.paths.beyond) == (24, "none")
    backbone.start(backbone.sources([[5] * 20, [6] * 3]))
    with pytest.raises(InputError, match="longer than 24 tokens"):
        backbone.start(backbone.sources([[5] * 30, [6] * 3]))
