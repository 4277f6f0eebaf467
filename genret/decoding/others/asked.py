"""What one call of `generate` asks of our search, and the search's answer as `generate` gives it.

Knows transformers' calling conventions, a backbone and a search; knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig
from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateBeamEncoderDecoderOutput

from genret.constraint import Constraint, Documents, State, Successors
from genret.constraint.protocol import Bounded, Ending
from genret.decoding.beam import searcher
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.hypothesis import Hypothesis, Score
from genret.errors import UsageError
from genret.models.causal import MAX_DOCID_TOKENS, CausalBackbone, EncodedPrompt
from genret.models.encoder_decoder import EncodedSource, EncoderDecoderBackbone
from genret.models.language_model import LanguageModel

__all__ = ["Asked"]


@dataclass(frozen=True)
class Asked:
    """One call.

    Attributes:
        backbone: the model.
        encoded: what it reads of each query.
        prompts: int64 [queries, n]; what comes before each query's docids, a forced first token included.
        config: the call's, prepared by `generate`.
        ends: the end tokens, the constraint's first.
        forced_first: whether the prompts end with a forced first token, which `generate` counts as generated.
    """

    backbone: EncoderDecoderBackbone | CausalBackbone
    encoded: EncodedSource | EncodedPrompt
    prompts: Tensor
    config: GenerationConfig
    ends: list[int]
    forced_first: bool

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        input_ids: Tensor,
        sources: Tensor,
        config: GenerationConfig,
        inputs: dict[str, Any],
        constraint: Constraint,
    ) -> Asked:
        """What a call asks. `generate` has repeated every query for its beams: one of each is taken.

        `sources` is what the call gave to the model's encoder, not repeated.
        """
        times = max(config.num_beams, config.num_return_sequences)
        prompts = input_ids[::times].contiguous()
        forced_first = config.forced_bos_token_id is not None and prompts.shape[1] == 1
        if forced_first:
            forced = torch.full_like(prompts, int(config.forced_bos_token_id))
            prompts = torch.cat([prompts, forced], 1)
        mask = inputs.get("attention_mask")
        mask = None if mask is None else mask[::times].bool()
        ends = _ends(config, constraint)
        backbone: EncoderDecoderBackbone | CausalBackbone
        encoded: Any
        if model.config.is_encoder_decoder:
            backbone = EncoderDecoderBackbone(model, None, max_source_tokens=sources.shape[1])
            encoded = _encoded(backbone, sources, inputs, mask, times)
        else:
            # What comes before docids and docids together are what the call has room for.
            longest = max(prompts.shape[1], config.max_length - MAX_DOCID_TOKENS)
            backbone = CausalBackbone(model, None, max_source_tokens=longest)
            real = torch.ones_like(prompts, dtype=torch.bool)
            if mask is not None:
                real[:, : mask.shape[1]] = mask
            encoded = EncodedPrompt(prompts, real)
        backbone.eos_token_id = ends[0]
        return cls(backbone, encoded, prompts, config, ends, forced_first)

    def search(self, constraint: Constraint, score: Score, **options: Any) -> list[list[Hypothesis]]:
        """The hypotheses of each query; queries whose decoder begins alike are searched together."""
        if len(self.ends) > 1:
            constraint = _OneEnd(constraint, self.ends)
        if isinstance(self.backbone, CausalBackbone):
            return self._search(self.encoded, constraint, score, **options)
        found: list[list[Hypothesis]] = [[] for _ in range(len(self.prompts))]
        beginnings, kinds = torch.unique(self.prompts, dim=0, return_inverse=True)
        if len(beginnings) > 1 and options.get("look_ahead") is not None:
            raise UsageError("decoder_input_ids: with look_ahead, expected the same for all queries.")
        for kind, beginning in enumerate(beginnings.tolist()):
            rows = (kinds == kind).nonzero().squeeze(1)
            self._begin(beginning)
            own = {name: _rows(options.get(name), rows.tolist()) for name in ("prefixes", "filters")}
            part = self._search(self.encoded.select(rows), constraint, score, **{**options, **own})
            for row, hypotheses in zip(rows.tolist(), part, strict=True):
                found[row] = hypotheses
        return found

    def _begin(self, beginning: list[int]) -> None:
        """Let the decoder begin with these tokens: sequences are computed whole where the cache is wrong behind one."""
        assert isinstance(self.backbone, EncoderDecoderBackbone)
        proven = self.backbone.proof.paths
        if beginning != self.backbone.prefix:
            right = proven.cache and set(proven.whole_tokens).isdisjoint(beginning)
            self.backbone.use(replace(proven, cache=right))
            self.backbone.prefix = beginning

    def _search(
        self, encoded: EncodedSource | EncodedPrompt, constraint: Constraint, score: Score, **options: Any
    ) -> list[list[Hypothesis]]:
        config, before = self.config, self.prompts.shape[1]
        # `generate` counts the prompt, and asks for so many tokens before the end token; we count that one.
        least = max(0, (config.min_length or 0) + 1 - before) if config.min_length else 0
        beams, returned, most = config.num_beams, config.num_return_sequences, config.max_length - before
        limits = Limits.of(beams, returned, score, config.length_penalty, least, most)
        search = searcher(self.backbone, constraint, limits, score, **options)
        # After docids of another model were refused: their end token explains what is forced, not the other way round.
        free = self._free_last_end()
        search.limits = replace(limits, counted_before=int(self.forced_first), free_last_end=free)
        with torch.inference_mode():
            return search.run(encoded)

    def _free_last_end(self) -> bool:
        """Whether `generate` forces the end token at the last place, where it then costs nothing.

        Raises:
            UsageError: it forces another token there.
        """
        forced = self.config.forced_eos_token_id
        if forced is None:
            return False
        tokens = set(torch.as_tensor(forced).flatten().tolist())
        if tokens != {self.ends[0]}:
            raise UsageError(
                f"forced_eos_token_id={forced!r}: not possible with constrained_generate: docids end with "
                f"{self.ends[0]}; pass that, or None."
            )
        return True

    def answer(
        self, found: list[list[Hypothesis]]
    ) -> Tensor | GenerateBeamEncoderDecoderOutput | GenerateBeamDecoderOnlyOutput:
        """Hypotheses as `generate` returns them: prompt and tokens of each, filled up with padding."""
        count = self.config.num_return_sequences
        rows = [row + [None] * (count - len(row)) for row in found]
        width = max((len(h.tokens) for row in found for h in row), default=0)
        pad = int(self.config._pad_token_tensor)
        tokens = torch.full((len(found) * count, width), pad, device=self.prompts.device)
        scores = torch.full((len(found) * count,), -torch.inf, device=self.prompts.device)
        for place, hypothesis in enumerate(h for row in rows for h in row):
            if hypothesis is not None:
                tokens[place, : len(hypothesis.tokens)] = torch.tensor(hypothesis.tokens)
                scores[place] = hypothesis.score
        sequences = torch.cat([self.prompts.repeat_interleave(count, 0), tokens], 1)
        if not self.config.return_dict_in_generate:
            return sequences
        decoder_only = isinstance(self.backbone, CausalBackbone)
        output = GenerateBeamDecoderOnlyOutput if decoder_only else GenerateBeamEncoderDecoderOutput
        return output(sequences=sequences, sequences_scores=scores)


class _OneEnd:
    """A constraint for a model with several end tokens: `generate` would end at each, our search at the first.

    Where the others are never legal, that is the same; where one is, the search is refused.
    """

    def __init__(self, constraint: Constraint, ends: Sequence[int]) -> None:
        self._constraint, self._others = constraint, list(ends[1:])
        self.eos = ends[0]
        self.largest_token: int = constraint.largest_token if isinstance(constraint, Bounded) else 0

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        return self._constraint.start(queries, prefixes=prefixes, filters=filters)

    def successors(self, state: State, size: int | None = None) -> Successors:
        found = self._constraint.successors(state, size)
        others = torch.tensor(self._others, device=found.tokens.device)
        if found.everything or bool(torch.isin(found.tokens, others).any()):
            raise UsageError(
                f"eos_token_id={[self.eos, *self._others]}: not possible with constrained_generate: the constraint "
                f"allows {self._others} inside a docid; pass eos_token_id={self.eos}."
            )
        return found

    def advance(self, successors: Successors, edges: Tensor) -> State:
        return self._constraint.advance(successors, edges)

    def documents(self, state: State, limit: int | None = None) -> Documents:
        return self._constraint.documents(state, limit)


def _ends(config: GenerationConfig, constraint: Constraint) -> list[int]:
    """The end tokens of a call, the one that the constraint ends with first."""
    if config._eos_token_tensor is None:
        raise UsageError(
            "eos_token_id=None: not possible with constrained_generate: docids end with a token; pass it."
        )
    ends: list[int] = config._eos_token_tensor.tolist()
    own = constraint.eos if isinstance(constraint, Ending) else ends[0]
    return sorted(dict.fromkeys(ends), key=lambda token: token != own)


def _encoded(
    backbone: EncoderDecoderBackbone, sources: Tensor, inputs: dict[str, Any], mask: Tensor | None, times: int
) -> EncodedSource:
    """The encoder's states as `generate` has them; computed anew where it padded what this encoder must not see.

    Raises:
        UsageError: that is not possible, as the encoder read more than token ids, or before the call.
    """
    states = inputs["encoder_outputs"].last_hidden_state[::times]
    if mask is not None and not bool(mask.all()) and backbone.paths.sources != "padded":
        # `generate` makes up negative ids where it was given what the encoder made of them.
        if (
            sources.is_floating_point()
            or bool((sources < 0).any())
            or inputs.get("token_type_ids") is not None
        ):
            raise UsageError(
                "attention_mask with padding: not possible with constrained_generate: what this model's encoder makes "
                "of a text depends on padding, so that texts are encoded anew; give `input_ids` alone, or one text."
            )
        return backbone.encode_ids(sources, mask)
    states = backbone.projected(states)
    if mask is None:
        mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    return EncodedSource(states, mask)


def _rows(values: Sequence[Any] | None, rows: Sequence[int]) -> list[Any] | None:
    return None if values is None else [values[row] for row in rows]
