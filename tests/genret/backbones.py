"""Tiny random backbones of every kind, from configurations: no downloads, no weights, a few thousand parameters.

`BACKBONES` maps a name to a function without arguments that builds one; the same call gives the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertLMHeadModel,
    BertModel,
    ByT5Tokenizer,
    EncoderDecoderModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MT5Config,
    MT5ForConditionalGeneration,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    UMT5Config,
    UMT5ForConditionalGeneration,
)

from genret.models.causal import CausalBackbone
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder

WORDS = [
    "the",
    "of",
    "a",
    "river",
    "city",
    "mountain",
    "who",
    "what",
    "where",
    "lies",
    "near",
    "paris",
    "rome",
    "run",
    "walk",
    "read",
    "0",
    "1",
    "2",
    "3",
]
TEXTS = ["where lies paris", "who", "what river lies near the city of rome", "a mountain of the city"]
VOCAB_SIZE = 300  # wider than ByT5's 259 bytes and special tokens


def byte_tokenizer() -> Any:
    """Bytes as tokens; pad 0, eos 1."""
    return ByT5Tokenizer(extra_ids=0)


def word_tokenizer() -> Any:
    """Word pieces with [CLS] and [SEP], as BERT has them; unknown words fall into letters."""
    letters = [chr(code) for code in range(97, 123)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *("##" + letter for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def bart_tokenizer() -> Any:
    """The word pieces with BART's four special ids: <s> 0, <pad> 1, </s> 2, <unk> 3."""
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {piece: number for number, piece in enumerate([*names, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    keys = ("bos_token", "pad_token", "eos_token", "unk_token")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(keys, names, strict=True)))


T5_SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}


def _seeded(build: Callable[[], Any], factor: float = 8.0) -> Any:
    """Seeded weights, `factor` times as large as fresh ones, which are too small to tell tokens apart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build().eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data.mul_(factor)
    return model


def t5(scaled: bool = True, **options: Any) -> EncoderDecoderBackbone:
    """T5; `scaled=False` is T5 1.1, whose decoder outputs are not scaled before the tied head."""
    config = T5Config(**T5_SIZES)
    config.scale_decoder_outputs = scaled
    model = _seeded(lambda: T5ForConditionalGeneration(config), factor=1.5 if scaled else 0.5)
    return EncoderDecoderBackbone(model, byte_tokenizer(), **options)


def mt5(**options: Any) -> EncoderDecoderBackbone:
    """mT5: gated, tied."""
    config = MT5Config(**T5_SIZES)
    model = _seeded(lambda: MT5ForConditionalGeneration(config), factor=0.5)
    return EncoderDecoderBackbone(model, byte_tokenizer(), **options)


def umt5(**options: Any) -> EncoderDecoderBackbone:
    """UMT5: of a type whose caches are not shared over beams."""
    config = UMT5Config(**T5_SIZES)
    model = _seeded(lambda: UMT5ForConditionalGeneration(config), factor=1.0)
    return EncoderDecoderBackbone(model, byte_tokenizer(), **options)


def bart(tied: bool = True, **options: Any) -> EncoderDecoderBackbone:
    """BART with a forced first token and a bias on its logits; `tied=False` has an output table of its own."""
    config = BartConfig(
        vocab_size=40,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    model = _seeded(lambda: BartForConditionalGeneration(config))
    model.generation_config.forced_bos_token_id = 0
    model.final_logits_bias.copy_(torch.linspace(-1, 1, config.vocab_size)[None])
    return EncoderDecoderBackbone(model, bart_tokenizer(), **options)


def _bert_config(**options: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(word_tokenizer()),
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        **options,
    )


def bert2bert(**options: Any) -> EncoderDecoderBackbone:
    """`EncoderDecoderModel` whose encoder is wider than its decoder, so that states are projected."""

    def build() -> EncoderDecoderModel:
        encoder = BertModel(_bert_config(hidden_size=48, intermediate_size=64), add_pooling_layer=False)
        decoder = _bert_config(
            hidden_size=32, intermediate_size=64, is_decoder=True, add_cross_attention=True
        )
        return EncoderDecoderModel(encoder=encoder, decoder=BertLMHeadModel(decoder))

    return EncoderDecoderBackbone(_seeded(build), word_tokenizer(), **options)


def bert2gpt(**options: Any) -> EncoderDecoderBackbone:
    """`EncoderDecoderModel` with a GPT-2 decoder, which hands nothing of ours down to its cross-attention."""

    def build() -> EncoderDecoderModel:
        encoder = BertModel(_bert_config(hidden_size=32, intermediate_size=64), add_pooling_layer=False)
        decoder = GPT2Config(
            vocab_size=len(word_tokenizer()),
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=64,
            add_cross_attention=True,
            bos_token_id=2,
            eos_token_id=3,
        )
        return EncoderDecoderModel(encoder=encoder, decoder=GPT2LMHeadModel(decoder))

    return EncoderDecoderBackbone(_seeded(build), word_tokenizer(), **options)


def gpt2(**options: Any) -> CausalBackbone:
    """GPT-2: learned positions, tied."""
    config = GPT2Config(
        vocab_size=VOCAB_SIZE,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=128,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
    return CausalBackbone(_seeded(lambda: GPT2LMHeadModel(config)), byte_tokenizer(), **options)


def llama(tied: bool = False, **options: Any) -> CausalBackbone:
    """Llama: rotary positions, two query heads to a key head; untied unless asked."""
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
        tie_word_embeddings=tied,
    )
    return CausalBackbone(_seeded(lambda: LlamaForCausalLM(config)), byte_tokenizer(), **options)


def opt(**options: Any) -> CausalBackbone:
    """OPT: of a type whose prompts are not shared over beams."""
    config = OPTConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
    return CausalBackbone(_seeded(lambda: OPTForCausalLM(config)), byte_tokenizer(), **options)


def sentence_encoder() -> SentenceEncoder:
    """BERT of width 48 over word pieces."""
    config = _bert_config(hidden_size=48, intermediate_size=64)
    return SentenceEncoder(_seeded(lambda: BertModel(config)), word_tokenizer(), "tiny")


DOCID_TOKENS = [f"<{position}_{code}>" for position in "abc" for code in range(8)]


def frozen(**shape: Any) -> FrozenEncoderBackbone:
    """A frozen encoder whose decoder knows `DOCID_TOKENS`: ids 3 to 26."""
    sizes = {
        "d_model": 32,
        "decoder_layers": 2,
        "decoder_heads": 4,
        "decoder_ffn_dim": 64,
        "memory_tokens": 16,
    }
    backbone = FrozenEncoderBackbone.build(sentence_encoder(), **{**sizes, **shape})
    if backbone.tokenizer is not backbone.source_tokenizer:
        backbone.extend_vocabulary(DOCID_TOKENS)
    return backbone


ENCODER_DECODERS: dict[str, Callable[[], Any]] = {
    "t5": t5,
    "t5-1.1": lambda: t5(scaled=False),
    "mt5": mt5,
    "umt5": umt5,
    "bart": bart,
    "bart-untied": lambda: bart(tied=False),
    "bert2bert": bert2bert,
    "bert2gpt": bert2gpt,
}
CAUSAL: dict[str, Callable[[], Any]] = {
    "gpt2": gpt2,
    "llama": llama,
    "llama-tied": lambda: llama(tied=True),
    "opt": opt,
}
FROZEN: dict[str, Callable[[], Any]] = {
    "frozen": frozen,
    "frozen-untied": lambda: frozen(tie_word_embeddings=False),
    "frozen-words": lambda: frozen(decoder_vocabulary="encoder"),
}
BACKBONES: dict[str, Callable[[], Any]] = {**ENCODER_DECODERS, **CAUSAL, **FROZEN}
