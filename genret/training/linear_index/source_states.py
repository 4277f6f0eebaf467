"""Token states of what is trained on: cached where a text comes again, computed where it does not.

Knows texts, an encoder and a cache of some of them; knows no decoder. A source that a run does not get through once is
not encoded ahead: most of that would be for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from genret.training.examples.example import Example
from genret.training.linear_index.state_cache import StateCache, StateEncoder

__all__ = ["SourceStates"]


class SourceStates:
    """States of the texts of sources, batch by batch.

    Args:
        folder: where caches lie.
        drawn: how many examples of each source the run draws; None: it is not known.
        max_length: texts are cut to this many tokens.
        keep: states of so many of them are given.
        bf16: the encoder computes in bfloat16 too, as the run does.
    """

    def __init__(
        self,
        folder: Path,
        encoder: StateEncoder,
        sources: Mapping[str, Sequence[Example]],
        drawn: Mapping[str, int] | None,
        *,
        max_length: int,
        keep: int,
        bf16: bool = False,
    ) -> None:
        self._encoder, self._max_length, self._keep = encoder, max_length, keep
        again = [
            examples for name, examples in sources.items() if drawn is None or drawn[name] >= len(examples)
        ]
        texts = [example.source for examples in again for example in examples]
        folder = folder.with_name(f"{folder.name}-bf16") if bf16 else folder
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            self._cache = StateCache.build(folder, encoder, texts, max_length=max_length, keep=keep)

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """States float32 [n, S, d] padded on the right with zeros, which are real, bool [n, S], and vectors [n, d]."""
        new = [place for place, text in enumerate(texts) if text not in self._cache]
        if not new:
            return self._cache.batch(texts)
        found = self._encoder.states([texts[place] for place in new], self._max_length)
        computed = tuple(part.clone() for part in found)
        states, mask, pooled = computed[0][:, : self._keep].float(), computed[1][:, : self._keep], computed[2]
        if len(new) == len(texts):
            return states.masked_fill(~mask[..., None], 0.0), mask, pooled.float()
        old = sorted(set(range(len(texts))) - set(new))
        cached = self._cache.batch([texts[place] for place in old])
        width = max(states.shape[1], cached[0].shape[1])
        all_states = states.new_zeros((len(texts), width, states.shape[2]))
        all_mask = torch.zeros((len(texts), width), dtype=torch.bool, device=states.device)
        vectors = states.new_empty((len(texts), states.shape[2]))
        for places, (some, real, unit) in ((new, (states, mask, pooled)), (old, cached)):
            real = real.to(states.device)
            some = some.to(states).masked_fill(~real[..., None], 0.0)
            all_states[places, : some.shape[1]], all_mask[places, : some.shape[1]] = some, real
            vectors[places] = unit.to(states)
        return all_states, all_mask, vectors
