"""Tiny random models of the architectures of transformers: the rows of `docs/models.md`, and what tests decode.

`ARCHITECTURES` maps a name to a function without arguments that makes a backbone; the same call, the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, EncoderDecoderModel

from genret.models.causal import CausalBackbone
from genret.models.encoder_decoder import EncoderDecoderBackbone

VOCAB_SIZE = 96
# Every name that configurations have for a size; each gets those that it knows.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "word_embed_proj_dim", "embedding_size", "dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2),
    **dict.fromkeys(("num_encoder_layers", "num_decoder_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_encoder_attention_heads", "num_decoder_attention_heads"), 4),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "ffn_dim", "intermediate_size", "d_ff", "n_inner", "dff"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 128),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"), 24),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk"), 2),
    "vocab_size": VOCAB_SIZE,
    "n_vocab": VOCAB_SIZE,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "d_inner": 48,
    "kv_channels": 8,
    "init_std": 0.1,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}  # fmt: skip


def config_of(model_type: str, without: tuple[str, ...] = (), **options: Any) -> Any:
    """A small configuration of `model_type`: the sizes that it knows, but those `without`, and `options`."""
    default = AutoConfig.for_model(model_type)
    known = {name: size for name, size in SIZES.items() if hasattr(default, name) and name not in without}
    return AutoConfig.for_model(model_type, **{**known, **options})


def seeded(make: Callable[[], Any]) -> Any:
    """The model that `make` makes, its weights drawn so that every part of it matters."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if not parameter.requires_grad:
                    continue  # fixed positions
                if parameter.dim() > 1:
                    scale = 0.7 if "embed" in name or "wte" in name else 1.2 * parameter[0].numel() ** -0.5
                    parameter.normal_(0, scale)
                else:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def causal(model_type: str, **options: Any) -> Callable[[], CausalBackbone]:
    """Of a causal language model."""

    def build() -> CausalBackbone:
        config = config_of(model_type, **options)
        return CausalBackbone(seeded(lambda: AutoModelForCausalLM.from_config(config)), None)

    return build


def seq2seq(model_type: str, **options: Any) -> Callable[[], EncoderDecoderBackbone]:
    """Of an encoder-decoder."""

    def build() -> EncoderDecoderBackbone:
        config = config_of(model_type, **{"decoder_start_token_id": 2, **options})
        return EncoderDecoderBackbone(seeded(lambda: AutoModelForSeq2SeqLM.from_config(config)), None)

    return build


def pair(encoder_type: str, decoder_type: str, **options: Any) -> Callable[[], EncoderDecoderBackbone]:
    """Of an `EncoderDecoderModel`; `options` are the decoder's."""

    def build() -> EncoderDecoderBackbone:
        encoder = config_of(encoder_type, **({} if encoder_type == "bert" else options))
        decoder = config_of(decoder_type, is_decoder=True, add_cross_attention=True, **options)
        config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
        config.decoder_start_token_id, config.pad_token_id = decoder.bos_token_id, decoder.pad_token_id
        config.eos_token_id = decoder.eos_token_id
        return EncoderDecoderBackbone(seeded(lambda: EncoderDecoderModel(config)), None)

    return build


def rope(rope_type: str, **options: Any) -> dict[str, Any]:
    """A configuration's RoPE of a type."""
    return {"rope_parameters": {"rope_type": rope_type, "rope_theta": 10000.0, **options}}


# As published: padding is token 1, the end 2 and the start 0.
ROBERTA = {
    "pad_token_id": 1,
    "eos_token_id": 2,
    "bos_token_id": 0,
    "type_vocab_size": 1,
    "max_position_embeddings": 130,
}

SEQ2SEQ: dict[str, Callable[[], Any]] = {
    "T5": seq2seq("t5"),
    "T5 1.1, Flan-T5 (gated, untied)": seq2seq(
        "t5", feed_forward_proj="gated-gelu", tie_word_embeddings=False
    ),
    "mT5": seq2seq("mt5"),
    "uMT5": seq2seq("umt5"),
    "LongT5 (local)": seq2seq("longt5", local_radius=5),
    "LongT5 (transient global)": seq2seq(
        "longt5", local_radius=5, encoder_attention_type="transient-global", global_block_size=4
    ),
    "Switch Transformers": seq2seq(
        "switch_transformers", num_sparse_encoder_layers=1, num_sparse_decoder_layers=1
    ),
    "T5Gemma": lambda: t5gemma(),
    "BART": seq2seq("bart", forced_bos_token_id=2, decoder_start_token_id=1),
    "mBART": seq2seq("mbart"),
    "M2M100, NLLB": seq2seq("m2m_100"),
    "NLLB-MoE": seq2seq("nllb-moe", encoder_sparse_step=1, decoder_sparse_step=1, expert_capacity=64),
    "Marian": seq2seq(
        "marian", scale_embedding=True, pad_token_id=95, decoder_start_token_id=95, decoder_vocab_size=96
    ),
    "Pegasus": seq2seq("pegasus", scale_embedding=True),
    "PEGASUS-X": seq2seq("pegasus_x", block_size=8, num_global_tokens=4, stagger_local_blocks=True),
    "BigBird-Pegasus": seq2seq("bigbird_pegasus", block_size=4, num_random_blocks=1),
    "Blenderbot": seq2seq("blenderbot"),
    "BlenderbotSmall": seq2seq("blenderbot-small"),
    "LED": seq2seq(
        "led", attention_window=8, max_encoder_position_embeddings=128, max_decoder_position_embeddings=64
    ),
    "ProphetNet": seq2seq("prophetnet", without=("num_hidden_layers",)),
    "FSMT": lambda: fsmt(),
    "PLBart": seq2seq("plbart"),
    "MVP": seq2seq("mvp"),
    "BERT to BERT": pair("bert", "bert"),
    "BERT to GPT-2": pair("bert", "gpt2"),
    "RoBERTa to RoBERTa": pair("roberta", "roberta", **ROBERTA),
    "XLM-R to XLM-R": pair("xlm-roberta", "xlm-roberta", **ROBERTA),
    "CamemBERT to CamemBERT": pair("camembert", "camembert", **ROBERTA),
    "BERT to ELECTRA": pair("bert", "electra"),
    "BERT to OPT": pair("bert", "opt"),
}

CAUSAL: dict[str, Callable[[], Any]] = {
    "GPT-2": causal("gpt2"),
    "GPT-Neo": causal("gpt_neo", attention_types=[[["global", "local"], 1]], window_size=8),
    "GPT-NeoX": causal("gpt_neox"),
    "GPT-J": causal("gptj", rotary_dim=4),
    "GPTBigCode": causal("gpt_bigcode"),
    "CodeGen": causal("codegen", rotary_dim=4),
    "OPT": causal("opt"),
    "Bloom": causal("bloom"),
    "Falcon": causal("falcon", without=("head_dim",)),
    "Falcon with ALiBi": causal("falcon", without=("head_dim",), alibi=True),
    "MPT": causal("mpt"),
    "Llama": causal("llama"),
    "Llama, dynamic RoPE": causal("llama", max_position_embeddings=24, **rope("dynamic", factor=4.0)),
    "Llama, linear RoPE": causal("llama", **rope("linear", factor=4.0)),
    "Llama, YaRN": causal("llama", **rope("yarn", factor=4.0, original_max_position_embeddings=12)),
    "Llama, Llama-3 RoPE": causal(
        "llama",
        **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=12),
    ),
    "Mistral": causal("mistral", sliding_window=None),
    "Mistral, sliding window": causal("mistral", sliding_window=8),
    "Mixtral": causal("mixtral"),
    "Ministral": causal("ministral", sliding_window=8),
    "Qwen2": causal("qwen2"),
    "Qwen2, sliding window": causal("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1),
    "Qwen2-MoE": causal("qwen2_moe"),
    "Qwen3": causal("qwen3"),
    "Qwen3-MoE": causal("qwen3_moe"),
    "Qwen3-Next": causal("qwen3_next"),
    "Gemma": causal("gemma"),
    "Gemma 2": causal("gemma2", sliding_window=8),
    "Gemma 3": causal("gemma3_text", sliding_window=8),
    "Phi": causal("phi"),
    "Phi-3": causal("phi3"),
    "Phi-3, LongRoPE": causal(
        "phi3",
        original_max_position_embeddings=24,
        **rope("longrope", short_factor=[1.0] * 4, long_factor=[4.0] * 4, original_max_position_embeddings=24, partial_rotary_factor=1.0),
    ),
    "PhiMoE": causal("phimoe"),
    "StableLM": causal("stablelm"),
    "Cohere": causal("cohere"),
    "Cohere 2": causal("cohere2", sliding_window=8),
    "OLMo": causal("olmo"),
    "OLMo 2": causal("olmo2"),
    "OLMo 3": causal("olmo3", sliding_window=8),
    "OLMoE": causal("olmoe"),
    "Granite": causal("granite", logits_scaling=2.0),
    "GraniteMoE": causal("granitemoe"),
    "SmolLM3": causal("smollm3"),
    "Helium": causal("helium"),
    "GLM": causal("glm"),
    "GLM-4": causal("glm4"),
    "ERNIE 4.5": causal("ernie4_5"),
    "EXAONE 4": causal("exaone4", sliding_window=8),
    "Seed-OSS": causal("seed_oss"),
    "Nemotron": causal("nemotron"),
    "Arcee": causal("arcee"),
    "HunYuan dense": causal("hunyuan_v1_dense"),
    "gpt-oss": causal("gpt_oss", sliding_window=8),
    "DBRX": causal("dbrx", attn_config={"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0}, ffn_config={"moe_num_experts": 4, "moe_top_k": 2, "ffn_hidden_size": 32}),
    "XGLM": causal("xglm", attention_heads=4),
    "BioGPT": causal("biogpt"),
    "Persimmon": causal("persimmon"),
    "Starcoder2": causal("starcoder2"),
    "DeepSeek-V2": causal(
        "deepseek_v2", q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8,
        n_group=1, topk_group=1, first_k_dense_replace=1, num_key_value_heads=4,
    ),
    "DeepSeek-V3": causal(
        "deepseek_v3", q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8,
        n_group=1, topk_group=1, first_k_dense_replace=1, num_key_value_heads=4,
    ),
    "Llama 4": causal("llama4_text", attention_chunk_size=8, interleave_moe_layer_step=2, intermediate_size_mlp=48),
    "BART decoder": causal("bart", is_decoder=True, is_encoder_decoder=False),
    "BERT as decoder": causal("bert", is_decoder=True),
    "BERT, both ways": causal("bert"),
    "RoBERTa as decoder": causal("roberta", is_decoder=True, **ROBERTA),
    "XLM-R as decoder": causal("xlm-roberta", is_decoder=True, **ROBERTA),
    "CamemBERT as decoder": causal("camembert", is_decoder=True, **ROBERTA),
    "ELECTRA as decoder": causal("electra", is_decoder=True),
    "RoFormer as decoder": causal("roformer", is_decoder=True),
    "BigBird as decoder": causal("big_bird", is_decoder=True, attention_type="original_full"),
    "XLNet": causal("xlnet", without=("max_position_embeddings",)),
    "CTRL": causal("ctrl"),
    "OpenAI GPT": causal("openai-gpt"),
    "Mamba": causal("mamba"),
    "Mamba 2": causal("mamba2", num_heads=8, head_dim=8, n_groups=2, state_size=8, chunk_size=4),
    "Falcon-Mamba": causal("falcon_mamba"),
    "RWKV": causal("rwkv", attention_hidden_size=32),
    "RecurrentGemma": causal("recurrent_gemma", lru_width=32, attention_window_size=8, num_hidden_layers=3),
    "Jamba": causal("jamba", mamba_d_state=8, mamba_dt_rank=4, attn_layer_period=2, attn_layer_offset=1),
    "Bamba": causal("bamba", attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1, mamba_chunk_size=4),
    "Zamba": causal("zamba", num_hidden_layers=3, layers_block_type=["mamba", "mamba", "hybrid"], mamba_dt_rank=4, n_mamba_heads=2, attention_hidden_size=64, attention_head_dim=16),
    "LFM2": causal("lfm2", layer_types=["conv", "full_attention"]),
    "xLSTM": causal("xlstm"),
    "Reformer": causal("reformer", is_decoder=True, axial_pos_embds=False, attn_layers=["local", "lsh"], attention_head_size=8, feed_forward_size=48),
}  # fmt: skip

ARCHITECTURES: dict[str, Callable[[], Any]] = {**SEQ2SEQ, **CAUSAL}


def t5gemma() -> EncoderDecoderBackbone:
    """T5Gemma: two Gemma 2 stacks."""
    part = {name: size for name, size in SIZES.items() if hasattr(transformers.T5GemmaModuleConfig(), name)}
    part["sliding_window"] = 8
    config = transformers.T5GemmaConfig(encoder=dict(part), decoder=dict(part), vocab_size=VOCAB_SIZE)
    config.decoder_start_token_id = 2
    return EncoderDecoderBackbone(seeded(lambda: transformers.T5GemmaForConditionalGeneration(config)), None)


def fsmt() -> EncoderDecoderBackbone:
    """FSMT: two vocabularies; padding 1, the end and the start 2."""
    config = transformers.FSMTConfig(
        langs=["en", "de"],
        src_vocab_size=VOCAB_SIZE,
        tgt_vocab_size=VOCAB_SIZE,
        **{name: SIZES[name] for name in ("d_model", "encoder_layers", "decoder_layers", "encoder_ffn_dim")},
        decoder_ffn_dim=48,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        max_position_embeddings=128,
        decoder_start_token_id=2,
    )
    return EncoderDecoderBackbone(seeded(lambda: transformers.FSMTForConditionalGeneration(config)), None)
