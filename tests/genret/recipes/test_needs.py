"""The plan's arithmetic against what a model and its optimizer really hold."""

from __future__ import annotations

import pytest
from floats import assert_close
from tiny_run import options, sampled, tiny_trainer

from genret.errors import InputError
from genret.recipes.needs import (
    Shape,
    activation_memory,
    duration,
    model_shape,
    plan_lines,
    sampled_rows,
    state_memory,
)
from genret.recipes.recipe_options import DocidModelOptions
from genret.training.engines.state_files import MOMENTS


def test_a_plain_engine_holds_what_the_plan_says(tmp_path):
    trainer = tiny_trainer(tmp_path, options(max_steps=1, save_steps=0))
    engine = trainer.engine
    batch = trainer.feed.batches(0)[0]
    engine.backward(engine.loss(batch).mean)
    parameters = list(engine.parameters.values())
    gradients = sum(p.grad.nbytes for p in parameters)
    engine.step(1e-3)
    moments = sum(
        value.nbytes
        for state in engine.optimizer.state.values()
        for name, value in state.items()
        if name != "step"
    )
    count = sum(p.numel() for p in parameters)
    planned = state_memory(count, 0, 1, bf16=False)
    assert planned.parameters == sum(p.nbytes for p in parameters)
    assert planned.gradients == gradients
    assert planned.optimizer == moments
    assert planned.device == 16 * count


def test_the_papers_figures():
    # ZeRO, figure 1: 7.5 billion parameters on 64 devices in half precision: 120, 31.4, 16.6 and 1.9 GB.
    found = [state_memory(7_500_000_000, stage, 64, bf16=True).device / 1e9 for stage in range(4)]
    assert_close(found, [120, 31.4, 16.6, 1.9], within=0.05)


def test_offloading_moves_the_optimizer_to_the_host():
    kept = state_memory(1000, 2, 4, bf16=True)
    moved = state_memory(1000, 2, 4, bf16=True, offload=True)
    assert moved.host == kept.optimizer
    assert moved.device == kept.device - kept.optimizer


def test_a_table_updated_by_rows_holds_what_the_plan_says(tmp_path):
    trainer = tiny_trainer(tmp_path, options(max_steps=1, save_steps=0), objective=sampled())
    engine = trainer.engine
    batch = trainer.feed.batches(0)[0]
    engine.backward(engine.loss(batch).mean)
    ((name, table),) = engine.rows.tables.items()
    gradient = table.grad.coalesce().values().nbytes
    engine.step(1e-3)
    state = sum(value.nbytes for entry, value in engine.rows.whole(name).items() if entry in MOMENTS)
    shape = Shape(sum(p.numel() for p in engine.parameters.values()), table.numel(), 32, 4, 4, len(table))
    rows = sampled_rows(shape, 10_000, 64)
    dense = shape.parameters - table.numel()
    planned = state_memory(shape.parameters, 0, 1, bf16=False, rows=rows)
    assert planned.parameters == 4 * shape.parameters
    assert planned.optimizer == 8 * dense + state
    assert 4 * dense + gradient <= planned.gradients <= 4 * shape.parameters


def test_a_sampled_loss_needs_no_gradient_and_no_logits_of_the_whole_table():
    shape = Shape(7_000_000_000, 6_760_000_000, 768, 24, 12, 8_800_000)
    rows = sampled_rows(shape, 65536, 8 * 8192)
    full, by_rows = (state_memory(shape.parameters, 1, 8, bf16=True, rows=table) for table in (None, rows))
    assert by_rows.parameters == full.parameters
    assert by_rows.gradients == 2 * 0.24e9 + 4 * 768 * 131072
    assert by_rows.optimizer == full.optimizer == 12 * 7e9 / 8
    logits = {"bf16": True, "checkpointing": True}
    saved = activation_memory(shape, 8192, 128, **logits) - activation_memory(
        shape, 8192, 128, negatives=8192, **logits
    )
    assert saved == 12 * 1024 * (8_800_000 - 8192 - 1024)
    lines = plan_lines(shape, 0.0, 8, bf16=True, offload=False, rows=rows)
    assert [line["ZeRO"] for line in lines] == ["1", "2"]
    assert [line["ZeRO"] for line in plan_lines(shape, 0.0, 1, bf16=True, offload=False, rows=rows)] == [
        "0",
        "1",
        "2",
    ]


def test_atomic_docids_grow_the_head_only():
    small = model_shape(DocidModelOptions("encoder-decoder", config=CONFIG, tokenizer="x"))
    large = model_shape(DocidModelOptions("encoder-decoder", config=CONFIG, tokenizer="x"), 1_000_000)
    assert large.parameters - small.parameters == large.head - small.head == 32 * 1_000_000
    assert (small.vocabulary, large.vocabulary) == (300, 1_000_300)
    assert [row["ZeRO"] for row in plan_lines(large, 0.0, 8, bf16=True, offload=False)] == [
        "0",
        "1",
        "2",
        "3",
    ]


CONFIG = {"vocab_size": 300, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}


def test_no_plan_for_a_frozen_encoder():
    with pytest.raises(InputError, match="no plan for frozen-encoder"):
        model_shape(DocidModelOptions())


def test_time_comes_from_a_measured_rate_only():
    assert duration(100, 1000, 500.0) == "3m 20s"
    assert "give --rate" in duration(100, 1000, None)
