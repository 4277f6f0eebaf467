"""Adapters under every engine: equal losses, checkpoints that hold nothing else, exact resume, one export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close
from ranks import read_lines, run_ranks
from safetensors.torch import load_file
from tiny_run import options, tiny_trainer, train

from genret.models import load_backbone
from genret.models.weight_adapters.options import AdapterOptions
from genret.training.engines.processes import World
from genret.training.losses.loss_kinds import make_loss

pytestmark = pytest.mark.timeout(1200)
ADAPTER = AdapterOptions(r=4)
ENGINES = (("torch", "torch", 0), ("zero-1", "deepspeed", 1), ("zero-3", "deepspeed", 3))


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "step"]


def torch_and_both_stages(folder: Path) -> None:
    """Plain torch, resumed too with dropout of the adapters; stages 1 and 3, the end of a run of each exported."""
    dropping = AdapterOptions(r=4, dropout=0.2)
    train(folder / "dropped", options("torch"), adapter=dropping)
    shutil.copytree(folder / "dropped", folder / "resumed")
    shutil.rmtree(folder / "resumed" / "checkpoints" / "step-00000006")
    torch.rand(5)
    train(folder / "resumed", options("torch"), adapter=dropping, resume=True)
    for name, engine, stage in (
        ("torch", "torch", 0),
        ("zero-1", "deepspeed", 1),
        ("zero-3", "deepspeed", 3),
    ):
        trainer = tiny_trainer(folder / name, options(engine, stage), adapter=ADAPTER)
        result = trainer.train({"kind": "provenance"})
        trainer.engine.settle(result.last)
        trainer.engine.module.backbone.save_pretrained(folder / f"export-{name}")


def ranked(folder: Path) -> None:
    """Ranking losses over the model's own beams, searched inside the engine."""
    for name, engine, stage in (ENGINES[0], ENGINES[2]):
        for kind in ("margin", "dpo"):
            loss = make_loss({"kind": kind, "candidates": 3, "cross_entropy": 1.0})
            train(folder / f"{kind}-{name}", options(engine, stage, max_steps=4), loss=loss)
        train(folder / f"adapted-{name}", options(engine, stage, max_steps=4), loss=loss, adapter=ADAPTER)


def ranked_by_two(folder: Path) -> None:
    """The same under ZeRO 3 in two processes."""
    loss = make_loss({"kind": "margin", "candidates": 3, "cross_entropy": 1.0})
    train(folder / "margin-two", options("deepspeed", 3, max_steps=4), loss=loss)


def two_processes(folder: Path) -> None:
    """Stage 3, from another engine's checkpoint on."""
    if World.join().is_first:
        shutil.copytree(folder / "torch", folder / "two")
        shutil.rmtree(folder / "two" / "checkpoints" / "step-00000006")
    World.join().gather(None)
    train(folder / "two", options("deepspeed", 3), adapter=ADAPTER, resume=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run_ranks(1, torch_and_both_stages, folder)
    run_ranks(2, two_processes, folder)
    run_ranks(1, ranked, folder)
    run_ranks(2, ranked_by_two, folder)
    return folder


@pytest.mark.parametrize("name", ["zero-1", "zero-3", "two"])
def test_losses_do_not_depend_on_the_engine(runs, name):
    assert_close(losses(runs / name), losses(runs / "torch"), ulps=FORWARD)
    assert losses(runs / "torch")[-1] < losses(runs / "torch")[0]


def test_a_resumed_run_is_the_undisturbed_one(runs):
    assert_close(losses(runs / "resumed"), losses(runs / "dropped"), ulps=FORWARD)


@pytest.mark.parametrize("name", ["torch", "zero-1", "zero-3"])
def test_checkpoints_hold_adapters_and_new_rows_alone(runs, name):
    stored = load_file(runs / name / "checkpoints" / "step-00000006" / "model-00000.safetensors")
    assert [key for key in stored if "lora_" not in key] == ["backbone.model.shared.rows"]
    assert stored["backbone.model.shared.rows"].shape == (1, 32)


def test_every_engine_exports_the_same_model(runs):
    targets = torch.full((1, 3), 5)
    logits = {
        name: load_backbone(runs / f"export-{name}")(["where lies paris"], targets).detach()
        for name in ("torch", "zero-1", "zero-3")
    }
    for name in ("zero-1", "zero-3"):
        assert_close(logits[name], logits["torch"], ulps=FORWARD)


@pytest.mark.parametrize(
    ("kind", "name"), [("margin", "zero-3"), ("dpo", "zero-3"), ("adapted", "zero-3"), ("margin", "two")]
)
def test_ranking_losses_do_not_depend_on_the_engine(runs, kind, name):
    """Beams are searched, and references asked, with parameters that are in pieces."""
    reference = losses(runs / f"{kind}-torch")
    assert_close(losses(runs / f"{kind}-{name}"), reference, ulps=FORWARD, scale=LOGITS)
    assert reference[-1] < reference[0]
