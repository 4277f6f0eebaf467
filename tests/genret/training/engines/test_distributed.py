"""DeepSpeed on one and two processes: equal losses, exact resume, export, another number of processes."""

from __future__ import annotations

import pytest
import torch
from distributed_work import STAGES, continue_alone, continue_with_two, losses, one_process, two_processes
from floats import FORWARD, assert_close, close
from ranks import read_lines, run_ranks
from safetensors.torch import load_file

from genret.models import load_backbone

# A busy machine runs two processes one after the other.
pytestmark = pytest.mark.timeout(1200)
EQUAL = {"abs": 1e-5, "rel": 0}


def resumed_at(folder):
    """The steps that a run went on from."""
    return [line["step"] for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "resumed"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder that all runs are in, and what the two processes returned."""
    folder = tmp_path_factory.mktemp("runs")
    run_ranks(1, one_process, folder)
    found = run_ranks(2, two_processes, folder)
    run_ranks(1, continue_alone, folder)
    run_ranks(2, continue_with_two, folder)
    return folder, found


@pytest.mark.parametrize("stage", STAGES)
def test_losses_do_not_depend_on_stage_or_number_of_processes(runs, stage):
    folder, _ = runs
    reference = losses(folder / "torch")
    assert_close(losses(folder / f"two-{stage}"), reference, ulps=FORWARD)
    assert reference[-1] < 0.7 * reference[0]
    # Another end of the budget is another learning rate, from the first step on.
    assert_close(losses(folder / f"alone-{stage}"), losses(folder / "alone-0"), ulps=FORWARD)


def test_micro_batches_add_up(runs):
    folder, _ = runs
    assert_close(losses(folder / "accumulated"), losses(folder / "alone-0"), ulps=FORWARD)


def test_bf16_is_near_and_not_the_same(runs):
    folder, _ = runs
    plain, half = losses(folder / "alone-0"), losses(folder / "bf16")
    assert_close(half, plain, relative=0.02)
    assert not close(half, plain, ulps=FORWARD)


@pytest.mark.parametrize("stage", STAGES)
def test_a_resumed_run_is_the_undisturbed_one(runs, stage):
    folder, _ = runs
    resumed = folder / f"resumed-{stage}"
    assert [line["step"] for line in read_lines(resumed / "metrics.jsonl") if line["kind"] == "resumed"] == [
        3
    ]
    assert_close(losses(resumed), losses(folder / f"two-{stage}"), ulps=FORWARD)


def test_a_resumed_run_draws_the_same_dropout_in_every_process(runs):
    folder, _ = runs
    assert resumed_at(folder / "dropout-resumed") == [3]
    assert_close(losses(folder / "dropout-resumed"), losses(folder / "dropout"), ulps=FORWARD)
    assert not close(losses(folder / "dropout"), losses(folder / "torch"), within=1e-2)


SAMPLED = ("sampled-1", "sampled-2", "sampled-resumed-1", "sampled-resumed-2", "sampled-alone")


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sampled_loss_and_its_rows_do_not_depend_on_engine_or_processes(runs, name):
    folder, _ = runs
    reference = losses(folder / "sampled-torch")
    assert_close(losses(folder / name), reference, ulps=FORWARD)
    assert reference[-1] < 0.7 * reference[0]
    if name not in ("sampled-1", "sampled-2"):
        assert resumed_at(folder / name) == [3]


def test_a_sampled_loss_in_bf16_is_near(runs):
    folder, _ = runs
    assert_close(losses(folder / "sampled-bf16"), losses(folder / "sampled-torch"), relative=0.05)


@pytest.mark.parametrize("name", ["two-one-deepspeed", "two-one-torch", "two-one-two"])
def test_a_checkpoint_continues_with_another_number_of_processes_stage_and_engine(runs, name):
    folder, _ = runs
    assert resumed_at(folder / name)[-1] == (6 if name == "two-one-two" else 3)
    assert_close(losses(folder / name), losses(folder / "torch"), ulps=FORWARD)


@pytest.mark.parametrize("stage", STAGES)
def test_the_export_holds_the_trained_weights(runs, stage):
    folder, found = runs
    stored = {}
    for path in (folder / f"evaluated-{stage}" / "checkpoints" / "step-00000006").glob("model-*.safetensors"):
        stored |= load_file(path)
    exported = load_backbone(folder / f"export-{stage}")
    weights = {f"backbone.{name}": p for name, p in exported.named_parameters()}
    assert weights.keys() == stored.keys()
    assert all(torch.equal(weights[name], stored[name]) for name in stored)
    logits = exported(["where lies paris"], torch.full((1, 3), 5)).flatten().tolist()
    assert_close(found[0][f"export-{stage}"], logits, ulps=FORWARD)
    assert_close(found[1][f"export-{stage}"], logits, ulps=FORWARD)


@pytest.mark.parametrize("stage", STAGES)
def test_evaluation_in_the_middle_changes_nothing(runs, stage):
    folder, _ = runs
    assert_close(losses(folder / f"evaluated-{stage}"), losses(folder / "alone-0"), ulps=FORWARD)
    values = [
        line["x"] for line in read_lines(folder / f"evaluated-{stage}" / "metrics.jsonl") if "x" in line
    ]
    assert values == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("stage", STAGES)
def test_a_loss_that_is_not_finite_in_one_process_skips_the_step_in_all(runs, stage):
    folder, found = runs
    assert [one[f"skipped-{stage}"] for one in found] == [1, 1]
    lines = list(read_lines(folder / f"skipped-{stage}" / "metrics.jsonl"))
    assert [line["step"] for line in lines if line["kind"] == "skipped"] == [3]
    assert len(losses(folder / f"skipped-{stage}")) == 5
