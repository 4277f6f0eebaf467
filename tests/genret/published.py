"""Random checkpoints in the layouts of published ones: fairseq's BART, and Hugging Face's before safetensors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

# GPT-2's numbering of a few byte-level tokens, and its merges.
TOKENS = ["a", "b", "c", "Ġ", "Ġa", "ab", "Ġab", "@", "[", "]"]
MERGES = ["#version: 0.2", "a b", "Ġ a", "Ġ ab"]
# The order of frequency of fairseq's dictionary is another one.
ORDER = [3, 0, 9, 1, 6, 2, 5, 4, 8, 7]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def fairseq_tokens() -> list[str]:
    """Tokens by fairseq id; <mask> is not in the dictionary file."""
    return [*SPECIAL, *(TOKENS[number] for number in ORDER), "<mask>"]


def write_fairseq_tokenizer(folder: Path) -> None:
    """`dict.source.txt`, `encoder.json` and `vocab.bpe`."""
    (folder / "dict.source.txt").write_text("".join(f"{number} {1000 - number}\n" for number in ORDER))
    (folder / "encoder.json").write_text(json.dumps({token: i for i, token in enumerate(TOKENS)}))
    (folder / "vocab.bpe").write_text("\n".join(MERGES) + "\n", encoding="utf-8")


def bart_tokenizer() -> Any:
    """The same vocabulary as Hugging Face would have it."""
    vocabulary = {token: number for number, token in enumerate(fairseq_tokens())}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("a", "b"), ("Ġ", "a"), ("Ġ", "ab")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="<mask>", **names)


def bart(vocabulary: int = len(TOKENS) + 5) -> BartForConditionalGeneration:
    """Random weights; heads that are not 64 wide, so that they must be read from the settings."""
    torch.manual_seed(3)
    config = BartConfig(
        vocab_size=vocabulary, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=40, max_position_embeddings=64,
        forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).eval()
    model.generation_config.forced_bos_token_id = 0
    return model


def t5() -> T5ForConditionalGeneration:
    """Random weights."""
    torch.manual_seed(4)
    config = T5Config(
        vocab_size=len(TOKENS) + 5, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        decoder_start_token_id=1, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return T5ForConditionalGeneration(config).eval()


def fairseq_content(model: BartForConditionalGeneration, *, cfg: bool = False) -> dict[str, Any]:
    """What fairseq saves: weights under `model`, settings, and training state that nobody needs."""
    state = {
        name.removeprefix("model."): tensor.clone()
        for name, tensor in model.state_dict().items()
        if name.startswith("model.") and not name.startswith("model.shared")
    }
    table = model.model.shared.weight.detach()
    state["encoder.embed_tokens.weight"] = state["decoder.embed_tokens.weight"] = table
    state["decoder.output_projection.weight"] = table
    state["encoder.version"] = state["decoder.version"] = torch.tensor([3.0])
    settings = argparse.Namespace(encoder_attention_heads=4, decoder_attention_heads=2, arch="bart_large")
    content: dict[str, Any] = {
        "args": None if cfg else settings,
        "model": state,
        "optimizer_history": [{"criterion_name": "LabelSmoothedCrossEntropyCriterion", "num_updates": 7}],
        "extra_state": {"epoch": 1, "best": float("inf"), "metrics": {("train", "loss"): {1, 2}}},
        "last_optimizer_state": {"state": {0: {"exp_avg": torch.ones(3)}}},
    }
    return {**content, "cfg": {"_name": None, "model": settings}} if cfg else content
