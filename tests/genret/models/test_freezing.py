"""Which weights a fine-tuning leaves as they are."""

from __future__ import annotations

import pytest
from backbones import llama, t5

from genret.errors import InputError
from genret.models.freezing import freeze_lowest


def test_the_lowest_layers_and_the_embeddings_get_no_gradient() -> None:
    backbone = llama()
    freeze_lowest(backbone.model, 1)
    targets = backbone.encode(["seine"]).input_ids
    backbone.target_logits(backbone.encode(["river"]), targets).sum().backward()
    learnt = {name for name, one in backbone.named_parameters() if one.grad is not None}
    assert learnt == {name for name, one in backbone.named_parameters() if one.requires_grad}
    assert not any("embed_tokens" in name or "layers.0." in name for name in learnt)
    assert {"model.lm_head.weight", "model.model.norm.weight"} < learnt
    assert any("layers.1." in name for name in learnt)


def test_an_output_layer_tied_to_the_embeddings_is_kept_with_them() -> None:
    backbone = llama(tied=True)
    freeze_lowest(backbone.model, 0)
    assert not backbone.model.get_output_embeddings().weight.requires_grad


def test_refusals() -> None:
    with pytest.raises(InputError, match="frozen_layers: expected 0 to 1, found 2"):
        freeze_lowest(llama().model, 2)
    with pytest.raises(InputError, match="only layers of a causal model"):
        freeze_lowest(t5().model, 1)
