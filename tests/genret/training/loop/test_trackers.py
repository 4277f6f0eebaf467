"""Trackers: what each package is told, seen by stand-ins; and TensorBoard, wandb and trackio where installed."""

from __future__ import annotations

import importlib.util
import sys
import types

import pytest
from toy import toy_trainer

from genret.errors import UsageError
from genret.training.loop.trackers import TRACKERS, open_tracker
from genret.training.loop.training_options import TrainingOptions

OPTIONS = {"max_steps": 4, "batch_size": 6, "logging_steps": 2}


class Writer:
    """TensorBoard's."""

    written: list[tuple[str, float, int]]

    def __init__(self, folder: str) -> None:
        self.folder, Writer.written = folder, []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        Writer.written.append((name, value, step))

    def flush(self) -> None:
        Writer.written.append(("flush", 0.0, 0))


def test_tensorboard_gets_every_number_with_its_step(tmp_path, monkeypatch):
    stand_in = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    options = TrainingOptions(report_to=["tensorboard"], **OPTIONS)
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    steps = [step for name, _, step in Writer.written if name == "loss"]
    assert steps == [2, 4]
    assert {"learning_rate", "gradient_norm", "examples", "seconds"} <= {name for name, *_ in Writer.written}
    assert Writer.written[-1][0] == "flush"


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_runs_are_begun_and_logged(tmp_path, monkeypatch, name):
    begun, logged = [], []
    stand_in = types.SimpleNamespace(
        init=lambda **options: begun.append(options),
        log=lambda metrics, step: logged.append((metrics, step)),
    )
    monkeypatch.setitem(sys.modules, name, stand_in)
    toy_trainer(tmp_path, TrainingOptions(report_to=[name], **OPTIONS)).train({"kind": "provenance"})
    assert begun == [{"project": "genret", "name": str(tmp_path)}]
    assert [step for metrics, step in logged if "loss" in metrics] == [2, 4]


@pytest.mark.parametrize("name", TRACKERS)
def test_the_package_itself_takes_the_numbers(tmp_path, monkeypatch, name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    options = TrainingOptions(report_to=[name], **OPTIONS)
    toy_trainer(tmp_path / "run", options).train({"kind": "provenance"})
    assert any(path.is_file() for path in tmp_path.rglob(f"*{FILES[name]}*"))


FILES = {"tensorboard": "tfevents", "wandb": "offline-run", "trackio": ".db"}


def test_an_unknown_tracker_and_one_that_is_not_installed_are_sentences(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"found .tensorbord., there are tensorboard, wandb, trackio"):
        open_tracker("tensorbord", tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match="report_to: wandb needs wandb: pip install wandb"):
        open_tracker("wandb", tmp_path)
