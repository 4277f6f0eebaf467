"""From a decoder's last hidden state to logits: whole rows, or chosen columns, always in float32.

Knows the output layers of transformers' models; knows nothing of decoding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from genret.models.language_model import LanguageModel

__all__ = ["Head", "project"]


def project(hidden: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor | None = None) -> Tensor:
    """hidden [..., d] times weight [V, d] plus bias [V], in float32 whatever the inputs are: [..., V]."""
    if out is None:
        return functional.linear(hidden.float(), weight.float(), None if bias is None else bias.float())
    flat, rows = hidden.float().reshape(-1, hidden.shape[-1]), out.view(-1, out.shape[-1])
    if bias is None:
        torch.mm(flat, weight.float().t(), out=rows)
    else:
        torch.addmm(bias.float(), flat, weight.float().t(), out=rows)
    return out


class Head:
    """The output layer of a transformers model with a language-modelling head.

    Where the architecture is unknown, `check_steps` finds out whether what is done here is what it does.

    What lies between the last hidden state and the output embedding (BERT's and RoBERTa's transform, T5's
    scaling, Vaswani et al. 2017, section 3.4) belongs to `prepare`, so that hidden states that were prepared
    once can be projected on any choice of columns. What follows it (BART's `final_logits_bias`, scaling, a
    soft cap) is applied here too.

    Of half-precision weights a float32 copy is kept once all logits have been asked for: 4 bytes a weight, for
    a conversion of all of them at every step.

    Attributes:
        sparse: chosen columns give the weight a sparse gradient.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.sparse = False
        self._model = model
        self._copy: tuple[Any, Tensor] | None = None

    def prepare(self, hidden: Tensor) -> Tensor:
        """Hidden states as the output embedding multiplies them."""
        model = self._model
        if _scales(model.config):
            width: int = model.config.d_model
            return hidden * math.pow(width, -0.5)
        transform = _transform(model)
        return hidden if transform is None else transform(hidden)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Logits of prepared hidden states, float32 [..., V] or [..., len(tokens)]."""
        linear = self._linear()
        if tokens is None and torch.is_grad_enabled():
            # Through the module, so that wrappers that gather its weight on the call (ZeRO 3) see the call.
            return self._finish(linear(hidden).float(), None)
        bias: Tensor | None = linear.bias
        if tokens is None:
            weight = self._float_weight(linear.weight)
        else:
            weight = functional.embedding(tokens, linear.weight, sparse=self.sparse)
            bias = None if bias is None else bias.index_select(0, tokens)
        return self._finish(project(hidden, weight, bias, out), tokens)

    def _float_weight(self, weight: Tensor) -> Tensor:
        """`weight` in float32; converted again only once it has changed."""
        if weight.dtype == torch.float32 or weight.is_inference():
            return weight
        version = (weight.data_ptr(), weight._version)
        if self._copy is None or self._copy[0] != version:
            self._copy = version, weight.detach().float()
        return self._copy[1]

    def _linear(self) -> nn.Linear:
        linear = self._model.get_output_embeddings()
        assert linear is not None  # without one `Paths.head` is off
        return linear

    def _finish(self, logits: Tensor, tokens: Tensor | None) -> Tensor:
        bias: Tensor | None = getattr(self._model, "final_logits_bias", None)
        if bias is not None:
            bias = bias if tokens is None else bias.index_select(1, tokens)
            logits = logits + bias if torch.is_grad_enabled() else logits.add_(bias)
        config = self._model.config
        if scaling := getattr(config, "logits_scaling", None):  # Granite
            logits = logits / scaling
        if scale := getattr(config, "logit_scale", None):  # Cohere
            logits = logits * scale
        decoder = getattr(config, "decoder", None)
        if cap := getattr(
            config, "final_logit_softcapping", getattr(decoder, "final_logit_softcapping", None)
        ):
            logits = torch.tanh(logits / cap) * cap
        return logits


def _scales(config: Any) -> bool:
    """T5 says so; two of its kin do it where they tie, which they are forced to."""
    if config.model_type in ("umt5", "switch_transformers"):
        return bool(config.tie_word_embeddings)
    return bool(getattr(config, "scale_decoder_outputs", False))


def _transform(model: LanguageModel) -> Callable[[Tensor], Tensor] | None:
    """The layers between last hidden state and output embedding: BERT's, or RoBERTa's."""
    predictions = getattr(getattr(model, "cls", None), "predictions", None)
    if predictions is not None:
        transform: Callable[[Tensor], Tensor] = predictions.transform
        return transform
    lm_head: Any = getattr(model, "lm_head", None)
    if not hasattr(lm_head, "dense") or not hasattr(lm_head, "layer_norm"):
        return None
    return lambda hidden: lm_head.layer_norm(functional.gelu(lm_head.dense(hidden)))
