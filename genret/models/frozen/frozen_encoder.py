"""A frozen sentence encoder with a small trained decoder, as a backbone that trains on a CPU in minutes.

Knows texts, the encoder's tokenizer and the decoder's table of docid tokens; knows nothing of docids or search.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import decoders, models
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from genret.errors import InputError
from genret.hub import quiet_transformers
from genret.models.frozen.docid_decoder import Fed, SourceMemory
from genret.models.frozen.frozen_model import BOS, EOS, PAD, FrozenEncoderConfig, FrozenEncoderModel
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.models.head import project
from genret.models.shapes import DecoderShape, given_values
from genret.models.sharing.cache import Past
from genret.models.sharing.rows import Rows
from genret.models.vocabulary import sparse_tables
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["DOCID_FOLDER", "EncodedStates", "FrozenEncoderBackbone", "docid_tokenizer"]

# Where the decoder's tokenizer lies in a saved folder; the encoder's is at its root.
DOCID_FOLDER = "docid_tokenizer"


@dataclass(frozen=True)
class EncodedStates:
    """Token states [queries, S, m], their mask bool [queries, S], and unit vectors [queries, m]; no gradient."""

    states: Tensor
    mask: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def select(self, queries: Tensor) -> EncodedStates:
        """Some of the queries (int64 [n])."""
        parts = (part.index_select(0, queries) for part in (self.states, self.mask, self.pooled))
        return EncodedStates(*parts)


@dataclass(frozen=True)
class _State:
    past: Past
    rows: Rows
    memory: SourceMemory


class FrozenEncoderBackbone(nn.Module):
    """See `Backbone` for the interface. Only the decoder has parameters that require gradients.

    Attributes:
        sentence_encoder: the encoder as a thing of its own, for dense vectors.
    """

    feeds_several = True

    def __init__(self, model: FrozenEncoderModel, source_tokenizer: Tokenizer, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.model = model
        self._sparse_head = False
        self.source_tokenizer = source_tokenizer
        self.tokenizer = tokenizer
        self.sentence_encoder = SentenceEncoder(
            model.encoder, source_tokenizer, model.config.encoder_fingerprint
        )
        self.eos_token_id: int = model.config.eos_token_id
        self.pad_token_id: int = model.config.pad_token_id
        self.train(model.training)

    @classmethod
    def build(cls, encoder: SentenceEncoder, *, seed: int = 0, **shape: Any) -> FrozenEncoderBackbone:
        """A fresh decoder on an encoder; `shape` are fields of `FrozenEncoderConfig`.

        Raises:
            InputError: a field is unknown or cannot be used, or the heads do not divide d_model.
        """
        shape = given_values(DecoderShape, shape, "the decoder's shape")
        vocabulary = shape.setdefault("decoder_vocabulary", "docids")
        tokenizer = docid_tokenizer() if vocabulary == "docids" else encoder.tokenizer
        if vocabulary == "encoder":
            shape.update(_encoder_ids(encoder.tokenizer))
        config = FrozenEncoderConfig(
            # A copy: a configuration inside another loses its choice of attention, and with it the padding mask.
            encoder=encoder.model.config.to_dict(),
            vocab_size=len(tokenizer),
            encoder_fingerprint=encoder.fingerprint,
            **shape,
        )
        if config.d_model % config.decoder_heads:
            raise InputError(
                f"decoder_heads: {config.decoder_heads} does not divide d_model {config.d_model}."
            )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = FrozenEncoderModel(config, encoder.model)
        if vocabulary == "encoder":
            _begin_with_words(model)
        return cls(model.to(encoder.device).eval(), encoder.tokenizer, tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        device: torch.device = self.model.device
        return device

    @property
    def vocab_size(self) -> int:
        """Width of the logits."""
        return int(self.model.decoder.head.weight.shape[0])

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Source tokens of each text, special tokens included, after truncation."""
        limit = self.model.config.max_source_tokens
        ids = text_ids(self.source_tokenizer, texts, special_tokens=True, max_length=limit)
        return [len(row) for row in ids]

    def encode(self, texts: Sequence[str]) -> EncodedStates:
        """Encoder states of texts."""
        states, mask, pooled = self.sentence_encoder.states(texts, self.model.config.max_source_tokens)
        return self.encode_states(states.clone(), mask.clone(), pooled.clone())

    def encode_states(self, states: Tensor, mask: Tensor, pooled: Tensor) -> EncodedStates:
        """States [n, S, m], mask bool [n, S] and vectors [n, m] that were computed before, in any precision.

        Keeps the first `memory_tokens` states; all of them are what `encode` would have computed.
        """
        kept = self.model.config.memory_tokens
        dtype = self.model.decoder.embed.weight.dtype
        parts = (states[:, :kept].to(dtype), mask[:, :kept], pooled.to(dtype))
        return EncodedStates(*(part.to(self.device) for part in parts))

    def target_logits(self, encoded: EncodedStates, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]."""
        return self.logits(self.target_states(encoded, targets))

    def target_states(self, encoded: EncodedStates, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] whose `logits` are `target_logits`."""
        memory = self.model.decoder.memory(encoded.states, encoded.mask, encoded.pooled)
        return self.model.teach(memory, targets)

    def forward(self, sources: Sequence[str] | EncodedStates, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of encoded sources."""
        encoded = sources if isinstance(sources, EncodedStates) else self.encode(sources)
        return self.target_logits(encoded, targets)

    @torch.no_grad()
    def start(self, encoded: EncodedStates) -> tuple[Tensor, _State]:
        """Feed the start token to one row per query."""
        queries = len(encoded)
        memory = self.model.decoder.memory(encoded.states, encoded.mask, encoded.pooled)
        state = _State(Past(), Rows.single(queries, self.device), memory)
        begin = self.model.config.decoder_start_token_id
        hidden, state = self._feed(state, torch.full((queries, 1), begin, device=self.device), None)
        return hidden[:, 0], state

    @torch.no_grad()
    def step(self, state: _State, tokens: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, _State]:
        """Feed one token per row, or several; see `Backbone.step`."""
        if tokens.dim() == 1:
            hidden, state = self._feed(state, tokens[:, None], None)
            return hidden[:, 0], state
        return self._feed(state, tokens, lengths)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Float32 logits of hidden states, all or the columns `tokens`."""
        head = self.model.decoder.head
        if tokens is not None:
            rows = functional.embedding(tokens, head.weight, sparse=self._sparse_head)
            return project(hidden, rows, None, out)
        return head(hidden).float() if torch.is_grad_enabled() else project(hidden, head.weight, None, out)

    def sparse_tables(self) -> list[Tensor]:
        """See `Backbone.sparse_tables`."""
        self._sparse_head = True
        return sparse_tables(self.model)

    def reorder(self, state: _State, rows: Tensor, rows_per_query: int | None = None) -> _State:
        """Gather rows; the memory stays, unless a query is left without a row."""
        layout, kept = state.rows.reordered(rows, rows_per_query)
        memory = state.memory if kept is None else state.memory.select(kept)
        return _State(state.past.reorder(rows), layout, memory)

    @torch.no_grad()
    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add docid tokens; their rows are drawn as the decoder's first ones were: it has learned nothing yet."""
        ids = extend_tokenizer(self.tokenizer, new_tokens)
        before = self.vocab_size
        if max(ids, default=-1) < before:
            return ids
        self.model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
        generator = torch.Generator().manual_seed(before)
        decoder = self.model.decoder
        tables = {id(part.weight): part.weight for part in (decoder.embed, decoder.head)}
        for table in tables.values():
            fresh = torch.randn(len(table) - before, table.shape[1], generator=generator)
            table[before:] = (fresh * table.shape[1] ** -0.5).to(table)
        return ids

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write weights (the encoder's too), configuration and both tokenizers: the folder needs nothing else."""
        with quiet_transformers():
            self.model.save_pretrained(folder)
        self.source_tokenizer.save_pretrained(folder)
        if self.tokenizer is not self.source_tokenizer:
            self.tokenizer.save_pretrained(Path(folder) / DOCID_FOLDER)

    def _feed(self, state: _State, tokens: Tensor, fed: Tensor | None) -> tuple[Tensor, _State]:
        past, count, device = state.past, tokens.shape[1], tokens.device
        lengths = past.grown_lengths(len(tokens), count, fed, device)
        feed = Fed(
            tokens=tokens,
            positions=past.positions(count, lengths, device),
            mask=past.mask(count, lengths, device),
            past=past,
            fed=fed,
            rows=state.rows,
        )
        hidden, layers = self.model.decoder(feed, state.memory)
        return hidden, _State(Past(layers, None, past.width + count, lengths), state.rows, state.memory)


def docid_tokenizer() -> Tokenizer:
    """A table of docid tokens and nothing else: padding 0, end 1, start 2; `extend_vocabulary` fills it.

    Text that is not a docid token is dropped: it has no letters to fall back on.
    """
    names = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"}
    table = {names["pad_token"]: PAD, names["eos_token"]: EOS, names["bos_token"]: BOS}
    backend = tokenizers.Tokenizer(models.BPE(table, []))
    backend.decoder = decoders.Fuse()  # docid tokens are joined without spaces
    tokenizer: Tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names)
    return tokenizer


@torch.no_grad()
def _begin_with_words(model: FrozenEncoderModel) -> None:
    """The decoder's word pieces begin as the encoder's own, in their principal directions, as long as drawn ones are.

    What is copied from the source can so be spelled before it was ever a target.
    """
    encoder: PreTrainedModel = model.encoder
    table, known = model.decoder.embed.weight, encoder.get_input_embeddings().weight.double()
    centred = known - known.mean(0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, : table.shape[1]]
    rows = (centred @ directions)[: len(table)]
    rows *= table.norm(dim=1).mean().double() / rows.norm(dim=1).mean()
    table[: len(rows), : rows.shape[1]] = rows.to(table)


def _encoder_ids(tokenizer: Tokenizer) -> dict[str, int | None]:
    """Padding, end and start as the encoder's vocabulary has them: [PAD], [SEP], [CLS]."""
    return {
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "decoder_start_token_id": tokenizer.cls_token_id,
    }
