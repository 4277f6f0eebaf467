"""Any encoder-decoder of transformers as a backbone: T5, mT5, BART and its kin, `EncoderDecoderModel`.

Knows transformers' encoder-decoder models and their caches; knows nothing of docids or search. Keys and values
of the source are computed once per query and stay one row per query however many beams read them.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncoderDecoderModel
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from genret.errors import InputError
from genret.models.exactness.company import encode_apart
from genret.models.exactness.paths import Paths
from genret.models.language_model import LanguageModel
from genret.models.pretrained import PretrainedBackbone
from genret.models.settings import SourceOptions
from genret.models.sharing.cache import KeysValues, Past, growing_cache, grown_past
from genret.models.sharing.rows import Rows
from genret.models.sharing.shared_attention import share_keys
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids
from genret.tokenizer.special_ids import decoder_prefix, first_id

__all__ = ["EncodedSource", "EncoderDecoderBackbone"]

KIND = "encoder-decoder"
# Types whose attention goes through transformers' interface and reads nothing but keys, values, mask and bias.
SHARING_TYPES = frozenset(
    {"t5", "mt5", "bart", "mbart", "marian", "pegasus", "blenderbot", "blenderbot-small", "plbart", "m2m_100"}
    | {"encoder-decoder", "bert", "roberta", "gpt2"}  # the decoders of an EncoderDecoderModel
)
MAX_SOURCE_TOKENS = 512
MAX_DOCID_TOKENS = 256


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

    def unpadded(self) -> EncodedSource:
        """The same sources, which are of one length, without padding."""
        states = self.states[self.mask].view(len(self), -1, self.states.shape[-1])
        return EncodedSource(states, self.mask[self.mask].view(len(self), -1))


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


class EncoderDecoderBackbone(PretrainedBackbone):
    """An encoder-decoder with a language-modelling head; see `Backbone` for the interface.

    The decoder is fed its start token and, where the configuration forces a first token
    (`forced_bos_token_id`: BART), that one as well, before the first docid token; targets hold neither.
    Truncation cuts sources to `max_source_tokens`, special tokens included.
    """

    def __init__(
        self, model: LanguageModel, tokenizer: Tokenizer | None, *, max_source_tokens: int | None = None
    ) -> None:
        super().__init__(model, tokenizer, model.decoder if isinstance(model, EncoderDecoderModel) else model)
        self.settings = SourceOptions.of(model.config, KIND, MAX_SOURCE_TOKENS, max_source_tokens)
        self.prefix = decoder_prefix(model, tokenizer)
        self.eos_token_id = first_id("eos_token_id", model, tokenizer, "sep_token_id")
        self.pad_token_id = first_id("pad_token_id", model, tokenizer, "eos_token_id")
        self._takes_positions = "position_ids" in inspect.signature(self.body().forward).parameters
        self.settle()

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Source tokens of each text, special tokens included, after truncation."""
        return [len(row) for row in self._source_ids(texts)]

    def encode(self, texts: Sequence[str]) -> EncodedSource:
        """Encoder states of texts, padded on the right: on the left it would move absolute positions (BART)."""
        return self.sources(self._source_ids(texts))

    def sources(self, ids: Sequence[Sequence[int]]) -> EncodedSource:
        """Encoder states of token ids."""
        width = max(map(len, ids), default=0)
        rows = [[*source, *[self.pad_token_id] * (width - len(source))] for source in ids]
        lengths = torch.tensor([len(source) for source in ids], device=self.device)
        mask = torch.arange(width, device=self.device) < lengths[:, None]
        return self.encode_ids(torch.tensor(rows, device=self.device), mask)

    def encode_ids(self, input_ids: Tensor, attention_mask: Tensor) -> EncodedSource:
        """Encoder states of token ids, int64 [queries, S], and their mask (nonzero at real tokens)."""
        mask = attention_mask.bool()
        return EncodedSource(encode_apart(self._encoded, input_ids, mask, self.paths.sources), mask)

    def projected(self, states: Tensor) -> Tensor:
        """The encoder's own states [queries, S, e] as the decoder reads them, [queries, S, d]."""
        project = getattr(self.model, "enc_to_dec_proj", None)  # encoder and decoder of unlike width have one
        projected: Tensor = states if project is None else project(states)
        return projected

    def bare_logits(self, source: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """See `PretrainedBackbone`."""
        input_ids = torch.tensor([list(source)], device=self.device)
        logits: Tensor = self.model(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            decoder_input_ids=torch.tensor([[*self.prefix, *tokens]], device=self.device),
            use_cache=False,
        ).logits
        return logits[0, len(self.prefix) - 1 :]

    def longest(self) -> int:
        """Tokens of the longest source or docid."""
        return max(self.settings.max_source_tokens, MAX_DOCID_TOKENS)

    def fastest(self) -> Paths:
        """All, but for models whose attention is known not to share sources, or that cannot be told positions."""
        shared = _types(self.model.config) <= SHARING_TYPES
        body = self.body()
        known = self._takes_positions or _relative(body) or _learned_positions(body) is not None
        return Paths(shared=shared, uneven=shared and known)

    def body(self) -> nn.Module:
        """The decoder without its head."""
        return self.model.get_decoder() if self.owner is self.model else self.owner.base_model

    def whole_model(self, **inputs: Any) -> Any:
        """See `PretrainedBackbone`."""
        if self.owner is not self.model:
            return self.owner(**inputs)
        decoder_mask, source_mask = inputs.pop("attention_mask"), inputs.pop("encoder_attention_mask")
        return self.model(
            # Nobody reads their values again; FSMT makes its causal mask only where it is given some.
            input_ids=source_mask,
            encoder_outputs=BaseModelOutput(inputs.pop("encoder_hidden_states")),
            attention_mask=source_mask,
            decoder_input_ids=inputs.pop("input_ids"),
            decoder_attention_mask=decoder_mask,
            **inputs,
        )

    def teach(self, encoded: EncodedSource, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] that predict targets."""
        prefix = targets.new_tensor(self.prefix).expand(len(targets), -1)
        hidden = self.run(
            input_ids=torch.cat([prefix, targets[:, :-1]], 1),
            attention_mask=None,
            encoder_hidden_states=encoded.states,
            encoder_attention_mask=encoded.mask.long(),
            use_cache=False,
        )
        return hidden[:, len(self.prefix) - 1 :]

    def read(self, encoded: EncodedSource) -> tuple[Tensor, _State]:
        """Feed the prefix to one row per query; this computes the source's keys and values."""
        queries = len(encoded)
        tokens = torch.tensor(self.prefix, device=self.device).expand(queries, -1)
        memory = _Memory((), encoded.states, encoded.mask[:, None, None, :])
        state = _State(Past(), Rows.single(queries, self.device), memory)
        hidden, state = self.feed(state, tokens, None)
        return hidden[:, -1], state

    def gather(self, state: _State, rows: Tensor, rows_per_query: int | None) -> _State:
        """Gather rows; the source's keys and values stay, unless a query is left without a row."""
        layout, kept = state.rows.reordered(rows, rows_per_query)
        past = state.past.reorder(rows)
        if not self.paths.shared:  # one row of memory per beam
            return _State(past, layout, state.memory if past is state.past else state.memory.select(rows))
        return _State(past, layout, state.memory if kept is None else state.memory.select(kept))

    def feed(self, state: _State, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, _State]:
        """Run the decoder on int64 [rows, n], of which row r uses the last `lengths[r]`."""
        past, count, shared = state.past, tokens.shape[1], self.paths.shared
        grown = past.grown_lengths(len(tokens), count, lengths, tokens.device)
        own = growing_cache(past, self._layers(), lengths)
        cache = EncoderDecoderCache(own, _memory_cache(state, shared))
        # Prepared masks of four dimensions are for attention that shares; other models make their own.
        hidden = self.run(
            attention_mask=past.mask(count, grown, tokens.device) if shared else None,
            encoder_hidden_states=state.memory.states,
            encoder_attention_mask=state.memory.mask if shared else state.memory.mask[:, 0, 0].long(),
            past_key_values=cache,
            use_cache=True,
            **self._inputs(past, tokens, grown),
        )
        memory = state.memory
        if not memory.layers:
            layers = tuple((layer.keys, layer.values) for layer in cache.cross_attention_cache.layers)
            memory = _Memory(layers, memory.states, memory.mask)
        return hidden, _State(grown_past(past, own, count, grown), state.rows, memory)

    def _source_ids(self, texts: Sequence[str]) -> list[list[int]]:
        limit = self.settings.max_source_tokens
        return text_ids(self.tokenizer, texts, special_tokens=True, max_length=limit)

    def _encoded(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.model.get_encoder()(
            input_ids=input_ids, attention_mask=mask.long()
        ).last_hidden_state
        return self.projected(states)

    def _layers(self) -> int:
        config = getattr(self.body(), "config", self.model.config)  # FSMT's decoder has none
        for name in ("num_decoder_layers", "decoder_layers", "num_hidden_layers"):
            if (layers := getattr(config, name, None)) is not None:
                return int(layers)
        raise InputError(
            f"{type(self.model).__name__}: its configuration does not say how many decoder layers it has."
        )

    def _inputs(self, past: Past, tokens: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """Token ids, with positions where rows differ and the decoder would not know."""
        body = self.body()
        if lengths is None or _relative(body):
            return {"input_ids": tokens}
        if self._takes_positions:
            return {"input_ids": tokens, "position_ids": self.positions(past, tokens, lengths)}
        positions = past.positions(tokens.shape[1], lengths, tokens.device)
        table = _learned_positions(body)
        assert table is not None  # `fastest` offers unlike rows to no other model
        assumed = past.positions(tokens.shape[1], None, tokens.device)
        offset = getattr(table, "offset", 0)
        shift = table.weight[positions + offset] - table.weight[assumed + offset]
        # Some decoders scale what they are given (Marian), of others the table does (BART).
        return {
            "inputs_embeds": body.get_submodule("embed_tokens")(tokens)
            + shift / getattr(body, "embed_scale", 1.0)
        }


def _types(config: Any) -> set[str]:
    """The model's type, and for an `EncoderDecoderModel` its decoder's."""
    decoder = getattr(config, "decoder", None) if config.model_type == "encoder-decoder" else None
    return {config.model_type} if decoder is None else {config.model_type, decoder.model_type}


def _relative(body: nn.Module) -> bool:
    """T5 and its kin know distances only; rows aligned on the right keep them."""
    return hasattr(getattr(body, "config", None), "relative_attention_num_buckets")


def _learned_positions(body: nn.Module) -> nn.Embedding | None:
    """The table of position embeddings that BART and its kin add to token embeddings, without a say from us."""
    table = getattr(body, "embed_positions", None)
    return table if isinstance(table, nn.Embedding) else None


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
