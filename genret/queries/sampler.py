"""Texts sampled from any backbone, several for each source, with top-k and nucleus truncation.

Knows a backbone and random numbers; knows no passage and no filter. A source is read once for all its samples,
sources of similar length go together, and finished samples leave the batch. What is drawn for a source depends on
the seed and its number alone, up to the rounding of the model in other batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from genret.config import Count, Positive, Tokens, check_bounds
from genret.decoding.batching import batches_by_tokens
from genret.models.backbone import Backbone, Draw, Draws
from genret.tokenizer.plain_text import text_ids

__all__ = ["Sampling", "sample_texts", "sample_tokens", "truncated_choice"]


@dataclass(frozen=True)
class Sampling:
    """How texts are drawn.

    Attributes:
        per_source: samples of each source.
        top_k: only so many likeliest tokens are drawn from (Fan et al., ACL 2018).
        top_p: and of those the fewest that together have this probability (Holtzman et al., ICLR 2020).
        temperature: divides logits first.
        max_tokens: a text that has no end by then is cut there.
        batch_tokens: source tokens of a batch, padding included.
    """

    per_source: Annotated[int, Interval(ge=1, le=1 << 16)] = 5
    top_k: Count = 10
    top_p: Annotated[float, Interval(gt=0, le=1)] = 0.95
    temperature: Positive = 1.0
    max_tokens: Annotated[int, Interval(ge=1, le=1 << 16)] = 32
    batch_tokens: Tokens = 8192

    def __post_init__(self) -> None:
        check_bounds(self)


def sample_texts(
    backbone: Backbone,
    sources: Sequence[str],
    sampling: Sampling,
    *,
    numbers: Sequence[int] | None = None,
    seed: int = 0,
) -> list[list[str]]:
    """`sample_tokens` as texts, each up to its first line's end."""
    tokens = sample_tokens(backbone, sources, sampling, numbers=numbers, seed=seed)
    decode = backbone.tokenizer.batch_decode
    texts = (decode(drawn, skip_special_tokens=True) for drawn in tokens)
    return [[text.strip().partition("\n")[0].strip() for text in drawn] for drawn in texts]


def sample_tokens(
    backbone: Backbone,
    sources: Sequence[str],
    sampling: Sampling,
    *,
    numbers: Sequence[int] | None = None,
    seed: int = 0,
) -> list[list[list[int]]]:
    """`per_source` token lists for each source, in order of drawing, without the end or the line's end.

    Args:
        numbers: what each source's random numbers are seeded by, beside `seed`; None: its place.

    A backbone that draws by itself (`Draws`) has its own random numbers, and its nucleus is a share of the `top_k`
    tokens' probability.
    """
    given = range(len(sources)) if numbers is None else numbers
    line_end = text_ids(backbone.tokenizer, ["\n"])[0][-1:]
    if isinstance(backbone, Draws):
        ends = (backbone.eos_token_id, *line_end)
        how = Draw(sampling.top_k, sampling.top_p, sampling.temperature, sampling.max_tokens, ends)
        seeds = [_seeds(seed, number, sampling.per_source) for number in given]
        return backbone.draw(sources, seeds, how)
    stops = torch.tensor([backbone.eos_token_id, *line_end])
    found: list[list[list[int]]] = [[] for _ in sources]
    for places in batches_by_tokens(backbone.source_lengths(sources), sampling.batch_tokens):
        uniforms = np.stack([_uniforms(seed, given[place], sampling) for place in places])
        texts = [sources[place] for place in places]
        tokens = _draw(backbone, texts, sampling, torch.from_numpy(uniforms).flatten(0, 1), stops)
        for position, place in enumerate(places):
            begin = position * sampling.per_source
            found[place] = tokens[begin : begin + sampling.per_source]
    return found


@torch.inference_mode()
def _draw(
    backbone: Backbone, texts: Sequence[str], sampling: Sampling, uniforms: Tensor, stops: Tensor
) -> list[list[int]]:
    """Tokens of each sample, without what ended it; `uniforms` [samples, max_tokens] decide, `stops` end."""
    hidden, state = backbone.start(backbone.encode(texts))
    count = len(uniforms)
    alive = torch.arange(count)
    first = alive // sampling.per_source
    hidden, state = hidden[first], backbone.reorder(state, first, sampling.per_source)
    drawn: list[list[int]] = [[] for _ in range(count)]
    for step in range(sampling.max_tokens):
        chosen = truncated_choice(backbone.logits(hidden).cpu(), uniforms[alive, step], sampling)
        kept = torch.nonzero(~torch.isin(chosen, stops))[:, 0]
        alive, chosen = alive[kept], chosen[kept]
        for sample, token in zip(alive.tolist(), chosen.tolist(), strict=True):
            drawn[sample].append(token)
        if not len(alive):
            break
        state = backbone.reorder(state, kept.to(backbone.device))
        hidden, state = backbone.step(state, chosen.to(backbone.device))
    return drawn


def truncated_choice(logits: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
    """The token of each row, int64 [rows]: the truncated distribution's inverse at `uniforms` [rows].

    Logits are float [rows, V]. The nucleus is taken of the `top_k` tokens' share of the whole probability.
    """
    scaled = logits / sampling.temperature
    best, tokens = scaled.topk(min(sampling.top_k, logits.shape[1]), dim=1)
    probs = (best - scaled.logsumexp(1, keepdim=True)).double().exp()
    before = probs.cumsum(1) - probs
    probs = torch.where(before < sampling.top_p, probs, torch.zeros_like(probs))
    cumulative = probs.cumsum(1)
    wanted = uniforms[:, None] * cumulative[:, -1:]
    place = (cumulative <= wanted).sum(1).clamp_max(probs.shape[1] - 1)
    # A uniform of nearly 1 must not reach the tokens that were cut off.
    place = torch.minimum(place, (probs > 0).sum(1) - 1)
    return tokens.gather(1, place[:, None])[:, 0]


def _seeds(seed: int, number: int, count: int) -> list[int]:
    drawn: list[int] = np.random.default_rng([seed, number]).integers(0, 1 << 31, count).tolist()
    return drawn


def _uniforms(seed: int, number: int, sampling: Sampling) -> Any:
    return np.random.default_rng([seed, number]).random((sampling.per_source, sampling.max_tokens))
