"""Does a model decode step by step as it does in one piece? Asked once of every architecture not known to.

Knows backbones; knows no architecture. There are hundreds in transformers, with heads, masks and caches of their
own: one that this library would misread is refused, never answered from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genret.errors import InputError

__all__ = ["check_steps"]

_TEXTS = ("a", "one two three")
_TARGETS = 4
# Largest difference that rounding explains, in standard deviations of the logits.
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
_HALF_TOLERANCE = 0.2
# What modelling code raises when it is given what it does not expect.
_REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError)


@torch.no_grad()
def check_steps(backbone: Any, whole: Callable[[Sequence[str], Tensor], Tensor]) -> None:
    """Compare teacher-forced and step-by-step logits of `backbone` with `whole(texts, targets)`.

    Two texts of different lengths, beams in another order, a few tokens. A model without weights (on the meta
    device) is not asked.

    Raises:
        InputError: they differ, or the model cannot be run this way.
    """
    if backbone.device.type == "meta":
        return
    training = backbone.training
    backbone.eval()
    try:
        difference = _difference(backbone, whole)
    except _REFUSALS as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{_name(backbone)} is not supported: it cannot be decoded step by step ({reason})."
        ) from error
    finally:
        backbone.train(training)
    dtype = next(backbone.parameters()).dtype
    if not difference <= _TOLERANCE.get(dtype, _HALF_TOLERANCE):
        raise InputError(
            f"{_name(backbone)} is not supported: decoded step by step it gives other logits than in one piece "
            f"(they differ by {difference:.2g} standard deviations)."
        )


def _difference(backbone: Any, whole: Callable[[Sequence[str], Tensor], Tensor]) -> float:
    """The largest difference to `whole`, in its standard deviations."""
    high = min(backbone.vocab_size, 1000)
    targets = torch.arange(2 * _TARGETS, device=backbone.device).view(2, _TARGETS) * 7 % (high - 1) + 1
    expected = whole(_TEXTS, targets).float()
    encoded = backbone.encode(_TEXTS)
    found = [backbone.target_logits(encoded, targets), _stepped(backbone, encoded, targets)]
    return max(float((logits - expected).abs().max() / expected.std()) for logits in found)


def _stepped(backbone: Any, encoded: Any, targets: Tensor) -> Tensor:
    """Logits of the targets, fed one by one to two beams a query, the second of each read."""
    hidden, state = backbone.start(encoded)
    steps = [backbone.logits(hidden)]
    state = backbone.reorder(state, torch.tensor([0, 0, 1, 1], device=targets.device))
    for column in targets[:, :-1].t():
        tokens = torch.stack([column + 1, column], 1).clamp_max(backbone.vocab_size - 1).flatten()
        hidden, state = backbone.step(state, tokens)
        steps.append(backbone.logits(hidden[1::2]))
        state = backbone.reorder(state, torch.tensor([1, 1, 3, 3], device=targets.device))
    return torch.stack(steps, 1)


def _name(backbone: Any) -> str:
    return type(backbone.model).__name__
