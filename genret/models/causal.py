"""Any causal language model of transformers as a backbone: the query is a prompt, the docid its continuation.

Knows transformers' decoder-only models and their caches; knows nothing of docids or search. A prompt is read
once per query; where the architecture allows it, its keys and values are never copied per beam.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from genret.errors import InputError
from genret.models.head import Head
from genret.models.hub import quiet_transformers
from genret.models.self_check import check_steps
from genret.models.settings import Settings
from genret.models.sharing.cache import KeysValues, Past, growing_cache, grown_past
from genret.models.sharing.rows import Rows
from genret.models.sharing.shared_attention import Prompt, share_prompt, use_shared_attention
from genret.models.special_ids import find_id, first_id
from genret.models.vocabulary import extend_model, extend_tokenizer
from genret.plain_text import prompt_ids

__all__ = ["DEFAULT_TEMPLATE", "CausalBackbone", "EncodedPrompt"]

KIND = "causal"
MAX_SOURCE_TOKENS = 256
MAX_DOCID_TOKENS = 256
QUERY = "{query}"
DEFAULT_TEMPLATE = "query: {query}\ndocid: "
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


class CausalBackbone(nn.Module):
    """A decoder-only model; see `Backbone` for the interface.

    `template` is the prompt, `{query}` in it the source text. Truncation cuts the text, never what follows it
    in the template; prompts are at most `max_source_tokens` tokens.
    """

    feeds_several = True

    def __init__(
        self, model: Any, tokenizer: Any, *, template: str | None = None, max_source_tokens: int | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.settings = Settings.of(model.config, KIND, MAX_SOURCE_TOKENS, max_source_tokens, template)
        self.settings.template = self.settings.template or DEFAULT_TEMPLATE
        _check(model, self.settings)
        self.eos_token_id = first_id("eos_token_id", model, tokenizer, "sep_token_id")
        pad = find_id("pad_token_id", model.config, tokenizer)
        self.pad_token_id = self.eos_token_id if pad is None else pad
        self._head = Head(model)
        self._shares = _can_share(model, self.settings) and use_shared_attention(model)
        self.train(model.training)
        if not self._shares:
            check_steps(self, self._whole_model_logits)

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        device: torch.device = self.model.device
        return device

    @property
    def vocab_size(self) -> int:
        """Width of the logits; at least the tokenizer's size."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text's prompt, after truncation."""
        return [len(ids) for ids in self._prompts(texts)]

    def encode(self, texts: Sequence[str]) -> EncodedPrompt:
        """The prompts of texts; the model reads them in `start` or `target_logits`."""
        prompts = self._prompts(texts)
        lengths = torch.tensor([len(ids) for ids in prompts], dtype=torch.int64)
        width = max(map(len, prompts), default=0)
        rows = [[self.pad_token_id] * (width - len(ids)) + ids for ids in prompts]
        input_ids = torch.tensor(rows, dtype=torch.int64).view(len(prompts), width)
        mask = torch.arange(width) >= width - lengths[:, None]
        return EncodedPrompt(input_ids.to(self.device), mask.to(self.device))

    def target_logits(self, encoded: EncodedPrompt, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]."""
        return self.logits(self.target_states(encoded, targets))

    def target_states(self, encoded: EncodedPrompt, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] whose `logits` are `target_logits`."""
        tokens = torch.cat([encoded.input_ids, targets[:, :-1]], 1)
        lengths = encoded.mask.sum(1) + targets.shape[1] - 1
        past = Past()
        hidden = self.model.base_model(
            input_ids=tokens,
            attention_mask=self._mask(past, tokens.shape[1], lengths),
            position_ids=past.positions(tokens.shape[1], lengths, tokens.device),
            use_cache=False,
        ).last_hidden_state
        return self._head.prepare(hidden[:, encoded.input_ids.shape[1] - 1 :])

    def forward(self, sources: Sequence[str] | EncodedPrompt, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of encoded prompts."""
        encoded = sources if isinstance(sources, EncodedPrompt) else self.encode(sources)
        return self.target_logits(encoded, targets)

    @torch.no_grad()
    def start(self, encoded: EncodedPrompt) -> tuple[Tensor, _State]:
        """Read the prompts, one row per query."""
        lengths = encoded.mask.sum(1)
        hidden, state = self._read(encoded, lengths)
        if self._shares:
            layers = tuple((k.transpose(1, 2), v.transpose(1, 2)) for k, v in state.past.layers)
            memory = _Memory(layers, encoded.mask[:, None, None, :], lengths)
            state = _State(Past(), state.rows, memory)
        return hidden[:, -1], state

    @torch.no_grad()
    def step(self, state: _State, tokens: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, _State]:
        """Feed one token per row, or several; see `Backbone.step`."""
        if tokens.dim() == 1:
            hidden, state = self._feed(state, tokens[:, None], None)
            return hidden[:, 0], state
        return self._feed(state, tokens, lengths)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Float32 logits of hidden states, all or the columns `tokens`."""
        return self._head.logits(hidden, tokens, out)

    def reorder(self, state: _State, rows: Tensor, rows_per_query: int | None = None) -> _State:
        """Gather rows; shared prompts stay, unless a query is left without a row."""
        layout, kept = state.rows.reordered(rows, rows_per_query)
        memory = state.memory
        if memory is not None and kept is not None:
            memory = memory.select(kept)
        return _State(state.past.reorder(rows), layout, memory)

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add tokens; new embedding rows are the mean of the old with a little noise (`extend_model`)."""
        ids = extend_tokenizer(self.tokenizer, new_tokens)
        extend_model(self.model, ids)
        return ids

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write model, configuration (with the template) and tokenizer as transformers does."""
        self.settings.store(self.model.config)
        with quiet_transformers():
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each prompt: what the tokenizer starts every text with, the text, and what follows it."""
        before, after = str(self.settings.template).split(QUERY)
        start = self.tokenizer("")["input_ids"]
        if start and start[-1] == self.eos_token_id:  # an end of text has no place before a continuation
            start = start[:-1]
        end = self.tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
        room = self.settings.max_source_tokens - len(start) - len(end)
        if room < 1:
            raise InputError(
                f"max_source_tokens: the template alone takes {len(start) + len(end)} tokens; expected more than "
                f"that, found {self.settings.max_source_tokens}."
            )
        if not texts:
            return []
        return [[*start, *ids[:room], *end] for ids in prompt_ids(self.tokenizer, before, texts)]

    def _read(self, encoded: EncodedPrompt, lengths: Tensor) -> tuple[Tensor, _State]:
        """Run the model on prompts; what all of them begin with is read once."""
        rows = Rows.single(len(encoded), self.device)
        common = _common_beginning(encoded, lengths)
        if common < SHARED_BEGINNING:
            return self._feed(_State(Past(), rows, None), encoded.input_ids, lengths)
        first = encoded.input_ids[:1, encoded.input_ids.shape[1] - int(lengths[0]) :]
        _, state = self._feed(_State(Past(), Rows.single(1, self.device), None), first[:, :common], None)
        past = state.past.reorder(torch.zeros(len(encoded), dtype=torch.int64, device=self.device))
        return self._feed(_State(past, rows, None), encoded.input_ids[:, common:], lengths - common)

    def _mask(self, past: Past, count: int, lengths: Tensor | None) -> Tensor | None:
        """The mask that our attention reads, or else the plain form from which models make their own."""
        if self._shares:
            return past.mask(count, lengths, self.device)
        if lengths is None:
            return None
        width = past.width + count
        return (torch.arange(width, device=self.device) >= width - lengths[:, None]).long()

    def _whole_model_logits(self, texts: Sequence[str], targets: Tensor) -> Tensor:
        """What transformers itself computes for `target_logits`, one prompt at a time, without padding."""
        prompts = [torch.tensor(ids, device=self.device) for ids in self._prompts(texts)]
        rows = []
        for prompt, target in zip(prompts, targets, strict=True):
            logits = self.model(torch.cat([prompt, target[:-1]])[None], use_cache=False).logits
            rows.append(logits[0, len(prompt) - 1 :])
        return torch.stack(rows)

    def _feed(self, state: _State, tokens: Tensor, fed: Tensor | None) -> tuple[Tensor, _State]:
        """Run the model on int64 [rows, n]: prepared hidden states [rows, n, d] and the next state."""
        past, count = state.past, tokens.shape[1]
        lengths = past.grown_lengths(len(tokens), count, fed, tokens.device)
        positions = past.positions(count, lengths, tokens.device)
        if state.memory is not None:
            positions = positions + state.memory.lengths[state.rows.query_of_row][:, None]
        layers = int(self.model.config.num_hidden_layers)
        cache = growing_cache(past, layers, fed, _marks(state))
        hidden = self.model.base_model(
            input_ids=tokens,
            attention_mask=self._mask(past, count, lengths),
            position_ids=positions.expand(len(tokens), -1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        grown = grown_past(past, cache, count, lengths)
        return self._head.prepare(hidden), _State(grown, state.rows, state.memory)


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


def _check(model: Any, settings: Settings) -> None:
    name = type(model).__name__
    if str(settings.template).count(QUERY) != 1:
        raise InputError(f"template: expected {QUERY} once, found {settings.template!r}.")
    if "position_ids" not in inspect.signature(model.base_model.forward).parameters:
        raise InputError(
            f"{name} cannot be told positions, so prompts cannot be batched; choose another model."
        )


def _can_share(model: Any, settings: Settings) -> bool:
    """A known type, and no sliding window that a prompt and its docid could reach beyond."""
    if model.config.model_type not in SHARING_TYPES:
        return False
    window = getattr(model.config, "sliding_window", None)
    if window is None or not getattr(model.config, "use_sliding_window", True):
        return True
    return settings.max_source_tokens + MAX_DOCID_TOKENS <= int(window)
