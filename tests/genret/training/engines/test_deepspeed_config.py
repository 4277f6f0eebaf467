"""YAML keys as DeepSpeed's own, and a JSON of the user's below them."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_run import options, tiny_trainer

from genret.config import from_mapping
from genret.errors import InputError
from genret.training.engines.deepspeed_config import deepspeed_config
from genret.training.loop.options import TrainingOptions

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
        ('{"optimizer": {"type": "AdamW"}}', "'optimizer' cannot be set here: the optimizer is AdamW"),
        ('{"scheduler": {}}', "'scheduler' cannot be set here: the learning rate follows"),
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
    assert found[0] == pytest.approx(found[1], abs=1e-6)
