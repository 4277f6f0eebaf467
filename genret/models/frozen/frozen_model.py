"""The frozen encoder and its docid decoder as a transformers model, so that a folder opens with `AutoModel`.

Knows configuration, weights and tensors; knows no text and no tokenizer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, PretrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import Seq2SeqLMOutput

from genret.errors import InputError
from genret.models.frozen.docid_decoder import DocidDecoder, Fed, SourceMemory
from genret.models.sharing.cache import Past
from genret.models.sharing.rows import Rows

__all__ = ["MODEL_TYPE", "FrozenEncoderConfig", "FrozenEncoderModel"]

MODEL_TYPE = "genret-frozen-encoder"
PAD, EOS, BOS = 0, 1, 2


class FrozenEncoderConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of the decoder, and the encoder's own configuration under `encoder`.

    Attributes:
        vocab_size: rows of the decoder's tables.
        d_model, decoder_layers, decoder_heads, decoder_ffn_dim, dropout: the decoder's shape.
        max_docid_tokens: the longest docid, its end included.
        max_source_tokens: sources are cut to this many tokens, special tokens included.
        memory_tokens: how many token states the decoder attends to; the sentence vector is over all of them.
        codebook_scale: nats that a cosine of 1 was worth where the decoder started from codebooks; 0: from noise.
        decoder_vocabulary: "docids" (padding, end, start and docid tokens) or "encoder" (the encoder's own).
        encoder_fingerprint: tells encoders apart; a cache key.
    """

    model_type = MODEL_TYPE
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012 - transformers' own form

    def __init__(
        self,
        encoder: dict[str, Any] | PretrainedConfig | None = None,
        vocab_size: int = 3,
        d_model: int = 256,
        decoder_layers: int = 3,
        decoder_heads: int = 4,
        decoder_ffn_dim: int = 1024,
        dropout: float = 0.1,
        max_docid_tokens: int = 64,
        max_source_tokens: int = 128,
        memory_tokens: int = 64,
        codebook_scale: float = 0.0,
        decoder_vocabulary: str = "docids",
        encoder_fingerprint: str = "",
        tie_word_embeddings: bool = True,
        **options: Any,
    ) -> None:
        if isinstance(encoder, dict):
            encoder = AutoConfig.for_model(**encoder)
        self.encoder: PretrainedConfig = encoder
        self.vocab_size = vocab_size
        self.d_model, self.decoder_layers, self.decoder_heads = d_model, decoder_layers, decoder_heads
        self.decoder_ffn_dim, self.dropout = decoder_ffn_dim, dropout
        self.max_docid_tokens, self.max_source_tokens = max_docid_tokens, max_source_tokens
        self.memory_tokens = memory_tokens
        self.codebook_scale = codebook_scale
        self.decoder_vocabulary = decoder_vocabulary
        self.encoder_fingerprint = encoder_fingerprint
        ids = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": BOS}
        options = {**ids, "is_encoder_decoder": True, **options}
        super().__init__(tie_word_embeddings=tie_word_embeddings, **options)


class FrozenEncoderModel(PreTrainedModel):  # type: ignore[misc]
    """A sentence encoder that never changes, and a decoder that is trained."""

    config_class = FrozenEncoderConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    _tied_weights_keys = {"decoder.head.weight": "decoder.embed.weight"}  # noqa: RUF012 - transformers' own form
    _supports_sdpa = True

    def __init__(self, config: FrozenEncoderConfig, encoder: nn.Module | None = None) -> None:
        if getattr(config, "docid_width", 0):
            raise InputError(
                "this model has a network over docids, which no version reads any more; fit it again from its corpus."
            )
        super().__init__(config)
        self.encoder = (
            AutoModel.from_config(config.encoder, trust_remote_code=False) if encoder is None else encoder
        )
        self.decoder = DocidDecoder(
            vocab_size=config.vocab_size,
            dim=config.d_model,
            layers=config.decoder_layers,
            heads=config.decoder_heads,
            feed_forward=config.decoder_ffn_dim,
            memory_dim=config.encoder.hidden_size,
            max_positions=config.max_docid_tokens,
            dropout=config.dropout,
        )
        self.post_init()
        self.encoder.requires_grad_(False)
        self.encoder.eval()

    def train(self, mode: bool = True) -> FrozenEncoderModel:
        """Training mode for the decoder; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **_: Any
    ) -> Seq2SeqLMOutput:
        """Logits [n, T, vocab_size] of `labels` (int64 [n, T], -100 where padded), and their cross-entropy."""
        if labels is None:
            raise ValueError("labels are needed; to decode, use genret.models.FrozenEncoderBackbone.")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        states, pooled = self.pooled_states(input_ids, mask)
        targets = labels.masked_fill(labels == -100, self.config.pad_token_id)
        kept = self.config.memory_tokens
        memory = self.decoder.memory(states[:, :kept], mask[:, :kept].bool(), pooled)
        logits: Tensor = self.decoder.head(self.teach(memory, targets))
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100)
        return Seq2SeqLMOutput(loss=loss, logits=logits)

    @torch.no_grad()
    def pooled_states(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token states [n, S, m] and unit vectors [n, m]: the mean of the states of real tokens."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return states, functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def teach(self, memory: SourceMemory, targets: Tensor) -> Tensor:
        """Hidden states [n, T, d] that predict `targets` (int64 [n, T]) one after the other."""
        queries, count = targets.shape
        start = targets.new_full((queries, 1), self.config.decoder_start_token_id)
        past = Past()
        feed = Fed(
            tokens=torch.cat([start, targets[:, :-1]], 1),
            positions=past.positions(count, None, targets.device),
            mask=past.mask(count, None, targets.device),
            past=past,
            fed=None,
            rows=Rows.single(queries, targets.device),
        )
        hidden: Tensor = self.decoder(feed, memory)[0]
        return hidden

    def get_input_embeddings(self) -> nn.Embedding:
        """The decoder's: the one that grows with docid tokens."""
        return self.decoder.embed

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the decoder's input table."""
        self.decoder.embed = value

    def get_output_embeddings(self) -> nn.Linear:
        """The decoder's output layer."""
        return self.decoder.head

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Replace the decoder's output layer."""
        self.decoder.head = new_embeddings

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The decoder from scratch: every layer keeps the variance of what it reads."""
        encoder: PreTrainedModel = self.encoder
        if any(module is part for part in encoder.modules()):
            encoder._init_weights(module)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)


AutoConfig.register(MODEL_TYPE, FrozenEncoderConfig)
AutoModel.register(FrozenEncoderConfig, FrozenEncoderModel)
AutoModelForSeq2SeqLM.register(FrozenEncoderConfig, FrozenEncoderModel)
