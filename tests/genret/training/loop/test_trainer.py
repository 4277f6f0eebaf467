"""The training loop: it learns, it resumes exactly, it survives what is not finite."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from floats import FORWARD, assert_close
from safetensors.torch import load_file
from tiny_run import tiny_trainer
from toy import ToyBackbone, toy_trainer

from genret.errors import InputError
from genret.training.engines.processes import World
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.loop.best_checkpoint import Selection
from genret.training.loop.checkpoint import newest_checkpoint
from genret.training.loop.diary import Window, provenance
from genret.training.loop.trainer import DivergedError
from genret.training.loop.training_options import TrainingOptions
from genret.training.losses.losses import LossSums

OPTIONS = {"batch_size": 6, "learning_rate": 1e-2, "logging_steps": 1, "save_steps": 10, "seed": 4}


def lines(folder, kind="step"):
    content = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in content if line["kind"] == kind]


def losses(folder):
    return {line["step"]: line["loss"] for line in lines(folder)}


def test_loss_falls_to_zero_and_checkpoints_rotate(tmp_path):
    options = TrainingOptions(max_steps=200, **OPTIONS)
    result = toy_trainer(tmp_path, options).train({"kind": "provenance"})
    assert result.steps == 200
    assert result.skipped == 0
    assert losses(tmp_path)[1] > 1.0
    assert losses(tmp_path)[200] < 0.05
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000190", "step-00000200"]


def test_resume_is_exact(tmp_path):
    undisturbed, resumed = tmp_path / "a", tmp_path / "b"
    options = TrainingOptions(max_steps=40, **OPTIONS)
    toy_trainer(undisturbed, options, dropout=0.2).train({"kind": "provenance"})
    shutil.copytree(undisturbed, resumed)
    shutil.rmtree(resumed / "checkpoints" / "step-00000040")
    torch.rand(17)  # another state of the generator must not matter
    trainer = toy_trainer(resumed, options, dropout=0.2)
    assert trainer.train({"kind": "provenance"}, resume=True).steps == 40
    assert [line["step"] for line in lines(resumed)] == list(range(1, 41))
    assert [line["step"] for line in lines(resumed, "resumed")] == [30]
    assert_close(losses(resumed), losses(undisturbed), ulps=FORWARD)


def test_resume_takes_a_window_of_metrics_over(tmp_path):
    options = {**OPTIONS, "logging_steps": 7}
    first = toy_trainer(tmp_path / "a", TrainingOptions(max_steps=21, **options))
    first.train({"kind": "provenance"})
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-00000021")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-00000020")
    (tmp_path / "b" / "checkpoints").mkdir(exist_ok=True)
    second = toy_trainer(tmp_path / "b", TrainingOptions(max_steps=21, **options))
    second.train({"kind": "provenance"}, resume=True)
    assert_close(losses(tmp_path / "b"), losses(tmp_path / "a"), ulps=FORWARD)


def test_damaged_checkpoint_is_passed_over_with_a_message(tmp_path, caplog):
    options = TrainingOptions(max_steps=30, **OPTIONS)
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    newest = tmp_path / "checkpoints" / "step-00000030" / "model-00000.safetensors"
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    assert newest_checkpoint(tmp_path / "checkpoints").name == "step-00000020"
    assert "step-00000030/model-00000.safetensors: damaged" in caplog.text


def test_rotation_never_counts_a_damaged_later_checkpoint(tmp_path):
    options = TrainingOptions(max_steps=20, **{**OPTIONS, "save_total_limit": 1})
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    (tmp_path / "checkpoints" / "step-00000099").mkdir()
    longer = TrainingOptions(max_steps=30, **{**OPTIONS, "save_total_limit": 1})
    toy_trainer(tmp_path, longer).train({"kind": "provenance"}, resume=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000030"]


def test_incomplete_checkpoint_is_passed_over(tmp_path, caplog):
    options = TrainingOptions(max_steps=20, **OPTIONS)
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    (tmp_path / "checkpoints" / "step-00000099").mkdir()
    assert newest_checkpoint(tmp_path / "checkpoints").name == "step-00000020"
    assert "incomplete" in caplog.text


def test_resume_refuses_another_batch_size(tmp_path):
    toy_trainer(tmp_path, TrainingOptions(max_steps=10, **OPTIONS)).train({"kind": "provenance"})
    other = TrainingOptions(max_steps=20, **{**OPTIONS, "batch_size": 7})
    with pytest.raises(InputError, match="batch_size was 6 and is 7"):
        toy_trainer(tmp_path, other).train({"kind": "provenance"}, resume=True)


def test_resume_refuses_another_model(tmp_path):
    options = TrainingOptions(max_steps=10, **OPTIONS)
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    other = ToyBackbone()
    other.tokens = torch.nn.Embedding(20, 32)
    trainer = toy_trainer(tmp_path, options, module=TrainingModule(other, CrossEntropy()))
    with pytest.raises(InputError, match=r"backbone.tokens.weight has shape \(16, 32\) there and \(20, 32\)"):
        trainer.train({"kind": "provenance"}, resume=True)


def test_resume_without_a_checkpoint_begins_anew(tmp_path, caplog):
    options = TrainingOptions(max_steps=3, **OPTIONS)
    assert toy_trainer(tmp_path, options).train({"kind": "provenance"}, resume=True).steps == 3
    assert "no complete checkpoint" in caplog.text
    assert len(lines(tmp_path, "provenance")) == 1


def test_a_new_run_forgets_the_checkpoints_of_an_older_one(tmp_path):
    toy_trainer(tmp_path, TrainingOptions(max_steps=30, **OPTIONS)).train({"kind": "provenance"})
    toy_trainer(tmp_path, TrainingOptions(max_steps=10, **OPTIONS)).train({"kind": "provenance"})
    assert newest_checkpoint(tmp_path / "checkpoints").name == "step-00000010"


class Sometimes(CrossEntropy):
    """A loss that is NaN, or whose gradient is, in given steps."""

    def __init__(self, nan_loss=(), nan_gradient=()):
        super().__init__()
        self.nan_loss, self.nan_gradient = nan_loss, nan_gradient

    def __call__(self, backbone, encoded, batch):
        sums = super().__call__(backbone, encoded, batch)
        if batch.step in self.nan_loss:
            return LossSums(sums.total * torch.nan, sums.weight)
        if batch.step in self.nan_gradient:
            # sqrt has an infinite derivative at 0, and 0 * inf is NaN.
            return LossSums(sums.total + (sums.total * 0).sqrt(), sums.weight)
        return sums


@pytest.mark.parametrize("which", ["nan_loss", "nan_gradient"])
def test_steps_that_are_not_finite_change_nothing_and_are_counted(tmp_path, which, caplog):
    module = TrainingModule(ToyBackbone(), Sometimes(**{which: (3, 5)}))
    before = {}
    trainer = toy_trainer(tmp_path, TrainingOptions(max_steps=4, **OPTIONS), module=module)
    step = trainer._one_step

    def recorded(metrics):
        before[trainer.step] = [p.clone() for p in module.parameters()]
        step(metrics)

    trainer._one_step = recorded
    result = trainer.train({"kind": "provenance"})
    assert result.skipped == 1
    assert all(torch.equal(a, b) for a, b in zip(before[3], module.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(before[2], module.parameters(), strict=True))
    assert [line["step"] for line in lines(tmp_path, "skipped")] == [4]
    assert "not finite; the step is skipped" in caplog.text


def test_too_many_such_steps_stop_the_run_and_name_the_last_good_checkpoint(tmp_path):
    module = TrainingModule(ToyBackbone(), Sometimes(nan_loss=range(12, 30)))
    options = TrainingOptions(max_steps=100, max_skipped=3, **OPTIONS)
    with pytest.raises(DivergedError, match=r"4 steps .* Last good checkpoint: .*step-00000010"):
        toy_trainer(tmp_path, options, module=module).train({"kind": "provenance"})


def test_training_stops_when_evaluation_gets_no_better(tmp_path):
    options = TrainingOptions(
        max_steps=100, eval_steps=5, early_stopping_patience=2, metric_for_best_model="x", **OPTIONS
    )
    values = iter([0.1, 0.4, 0.4, 0.3, 0.9])
    trainer = toy_trainer(tmp_path, options)
    trainer.selection = Selection(options, lambda: {"x": next(values)})
    result = trainer.train({"kind": "provenance"})
    assert result.steps == 20
    assert (result.best.name, result.last.name) == ("step-00000010", "step-00000020")
    assert [line["x"] for line in lines(tmp_path, "evaluation")] == [0.1, 0.4, 0.4, 0.3]
    assert result.best.is_dir()


def test_patience_counts_evaluations_in_a_row():
    options = TrainingOptions(
        max_steps=1, eval_steps=1, early_stopping_patience=2, metric_for_best_model="x", **OPTIONS
    )
    values = iter([0.4, 0.3, 0.5, 0.5, 0.6, 0.1, 0.2])
    selection = Selection(options, lambda: {"x": next(values)})
    ended = []
    for step in range(1, 8):
        selection.evaluate(step)
        ended.append(selection.exhausted)
    assert ended == [False] * 6 + [True]
    assert (selection.best_step, selection.best_value) == (5, 0.6)


def test_the_best_checkpoint_outlives_the_newest(tmp_path):
    options = TrainingOptions(
        max_steps=40, eval_steps=5, save_total_limit=1, metric_for_best_model="x", **OPTIONS
    )
    values = iter([0.1, 0.9, *[0.2] * 6])
    trainer = toy_trainer(tmp_path, options)
    trainer.selection = Selection(options, lambda: {"x": next(values)})
    result = trainer.train({"kind": "provenance"})
    assert result.best.name == "step-00000010"
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000010", "step-00000040"]


def test_a_line_of_metrics_has_the_mean_loss_and_the_largest_norm_of_its_steps():
    window = Window()
    for total, weight, norm, rate in ((2.0, 1.0, 0.5, 0.1), (4.0, 2.0, 7.0, 0.2), (6.0, 1.0, 1.0, 0.3)):
        window.add(torch.tensor(total), weight, norm, rate)
    assert window.take(World()) == {"loss": 3.0, "gradient_norm": 7.0, "learning_rate": 0.3}
    assert window.last_loss == 3.0
    assert window.take(World()) is None


def test_progress_and_metrics_say_memory(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("genret.jobs.progress.LOG_INTERVAL_SECONDS", 0.0)
    toy_trainer(tmp_path, TrainingOptions(max_steps=3, **OPTIONS)).train({"kind": "provenance"})
    shown = capsys.readouterr().err
    assert "3/3 steps" in shown
    assert re.search(r"loss \d\.\d+, [\d,]+ examples/s, peak memory \d\.\d\d GiB", shown)
    assert [line["peak_memory_bytes"] > 1 << 20 for line in lines(tmp_path)] == [True] * 3


def test_time_budget_ends_the_run_and_lowers_the_learning_rate(tmp_path, monkeypatch):
    # A clock that a busy machine does not disturb: a hundredth of a second each time that it is looked at.
    clock = itertools.count()
    monkeypatch.setattr(
        "genret.training.loop.trainer.time", SimpleNamespace(monotonic=lambda: next(clock) / 100)
    )
    options = TrainingOptions(max_seconds=0.6, **{**OPTIONS, "save_steps": 0})
    result = toy_trainer(tmp_path, options).train({"kind": "provenance"})
    assert 0.6 <= result.seconds < 0.8
    rates = [line["learning_rate"] for line in lines(tmp_path)]
    assert max(rates) > 0.5 * options.learning_rate
    assert rates[-1] < 0.2 * options.learning_rate
    assert newest_checkpoint(tmp_path / "checkpoints").name == f"step-{result.steps:08d}"


def test_provenance_names_configuration_versions_and_data(tmp_path):
    data = tmp_path / "corpus.jsonl"
    data.write_text("{}\n")
    first = provenance({"training": {"seed": 3}}, {"training": 3}, [data])
    toy_trainer(tmp_path / "run", TrainingOptions(max_steps=1, **OPTIONS)).train(first)
    stored = lines(tmp_path / "run", "provenance")[0]
    assert stored["configuration"] == {"training": {"seed": 3}}
    assert stored["seeds"] == {"training": 3}
    assert {"genret", "python", "torch"} <= stored["versions"].keys()
    assert stored["data"][str(data)]["bytes"] == 3
    assert len(stored["data"][str(data)]["xxh3_128"]) == 32
    assert "commit" in stored


def test_a_torn_last_line_of_metrics_is_dropped_on_resume(tmp_path):
    options = TrainingOptions(max_steps=10, **OPTIONS)
    toy_trainer(tmp_path, options).train({"kind": "provenance"})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')
    longer = TrainingOptions(max_steps=12, **OPTIONS)
    toy_trainer(tmp_path, longer).train({"kind": "provenance"}, resume=True)
    assert [line["step"] for line in lines(tmp_path)] == list(range(1, 13))


SMALL = {**OPTIONS, "save_steps": 2, "logging_steps": 1, "warmup_ratio": 0.0, "lr_scheduler_type": "constant"}


def names(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def ruin_at(trainer, step, rate=1e30):
    """From `step` on the learning rate is one that no weights survive."""
    plain = trainer._rate
    trainer._rate = lambda: rate if trainer.step >= step else plain()


def all_finite(place):
    files = [*place.glob("model-*.safetensors"), *place.glob("optimizer-*.safetensors")]
    return all(tensor.isfinite().all() for path in files for tensor in load_file(path).values())


@pytest.mark.parametrize("rate", [1e8, 1e18, 1e30])
@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("step", [4, 5])
def test_a_ruinous_learning_rate_ends_the_run_and_leaves_the_last_good_checkpoint(
    tmp_path, rate, limit, step
):
    options = TrainingOptions(max_steps=60, **{**SMALL, "save_total_limit": limit})
    trainer = tiny_trainer(tmp_path, options)
    ruin_at(trainer, step, rate)
    with pytest.raises(
        DivergedError, match=r"lower learning_rate .* Last good checkpoint: .*step-00000004\."
    ):
        trainer.train({"kind": "provenance"})
    good = newest_checkpoint(tmp_path / "checkpoints")
    assert good.name == "step-00000004"
    assert all_finite(good)
    ruined = [name for name in names(tmp_path) if name.endswith("-ruined")]
    assert all(int(name[5:13]) > 4 for name in ruined)
    assert set(names(tmp_path)) - set(ruined) <= {"step-00000002", "step-00000004"}
    # And from there it goes on as if nothing had been.
    result = tiny_trainer(tmp_path, TrainingOptions(max_steps=8, **SMALL)).train(
        {"kind": "provenance"}, resume=True
    )
    assert result.steps == 8
    assert all_finite(result.last)


def test_a_run_that_ruins_its_only_weights_gives_none(tmp_path):
    trainer = tiny_trainer(tmp_path, TrainingOptions(max_steps=3, **{**SMALL, "save_steps": 0}))
    ruin_at(trainer, 2)
    with pytest.raises(DivergedError, match=r"after step 3 .* Last good checkpoint: none\."):
        trainer.train({"kind": "provenance"})
    assert names(tmp_path) == ["step-00000003-ruined"]
    assert newest_checkpoint(tmp_path / "checkpoints") is None


def test_weights_that_end_in_steps_that_are_not_finite_are_no_good_checkpoint(tmp_path):
    """The checkpoint of step 10 is written whole; then its weights turn out to give no finite gradient."""
    module = TrainingModule(ToyBackbone(), Sometimes(nan_gradient=range(10, 40)))
    options = TrainingOptions(
        max_steps=100, max_skipped=3, **{**OPTIONS, "save_steps": 5, "save_total_limit": 1}
    )
    with pytest.raises(DivergedError, match=r"4 steps .* Last good checkpoint: .*step-00000005\."):
        toy_trainer(tmp_path, options, module=module).train({"kind": "provenance"})
    assert names(tmp_path) == ["step-00000005", "step-00000010-ruined"]


def test_one_step_that_is_not_finite_puts_a_checkpoint_off(tmp_path):
    module = TrainingModule(ToyBackbone(), Sometimes(nan_loss=(3,)))
    options = TrainingOptions(max_steps=6, **{**SMALL, "save_total_limit": 9})
    toy_trainer(tmp_path, options, module=module).train({"kind": "provenance"})
    assert names(tmp_path) == ["step-00000002", "step-00000005", "step-00000006"]


@pytest.mark.parametrize("which", ["exp_avg", "exp_avg_sq"])
def test_an_optimizers_state_that_is_not_finite_is_no_good_checkpoint(tmp_path, which):
    trainer = toy_trainer(tmp_path, TrainingOptions(max_steps=6, **SMALL))
    step = trainer._one_step

    def spoiled(diary):
        if trainer.step == 3:
            next(iter(trainer.engine.optimizer.state.values()))[which].flatten()[0] = torch.inf
        step(diary)

    trainer._one_step = spoiled
    with pytest.raises(DivergedError, match=r"Last good checkpoint: .*step-00000002\."):
        trainer.train({"kind": "provenance"})


def test_the_best_checkpoint_is_never_a_ruined_one(tmp_path):
    options = TrainingOptions(max_steps=20, eval_steps=2, metric_for_best_model="x", **SMALL)
    values = iter([math.nan, 0.4, 0.9])
    trainer = toy_trainer(tmp_path, options)
    trainer.selection = Selection(options, lambda: {"x": next(values)})
    spoiled = trainer.engine.save_state

    def save(folder):
        if trainer.step == 6:
            with torch.no_grad():
                trainer.engine.module.backbone.tokens.weight[0] = torch.nan
        return spoiled(folder)

    trainer.engine.save_state = save
    with pytest.raises(DivergedError, match=r"after step 6 .*step-00000004\."):
        trainer.train({"kind": "provenance"})
    assert (trainer.selection.best_step, trainer.selection.best_value) == (4, 0.4)
    assert "step-00000006-ruined" in names(tmp_path)


def test_a_checkpoint_draws_no_random_numbers_of_training(tmp_path):
    for name, every in (("often", 1), ("never", 0)):
        options = TrainingOptions(max_steps=12, **{**OPTIONS, "save_steps": every})
        toy_trainer(tmp_path / name, options, dropout=0.2).train({"kind": "provenance"})
    assert losses(tmp_path / "often") == losses(tmp_path / "never")
