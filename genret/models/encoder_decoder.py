"""Any encoder-decoder of transformers as a backbone: T5, mT5, BART and its kin, `EncoderDecoderModel`.

Knows transformers' encoder-decoder models and their caches; knows nothing of docids or search. Keys and values
of the source are computed once per query and stay one row per query however many beams read them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncoderDecoderModel
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache

from genret.errors import InputError
from genret.models.head import Head
from genret.models.hub import quiet_transformers
from genret.models.self_check import check_steps
from genret.models.settings import Settings
from genret.models.sharing.cache import KeysValues, Past, growing_cache, grown_past
from genret.models.sharing.rows import Rows
from genret.models.sharing.shared_attention import share_keys, use_shared_attention
from genret.models.special_ids import decoder_prefix, first_id
from genret.models.vocabulary import extend_model, extend_tokenizer
from genret.plain_text import text_ids

__all__ = ["EncodedSource", "EncoderDecoderBackbone"]

KIND = "encoder-decoder"
# Types whose attention goes through transformers' interface and reads nothing but keys, values, mask and bias.
SHARING_TYPES = frozenset(
    {"t5", "mt5", "bart", "mbart", "marian", "pegasus", "blenderbot", "blenderbot-small", "plbart", "m2m_100"}
    | {"encoder-decoder", "bert", "roberta", "gpt2"}  # the decoders of an EncoderDecoderModel
)
MAX_SOURCE_TOKENS = 512


@dataclass(frozen=True)
class EncodedSource:
    """Encoder states [queries, S, d] and which of them are real tokens, bool [queries, S]."""

    states: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def select(self, queries: Tensor) -> EncodedSource:
        """Some of the queries (int64 [n])."""
        return EncodedSource(self.states.index_select(0, queries), self.mask.index_select(0, queries))


@dataclass(frozen=True)
class _Memory:
    """What beams read of the source: one row per query, or, without shared attention, one per beam.

    Attributes:
        layers: cross-attention keys and values of each layer, each [queries, heads, S, d].
        states: encoder states [queries, S, d]; modelling code wants to see them, and never reads their values.
        mask: bool [queries, 1, 1, S].
    """

    layers: tuple[KeysValues, ...]
    states: Tensor
    mask: Tensor

    def select(self, rows: Tensor) -> _Memory:
        layers = tuple((k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.layers)
        return _Memory(layers, self.states.index_select(0, rows), self.mask.index_select(0, rows))


@dataclass(frozen=True)
class _State:
    past: Past
    rows: Rows
    memory: _Memory


class EncoderDecoderBackbone(nn.Module):
    """An encoder-decoder with a language-modelling head; see `Backbone` for the interface.

    The decoder is fed its start token and, where the configuration forces a first token
    (`forced_bos_token_id`: BART), that one as well, before the first docid token; targets hold neither.
    Truncation cuts sources to `max_source_tokens`, special tokens included.
    """

    def __init__(self, model: Any, tokenizer: Any, *, max_source_tokens: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.settings = Settings.of(model.config, KIND, MAX_SOURCE_TOKENS, max_source_tokens)
        self.prefix = decoder_prefix(model, tokenizer)
        self.eos_token_id = first_id("eos_token_id", model, tokenizer, "sep_token_id")
        self.pad_token_id = first_id("pad_token_id", model, tokenizer, "eos_token_id")
        self._decoder_owner = model.decoder if isinstance(model, EncoderDecoderModel) else model
        self._head = Head(self._decoder_owner)
        accepted = inspect.signature(self._body().forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._shares = _types(model.config) <= SHARING_TYPES and use_shared_attention(model)
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
        return int(self._decoder_owner.get_output_embeddings().weight.shape[0])

    @property
    def feeds_several(self) -> bool:
        """Rows may be fed different numbers of tokens where positions can be given or are relative."""
        body = self._body()
        return self._shares and self._positions_known(body)

    def _positions_known(self, body: Any) -> bool:
        return self._takes_positions or _relative(body) or _learned_positions(body) is not None

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Source tokens of each text, special tokens included, after truncation."""
        return [len(row) for row in self._source_ids(texts)]

    def encode(self, texts: Sequence[str]) -> EncodedSource:
        """Encoder states of texts, padded on the right: on the left it would move absolute positions (BART)."""
        ids = self._source_ids(texts)
        batch = self.tokenizer.pad({"input_ids": ids}, padding_side="right", return_tensors="pt")
        return self.encode_ids(batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device))

    def encode_ids(self, input_ids: Tensor, attention_mask: Tensor) -> EncodedSource:
        """Encoder states of token ids, int64 [queries, S], and their mask (nonzero at real tokens)."""
        encoder = self.model.get_encoder()
        states = encoder(input_ids=input_ids, attention_mask=attention_mask.long()).last_hidden_state
        return EncodedSource(self._projected(states), attention_mask.bool())

    def target_logits(self, encoded: EncodedSource, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]."""
        return self.logits(self.target_states(encoded, targets))

    def target_states(self, encoded: EncodedSource, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] whose `logits` are `target_logits`."""
        prefix = targets.new_tensor(self.prefix).expand(len(targets), -1)
        fed = torch.cat([prefix, targets[:, :-1]], 1)
        hidden = self._body()(
            input_ids=fed,
            attention_mask=torch.ones_like(fed),
            encoder_hidden_states=encoded.states,
            encoder_attention_mask=encoded.mask.long(),
            use_cache=False,
        ).last_hidden_state
        return self._head.prepare(hidden[:, len(self.prefix) - 1 :])

    def forward(self, sources: Sequence[str] | EncodedSource, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of encoded sources."""
        encoded = sources if isinstance(sources, EncodedSource) else self.encode(sources)
        return self.target_logits(encoded, targets)

    @torch.no_grad()
    def start(self, encoded: EncodedSource) -> tuple[Tensor, _State]:
        """Feed the prefix to one row per query; this computes the source's keys and values."""
        queries = len(encoded)
        tokens = torch.tensor(self.prefix, device=self.device).expand(queries, -1)
        memory = _Memory((), encoded.states, encoded.mask[:, None, None, :])
        state = _State(Past(), Rows.single(queries, self.device), memory)
        hidden, state = self._feed(state, tokens, None)
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
        """Gather rows; the source's keys and values stay, unless a query is left without a row."""
        layout, kept = state.rows.reordered(rows, rows_per_query)
        past = state.past.reorder(rows)
        if not self._shares:  # one row of memory per beam
            return _State(past, layout, state.memory if past is state.past else state.memory.select(rows))
        return _State(past, layout, state.memory if kept is None else state.memory.select(kept))

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add tokens; new embedding rows are the mean of the old with a little noise (`extend_model`)."""
        ids = extend_tokenizer(self.tokenizer, new_tokens)
        extend_model(self.model, ids)
        return ids

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write model, configuration and tokenizer as transformers does."""
        self.settings.store(self.model.config)
        with quiet_transformers():
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _source_ids(self, texts: Sequence[str]) -> list[list[int]]:
        limit = self.settings.max_source_tokens
        return text_ids(self.tokenizer, texts, special_tokens=True, max_length=limit)

    def _body(self) -> Any:
        """The decoder without its head."""
        owner = self._decoder_owner
        return owner.get_decoder() if owner is self.model else owner.base_model

    def _projected(self, states: Tensor) -> Tensor:
        project = getattr(self.model, "enc_to_dec_proj", None)
        return states if project is None else project(states)

    def _feed(self, state: _State, tokens: Tensor, fed: Tensor | None) -> tuple[Tensor, _State]:
        """Run the decoder on int64 [rows, n]: prepared hidden states [rows, n, d] and the next state."""
        past, count = state.past, tokens.shape[1]
        lengths = past.grown_lengths(len(tokens), count, fed, tokens.device)
        own = growing_cache(past, self._layers(), fed)
        cache = EncoderDecoderCache(own, _memory_cache(state, self._shares))
        # Prepared masks of four dimensions are for attention that shares; other models make their own.
        seen = state.memory.mask if self._shares else state.memory.mask[:, 0, 0].long()
        hidden = self._body()(
            attention_mask=past.mask(count, lengths, tokens.device) if self._shares else None,
            encoder_hidden_states=state.memory.states,
            encoder_attention_mask=seen,
            past_key_values=cache,
            use_cache=True,
            **self._inputs(past, tokens, lengths),
        ).last_hidden_state
        memory = state.memory
        if not memory.layers:
            layers = tuple((layer.keys, layer.values) for layer in cache.cross_attention_cache.layers)
            memory = _Memory(layers, memory.states, memory.mask)
        return self._head.prepare(hidden), _State(grown_past(past, own, count, lengths), state.rows, memory)

    def _whole_model_logits(self, texts: Sequence[str], targets: Tensor) -> Tensor:
        """What transformers itself computes for `target_logits`."""
        batch = self.tokenizer(list(texts), padding=True, padding_side="right", return_tensors="pt").to(
            self.device
        )
        prefix = targets.new_tensor(self.prefix).expand(len(targets), -1)
        output = self.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=torch.cat([prefix, targets[:, :-1]], 1),
            use_cache=False,
        )
        logits: Tensor = output.logits[:, prefix.shape[1] - 1 :]
        return logits

    def _layers(self) -> int:
        config = self._body().config
        for name in ("num_decoder_layers", "decoder_layers", "num_hidden_layers"):
            if (layers := getattr(config, name, None)) is not None:
                return int(layers)
        raise InputError(
            f"{type(self.model).__name__}: its configuration does not say how many decoder layers it has."
        )

    def _inputs(self, past: Past, tokens: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """Token ids, with positions where rows differ and the decoder would not know."""
        if lengths is None or (self._shares and _relative(self._body())):
            return {"input_ids": tokens}
        if not self.feeds_several:
            raise InputError(f"{type(self.model).__name__} cannot feed rows different numbers of tokens.")
        positions = past.positions(tokens.shape[1], lengths, tokens.device)
        if self._takes_positions:
            return {"input_ids": tokens, "position_ids": positions}
        table = _learned_positions(self._body())
        assumed = past.positions(tokens.shape[1], None, tokens.device)
        offset = getattr(table, "offset", 0)
        shift = table.weight[positions + offset] - table.weight[assumed + offset]
        return {"inputs_embeds": self._body().embed_tokens(tokens) + shift}


def _types(config: Any) -> set[str]:
    """The model's type, and for an `EncoderDecoderModel` its decoder's."""
    decoder = getattr(config, "decoder", None) if config.model_type == "encoder-decoder" else None
    return {config.model_type} if decoder is None else {config.model_type, decoder.model_type}


def _relative(body: Any) -> bool:
    """T5 and its kin know distances only; rows aligned on the right keep them."""
    return hasattr(body.config, "relative_attention_num_buckets")


def _learned_positions(body: Any) -> Any:
    """The table of position embeddings that BART and its kin add to token embeddings, without a say from us."""
    table = getattr(body, "embed_positions", None)
    return table if hasattr(table, "weight") else None


def _memory_cache(state: _State, shares: bool) -> Cache:
    """The cross-attention cache: what `state` holds, or empty before the first step."""
    if not state.memory.layers:
        return Cache(layer_class_to_replicate=DynamicLayer)
    layers = []
    for keys, values in state.memory.layers:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys = share_keys(keys, state.rows) if shares else keys
        layer.values = values
        layers.append(layer)
    return Cache(layers=layers)
