"""Lazy Adam by rows against a dense one that masks, and against AdamW where every row is touched."""

from __future__ import annotations

import pytest
import torch
from backbones import BACKBONES
from floats import FORWARD, SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import options, sampled, tiny_trainer

from genret.errors import InputError
from genret.training.engines.row_adam import RowAdam, clip_factor
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.loop.training_options import OptimizerOptions

OPTIONS = OptimizerOptions()


def table(height: int = 7, width: int = 3) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(height, width, generator=torch.Generator().manual_seed(1)))


def touch(parameter: torch.nn.Parameter, rows: list[int], step: int) -> None:
    """A gradient on `rows`, repeats added up, as two look-ups leave it."""
    generator = torch.Generator().manual_seed(step)
    values = torch.randn(len(rows), parameter.shape[1], generator=generator)
    index = torch.tensor(rows, dtype=torch.int64)[None]
    parameter.grad = torch.sparse_coo_tensor(index, values, parameter.shape, check_invariants=False)


class DenseLazyAdam:
    """All moments, all rows; a mask says which rows change."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight, self.steps = weight.clone(), 0
        self.mean, self.square = torch.zeros_like(weight), torch.zeros_like(weight)

    def step(self, gradient: torch.Tensor, touched: torch.Tensor, rate: float) -> None:
        first, second = OPTIONS.adam_beta1, OPTIONS.adam_beta2
        self.steps += 1
        mean = first * self.mean + (1 - first) * gradient
        square = second * self.square + (1 - second) * gradient**2
        scale = (1 - second**self.steps) ** 0.5 / (1 - first**self.steps)
        change = rate * scale * mean / (square.sqrt() + OPTIONS.adam_epsilon)
        mask = touched[:, None]
        self.mean = torch.where(mask, mean, self.mean)
        self.square = torch.where(mask, square, self.square)
        self.weight = torch.where(mask, self.weight - change, self.weight)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=9), min_size=1, max_size=6))
def test_rows_change_as_a_dense_lazy_adam_changes_them(steps):
    fast = table()
    slow = DenseLazyAdam(fast.detach())
    optimizer = RowAdam({"t": fast}, OPTIONS)
    for number, rows in enumerate(steps):
        touch(fast, rows, number)
        dense = fast.grad.to_dense()
        touched = torch.zeros(7, dtype=torch.bool)
        touched[rows] = True
        assert_close(optimizer.collect(), float(dense.norm()), relative=SINGLE)
        assert fast.grad is None
        optimizer.step(0.1, 0.5)
        slow.step(dense * 0.5, touched, 0.1)
        assert_close(fast.detach(), slow.weight, ulps=FORWARD)


def test_where_every_row_is_touched_it_is_adamw():
    lazy, dense = table(), table()
    by_rows = RowAdam({"t": lazy}, OPTIONS)
    betas = (OPTIONS.adam_beta1, OPTIONS.adam_beta2)
    plain = torch.optim.AdamW([dense], lr=0.01, betas=betas, weight_decay=0.0)
    for step in range(5):
        touch(lazy, list(range(7)), step)
        dense.grad = lazy.grad.to_dense()
        by_rows.collect()
        by_rows.step(0.01, 1.0)
        plain.step()
    assert_close(lazy, dense, ulps=FORWARD)


def test_state_that_is_loaded_goes_on_as_before():
    first, second = table(), table()
    one, other = RowAdam({"t": first}, OPTIONS), RowAdam({"t": second}, OPTIONS)
    for step in range(6):
        if step == 3:
            whole = {entry: value.clone() for entry, value in one.whole("t").items()}
            other.load("t", whole.pop("weight"), whole)
        touch(first, [step, 6], step)
        one.collect()
        one.step(0.1, 1.0)
        if step >= 3:
            touch(second, [step, 6], step)
            other.collect()
            other.step(0.1, 1.0)
    assert torch.equal(first, second)


def test_a_factor_clips_as_torch_does():
    for norm, limit in ((0.5, 1.0), (7.0, 1.0), (7.0, 0.0)):
        parameter = torch.nn.Parameter(torch.zeros(1))
        parameter.grad = torch.tensor([norm])
        torch.nn.utils.clip_grad_norm_([parameter], limit or float("inf"))
        assert_close(norm * clip_factor(norm, limit), float(parameter.grad), relative=SINGLE)


@pytest.mark.parametrize("name", ["t5", "bart-untied", "bert2bert", "gpt2", "llama", "frozen"])
def test_tables_of_every_backbone_get_sparse_gradients(name):
    backbone = BACKBONES[name]()
    assert TrainingModule(backbone, CrossEntropy()).row_tables() == {}
    tables = TrainingModule(backbone, CrossEntropy(), by_rows=True).row_tables()
    assert {len(one) for one in tables.values()} == {backbone.vocab_size}
    states = backbone.target_states(backbone.encode(["who lies near paris"]), torch.tensor([[5, 6]]))
    backbone.logits(states, torch.tensor([5, 9])).sum().backward()
    output = next(one for one in tables.values() if one is backbone_output(backbone))
    assert output.grad.is_sparse
    assert {5, 9} <= set(output.grad.coalesce().indices()[0].tolist())


def backbone_output(backbone):
    return backbone.model.get_output_embeddings().weight


@pytest.mark.parametrize("stage", [0, 3])
def test_stages_that_cannot_update_rows_are_refused(tmp_path, stage):
    with pytest.raises(InputError, match=f"zero_stage must be 1 or 2, found {stage}"):
        tiny_trainer(tmp_path, options("deepspeed", stage), objective=sampled())
