"""YAML keys as DeepSpeed's own, and a JSON of the user's below them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from floats import FORWARD, assert_close
from tiny_run import options, tiny_trainer

from genret.config import from_mapping
from genret.errors import InputError
from genret.training.engines.deepspeed_config import deepspeed_config
from genret.training.loop.training_options import DeepSpeedOptions, TrainingOptions

FULL = {
    "max_steps": 1,
    "engine": "deepspeed",
    "deepspeed": {"zero_stage": 3, "offload_optimizer": True, "offload_param": True},
    "bf16": True,
    "gradient_accumulation_steps": 4,
    "optimizer": {"max_grad_norm": 0.5},
}


def config(mapping):
    return deepspeed_config(from_mapping(TrainingOptions, mapping, "training"))


def test_every_key_has_its_place():
    assert config(FULL) == {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 4,
        "gradient_clipping": 0.5,
        "zero_optimization": {
            "stage": 3,
            "offload_optimizer": {"device": "cpu"},
            "offload_param": {"device": "cpu"},
        },
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": True},
    }


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_every_stage(stage):
    found = config({"max_steps": 1, "engine": "deepspeed", "deepspeed": {"zero_stage": stage}})
    assert found["zero_optimization"] == {"stage": stage}
    assert found["gradient_clipping"] == (1.0 if stage else 0.0)


def test_a_json_adds_what_is_not_said_and_auto_is_filled_in(tmp_path):
    own = tmp_path / "ds.json"
    own.write_text(
        json.dumps(
            {
                "steps_per_print": 7,
                "gradient_clipping": "auto",
                "zero_optimization": {"stage": "auto", "overlap_comm": False},
            }
        )
    )
    found = config({**FULL, "deepspeed": {"zero_stage": 2, "config": str(own)}})
    assert found["steps_per_print"] == 7
    assert found["gradient_clipping"] == 0.5
    assert found["zero_optimization"] == {"stage": 2, "overlap_comm": False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"zero_optimization": {"stage": 1}}', "zero_optimization.stage is 1, the run's own .* says 2"),
        ('{"bf16": {"enabled": false}}', "bf16.enabled is False, the run's own configuration says True"),
        ('{"optimizer": {"type": "Lamb"}}', "optimizer.type is 'Lamb', the run's own .* says 'AdamW'"),
        ('{"optimizer": {"params": {"lr": 0.5}}}', "optimizer.params.lr is 0.5, the run's own .* says 0.001"),
        ('{"optimizer": {"params": {"amsgrad": true}}}', "optimizer.params.amsgrad cannot be set here"),
        ('{"scheduler": {"type": "WarmupLR"}}', "scheduler.type is 'WarmupLR', .* says 'WarmupDecayLR'"),
        ('{"train_batch_size": 64000}', "train_batch_size is 64000, the run's own configuration says 64"),
        ('{"train_micro_batch_size_per_gpu": 3}', "train_micro_batch_size_per_gpu is 3, .* says 16"),
        ('{"gradient_clipping": 1.0}', "gradient_clipping is 1.0, the run's own configuration says 0.5"),
        ('{"gradient_accumulation_steps": true}', "gradient_accumulation_steps is True, .* says 4"),
        ('{"zero_optimization": 2}', "zero_optimization: expected an object, found 2"),
        ('{"optimizer": {"params": []}}', "optimizer.params: expected an object"),
        ('{"amp": {"enabled": true}}', "'amp' cannot be set here"),
        (
            '{"comms_logger": {"enabled": "auto"}}',
            "comms_logger.enabled is 'auto', which the run has no value",
        ),
        ("[" * 100_000, "not valid JSON"),
        ('{"fp16": {"enabled": true}}', "'fp16' cannot be set here: T5 gives NaN in fp16"),
        ("[1]", "expected a JSON object, found list"),
        ("{", "not valid JSON"),
    ],
)
def test_a_json_that_cannot_be_is_named(tmp_path, content, message):
    own = tmp_path / "ds.json"
    own.write_text(content)
    with pytest.raises(InputError, match=message):
        config({**FULL, "deepspeed": {"zero_stage": 2, "config": str(own)}})


ADAM = {"type": "AdamW", "params": dict.fromkeys(["lr", "betas", "eps", "weight_decay"], "auto")}
WARMUP = dict.fromkeys(["warmup_min_lr", "warmup_max_lr", "warmup_num_steps"], "auto")
# Written as users of Hugging Face's trainer have them: everything that the trainer knows is "auto".
USUAL = {
    "fp16": {"enabled": "auto", "loss_scale": 0, "initial_scale_power": 16},
    "bf16": {"enabled": "auto"},
    "optimizer": ADAM,
    "scheduler": {"type": "WarmupLR", "params": WARMUP},
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "steps_per_print": 2000,
    "wall_clock_breakdown": False,
}
CPU = {"device": "cpu", "pin_memory": True}
ZERO = {
    1: {"stage": 1},
    2: {"stage": 2, "allgather_bucket_size": 2e8, "overlap_comm": True, "reduce_bucket_size": "auto"},
    3: {
        "stage": 3,
        "offload_optimizer": CPU,
        "offload_param": CPU,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": 1e9,
    },
}


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_usual_files_train(tmp_path, stage, filled):
    content = {**USUAL, "zero_optimization": ZERO[stage]}
    if filled:  # the run's own values in the place of "auto"
        content |= {"train_batch_size": 8, "train_micro_batch_size_per_gpu": 8, "gradient_clipping": 1.0}
        content["optimizer"] = {"type": "AdamW", "params": {"lr": 1e-2, "betas": [0.9, 0.98], "eps": 1e-8}}
    own = tmp_path / "ds.json"
    own.write_text(json.dumps(content))
    chosen = options("deepspeed", stage, max_steps=3, lr_scheduler_type="constant")
    plain = tiny_trainer(tmp_path / "plain", chosen).train({"kind": "provenance"}).loss
    chosen = replace(chosen, deepspeed=DeepSpeedOptions(zero_stage=stage, config=str(own)))
    assert_close(
        tiny_trainer(tmp_path / "run", chosen).train({"kind": "provenance"}).loss, plain, ulps=FORWARD
    )


def test_the_micro_batch_is_of_one_process(tmp_path):
    own = tmp_path / "ds.json"
    own.write_text('{"train_micro_batch_size_per_gpu": 8, "train_batch_size": 64}')
    mapping = {**FULL, "deepspeed": {"zero_stage": 2, "config": str(own)}}
    assert (
        deepspeed_config(from_mapping(TrainingOptions, mapping, "t"), 2)["train_micro_batch_size_per_gpu"]
        == 1
    )
    with pytest.raises(InputError, match=r"train_micro_batch_size_per_gpu is 8, .* says 16"):
        config(mapping)


def test_what_deepspeed_refuses_is_a_sentence(tmp_path):
    own = tmp_path / "ds.json"
    own.write_text('{"zero_optimization": {"overlap_comm": "perhaps", "reduce_bucket_size": -5}}')
    chosen = replace(options("deepspeed", 1), deepspeed=DeepSpeedOptions(zero_stage=1, config=str(own)))
    with pytest.raises(InputError, match=r"ds\.json: DeepSpeed cannot use it"):
        tiny_trainer(tmp_path / "run", chosen)


def test_a_json_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json: cannot be read"):
        config({**FULL, "deepspeed": {"config": str(tmp_path / "absent.json")}})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"zero_stage": 4}, "zero_stage: expected at most 3, found 4"),
        ({"zero_stage": 2, "offload_param": True}, "offload_param: needs zero_stage 3, found 2"),
        (
            {"zero_stage": 0, "offload_optimizer": True},
            "offload_optimizer: needs zero_stage 1, 2 or 3, found 0",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_named(keys, message):
    with pytest.raises(InputError, match=message):
        config({"max_steps": 1, "engine": "deepspeed", "deepspeed": keys})


def test_activation_checkpointing_reaches_the_model_and_changes_no_loss(tmp_path):
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        chosen = options(max_steps=1, save_steps=0, gradient_checkpointing=checkpointing)
        trainer = tiny_trainer(tmp_path / str(checkpointing), chosen)
        layers = trainer.engine.module.backbone.modules()
        assert any(getattr(one, "gradient_checkpointing", False) for one in layers) is checkpointing
        found.append(trainer.train({"kind": "provenance"}).loss)
    assert_close(found[0], found[1], ulps=FORWARD)
