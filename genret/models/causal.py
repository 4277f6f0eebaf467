"""Any causal language model of transformers as a backbone: the query is a prompt, the docid its continuation.

Knows transformers' decoder-only models and their caches; knows nothing of docids or search. A prompt is read
once per query; where the architecture allows it, its keys and values are never copied per beam.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from genret.models.exactness.paths import Paths
from genret.models.language_model import LanguageModel
from genret.models.pretrained import PretrainedBackbone
from genret.models.settings import SourceOptions
from genret.models.sharing.cache import KeysValues, Past, growing_cache, grown_past
from genret.models.sharing.rows import Rows
from genret.models.sharing.shared_attention import Prompt, share_prompt
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.prompts import DEFAULT_TEMPLATE, Prompts, check_template
from genret.tokenizer.special_ids import find_id, first_id

__all__ = ["CausalBackbone", "EncodedPrompt"]

KIND = "causal"
MAX_SOURCE_TOKENS = 256
MAX_DOCID_TOKENS = 256
# Prompts that begin with so many equal tokens are read together from there on; below it, copying them costs as much.
SHARED_BEGINNING = 16
# Attention is softmax(scale * q k) v over all earlier tokens and nothing else: no window, no soft cap, no sinks.
SHARING_TYPES = frozenset({"gpt2", "llama", "qwen2", "qwen3", "mistral", "gpt_neox", "phi", "gemma", "olmo2"})


@dataclass(frozen=True)
class EncodedPrompt:
    """Prompts as token ids, int64 [queries, S], padded on the left, and which are real, bool [queries, S]."""

    input_ids: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.input_ids)

    def select(self, queries: Tensor) -> EncodedPrompt:
        """Some of the queries (int64 [n])."""
        return EncodedPrompt(self.input_ids.index_select(0, queries), self.mask.index_select(0, queries))

    def unpadded(self) -> EncodedPrompt:
        """The same prompts, which are of one length, without padding."""
        count = len(self)
        return EncodedPrompt(self.input_ids[self.mask].view(count, -1), self.mask[self.mask].view(count, -1))


@dataclass(frozen=True)
class _Memory:
    """Prompts that beams share: keys and values [queries, key heads, S, d] of each layer.

    Attributes:
        mask: bool [queries, 1, 1, S].
        lengths: int64 [queries].
    """

    layers: tuple[KeysValues, ...]
    mask: Tensor
    lengths: Tensor

    def select(self, queries: Tensor) -> _Memory:
        layers = tuple((k.index_select(0, queries), v.index_select(0, queries)) for k, v in self.layers)
        return _Memory(layers, self.mask.index_select(0, queries), self.lengths.index_select(0, queries))


@dataclass(frozen=True)
class _State:
    """`memory` is None where each beam carries its prompt in `past`."""

    past: Past
    rows: Rows
    memory: _Memory | None


class CausalBackbone(PretrainedBackbone):
    """A decoder-only model; see `Backbone` for the interface.

    `template` is the prompt, `{query}` in it the source text. Truncation cuts the text, never what follows it
    in the template; prompts are at most `max_source_tokens` tokens.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer | None,
        *,
        template: str | None = None,
        max_source_tokens: int | None = None,
    ) -> None:
        super().__init__(model, tokenizer, model)
        self.settings = SourceOptions.of(model.config, KIND, MAX_SOURCE_TOKENS, max_source_tokens, template)
        self.settings.template = check_template(self.settings.template or DEFAULT_TEMPLATE)
        self.eos_token_id = first_id("eos_token_id", model, tokenizer, "sep_token_id")
        pad = find_id("pad_token_id", model.config, tokenizer)
        self.pad_token_id = self.eos_token_id if pad is None else pad
        self._takes_positions = "position_ids" in inspect.signature(self.body().forward).parameters
        self.settle()

    @property
    def prompts(self) -> Prompts:
        """From texts to prompts, by the settings as they are now."""
        settings = self.settings
        return Prompts(self.tokenizer, str(settings.template), settings.max_source_tokens, self.eos_token_id)

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text's prompt, after truncation."""
        return [len(ids) for ids in self.prompts(texts)]

    def encode(self, texts: Sequence[str]) -> EncodedPrompt:
        """The prompts of texts; the model reads them in `start` or `target_logits`."""
        return self.sources(self.prompts(texts))

    def sources(self, ids: Sequence[Sequence[int]]) -> EncodedPrompt:
        """Prompts of token ids, padded on the left."""
        lengths = torch.tensor([len(prompt) for prompt in ids], dtype=torch.int64)
        width = max(map(len, ids), default=0)
        rows = [[self.pad_token_id] * (width - len(prompt)) + list(prompt) for prompt in ids]
        input_ids = torch.tensor(rows, dtype=torch.int64).view(len(ids), width)
        mask = torch.arange(width) >= width - lengths[:, None]
        return EncodedPrompt(input_ids.to(self.device), mask.to(self.device))

    def bare_logits(self, source: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """See `PretrainedBackbone`."""
        logits: Tensor = self.model(
            input_ids=torch.tensor([[*source, *tokens]], device=self.device), use_cache=False
        ).logits
        return logits[0, len(source) - 1 :]

    def longest(self) -> int:
        """Tokens of the longest prompt and docid."""
        return self.settings.max_source_tokens + MAX_DOCID_TOKENS

    def fastest(self) -> Paths:
        """All, but for models whose attention is known not to share prompts."""
        return Paths(shared=_can_share(self.model, self.settings))

    def body(self) -> nn.Module:
        """The model without its output layer."""
        return self.model.base_model

    def teach(self, encoded: EncodedPrompt, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] that predict targets."""
        tokens = torch.cat([encoded.input_ids, targets[:, :-1]], 1)
        lengths = encoded.mask.sum(1) + targets.shape[1] - 1 if self.teaches_padded else None
        past = Past()
        hidden = self.run(**self._inputs(past, tokens, lengths), use_cache=False)
        return hidden[:, encoded.input_ids.shape[1] - 1 :]

    def read(self, encoded: EncodedPrompt) -> tuple[Tensor, _State]:
        """Read the prompts, one row per query; what all of them begin with is read once."""
        lengths = encoded.mask.sum(1)
        hidden, state = self._read(encoded, lengths)
        if self.paths.shared:
            layers = tuple((k.transpose(1, 2), v.transpose(1, 2)) for k, v in state.past.layers)
            memory = _Memory(layers, encoded.mask[:, None, None, :], lengths)
            state = _State(Past(), state.rows, memory)
        return hidden[:, -1], state

    def gather(self, state: _State, rows: Tensor, rows_per_query: int | None) -> _State:
        """Gather rows; shared prompts stay, unless a query is left without a row."""
        layout, kept = state.rows.reordered(rows, rows_per_query)
        memory = state.memory
        if memory is not None and kept is not None:
            memory = memory.select(kept)
        return _State(state.past.reorder(rows), layout, memory)

    def feed(self, state: _State, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, _State]:
        """Run the model on int64 [rows, n], of which row r uses the last `lengths[r]`."""
        past, count = state.past, tokens.shape[1]
        grown = past.grown_lengths(len(tokens), count, lengths, tokens.device)
        inputs = self._inputs(past, tokens, grown)
        if state.memory is not None:
            positions = self.positions(past, tokens, grown)
            before = state.memory.lengths[state.rows.query_of_row][:, None]
            inputs["position_ids"] = (positions + before).expand(len(tokens), -1)
        layers = int(self.model.config.num_hidden_layers)
        cache = growing_cache(past, layers, lengths, _marks(state))
        hidden = self.run(**inputs, past_key_values=cache, use_cache=True)
        return hidden, _State(grown_past(past, cache, count, grown), state.rows, state.memory)

    def _read(self, encoded: EncodedPrompt, lengths: Tensor) -> tuple[Tensor, _State]:
        rows = Rows.single(len(encoded), self.device)
        if self.paths.rows != "padded":
            return self.feed(_State(Past(), rows, None), encoded.input_ids, None)
        common = _common_beginning(encoded, lengths) if self.paths.uneven else 0
        if common < SHARED_BEGINNING:
            return self.feed(_State(Past(), rows, None), encoded.input_ids, lengths)
        first = encoded.input_ids[:1, encoded.input_ids.shape[1] - int(lengths[0]) :]
        _, state = self.feed(_State(Past(), Rows.single(1, self.device), None), first[:, :common], None)
        past = state.past.reorder(torch.zeros(len(encoded), dtype=torch.int64, device=self.device))
        return self.feed(_State(past, rows, None), encoded.input_ids[:, common:], lengths - common)

    def _inputs(self, past: Past, tokens: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """What the model is given: token ids, and where rows are not alike which are real, and their positions."""
        inputs = {"input_ids": tokens}
        if self.paths.shared:
            inputs["attention_mask"] = past.mask(tokens.shape[1], lengths, self.device)
        if lengths is None:
            return inputs
        if not self.paths.shared:
            width = past.width + tokens.shape[1]
            real = torch.arange(width, device=self.device) >= width - lengths[:, None]
            inputs["attention_mask"] = real.long()
        if self._takes_positions:
            inputs["position_ids"] = self.positions(past, tokens, lengths).expand(len(tokens), -1)
        return inputs


def _common_beginning(encoded: EncodedPrompt, lengths: Tensor) -> int:
    """How many tokens all prompts begin with; each keeps one of its own at least. 0 for a single prompt."""
    shortest = int(lengths.min()) if len(encoded) > 1 else 0
    columns = encoded.input_ids.shape[1] - lengths[:, None] + torch.arange(shortest, device=lengths.device)
    beginnings = encoded.input_ids.gather(1, columns)
    same = (beginnings == beginnings[:1]).all(0)
    return min(int(same.long().cumprod(0).sum()), max(shortest - 1, 0))


def _marks(state: _State) -> Any:
    """Tells attention, by a note on the keys of a continuation, where its prompt is."""
    memory = state.memory
    if memory is None:
        return None
    prompts = [Prompt(keys, values, memory.mask, state.rows) for keys, values in memory.layers]
    return lambda keys, layer: share_prompt(keys, prompts[layer])


def _can_share(model: LanguageModel, settings: SourceOptions) -> bool:
    """A known type, and no sliding window that a prompt and its docid could reach beyond."""
    if model.config.model_type not in SHARING_TYPES:
        return False
    window = getattr(model.config, "sliding_window", None)
    if window is None or not getattr(model.config, "use_sliding_window", True):
        return True
    return settings.max_source_tokens + MAX_DOCID_TOKENS <= int(window)
