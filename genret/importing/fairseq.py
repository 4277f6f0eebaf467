"""fairseq's BART checkpoints (SEAL, GENRE, CorpusBrain) in Hugging Face's layout: names, shapes, vocabulary.

Knows the names of BART's tensors in both libraries; they differ in a prefix only. M. Lewis et al., "BART", ACL 2020.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genret.corpus.formats.datafile import DataFile
from genret.errors import InputError
from genret.importing.inert import settings_of
from genret.importing.torch_file import TensorReference, TorchFile
from genret.tokenizer.interface import Tokenizer

__all__ = ["convert_fairseq", "fairseq_tokenizer"]

EMBEDDING = "encoder.embed_tokens.weight"
DECODER_EMBEDDING = "decoder.embed_tokens.weight"
OUTPUT = "decoder.output_projection.weight"
# In the checkpoint, but no weights of the model.
SKIPPED = ("encoder.version", "decoder.version", "encoder.embed_positions._float_tensor",
           "decoder.embed_positions._float_tensor")  # fmt: skip
HEAD_WIDTH = 64
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"


def convert_fairseq(checkpoint: TorchFile, vocabulary_size: int) -> tuple[Any, dict[str, Tensor]]:
    """A `BartConfig` and the state dict of `BartForConditionalGeneration`.

    Tokens of the tokenizer that the checkpoint has no row for (a mask token at the end) get an empty row and a
    logit that is never chosen, so that all probabilities are the checkpoint's.

    Raises:
        InputError: the checkpoint has no BART in it.
    """
    state = _state(checkpoint)
    config = _config(checkpoint, state)
    tensors = {name: checkpoint.tensor(reference).float() for name, reference in state.items()}
    _check_tied(checkpoint.path, tensors)
    rows, config.vocab_size = config.vocab_size, max(config.vocab_size, vocabulary_size)
    table = torch.zeros(config.vocab_size, config.d_model)
    table[:rows] = tensors.pop(EMBEDDING)
    converted = {
        f"model.{name}": tensor for name, tensor in tensors.items() if name not in (OUTPUT, DECODER_EMBEDDING)
    }
    bias = torch.zeros(1, config.vocab_size)
    bias[:, rows:] = -1e9
    return config, {**converted, "model.shared.weight": table, "final_logits_bias": bias}


def fairseq_tokenizer(dictionary: Path, encoder: Path, merges: Path, prefix_space: bool) -> Tokenizer:
    """BART's tokenizer from fairseq's `dict.txt` and GPT-2's `encoder.json` and `vocab.bpe`.

    A line of the dictionary is the number of a token in `encoder.json`, and its place there, after the four special
    tokens, the model's id.
    """
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = {str(number): token for token, number in _json(encoder).items()}
    symbols = [line.rsplit(" ", 1)[0] for _, line in DataFile(dictionary).lines()]
    tokens = [*SPECIAL, *(names.get(symbol, symbol) for symbol in symbols)]
    if MASK not in tokens:
        tokens.append(MASK)
    if len(set(tokens)) < len(tokens):
        raise InputError(f"{dictionary}: a token stands in it twice.")
    known = set(tokens)
    pairs = [
        tuple(line.split(" ")) for _, line in DataFile(merges).lines() if not line.startswith("#version")
    ]
    usable = [pair for pair in pairs if len(pair) == 2 and {*pair, "".join(pair)} <= known]
    bpe = models.BPE({token: number for number, token in enumerate(tokens)}, usable, unk_token="<unk>")
    tokenizer = Backend(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=prefix_space
    )
    wrapped: Tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        cls_token="<s>", sep_token="</s>", mask_token=MASK,
    )  # fmt: skip
    return wrapped


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}).") from error


def _state(checkpoint: TorchFile) -> dict[str, TensorReference]:
    content = checkpoint.content
    state = content.get("model") if isinstance(content, dict) else None
    if (
        not isinstance(state, dict)
        or EMBEDDING not in state
        or "encoder.layernorm_embedding.weight" not in state
    ):
        found = sorted(map(str, content))[:5] if isinstance(content, Mapping) else type(content).__name__
        raise InputError(
            f"{checkpoint.path}: no BART of fairseq: expected its weights under 'model', found {found}."
        )
    weights = {
        name: value
        for name, value in state.items()
        if name not in SKIPPED and not name.startswith("classification_heads.")
    }
    strange = [name for name, value in weights.items() if not isinstance(value, TensorReference)]
    if strange or any(".layer_norm." in name and name.count(".") == 2 for name in weights):
        raise InputError(f"{checkpoint.path}: not BART's layout: {(strange or ['encoder.layer_norm'])[0]}.")
    return weights


def _config(checkpoint: TorchFile, state: dict[str, TensorReference]) -> Any:
    """BART's shape, from the shapes of its tensors; the number of heads from the settings, else by their width."""
    from transformers import BartConfig

    vocabulary, width = state[EMBEDDING].shape
    settings = _settings(checkpoint.content)
    shape: dict[str, int] = {}
    for side in ("encoder", "decoder"):
        layers = {name.split(".")[2] for name in state if name.startswith(f"{side}.layers.")}
        shape[f"{side}_layers"] = len(layers)
        shape[f"{side}_ffn_dim"] = state[f"{side}.layers.0.fc1.weight"].shape[0]
        shape[f"{side}_attention_heads"] = int(settings.get(f"{side}_attention_heads") or width // HEAD_WIDTH)
    return BartConfig(
        vocab_size=vocabulary,
        d_model=width,
        max_position_embeddings=state["encoder.embed_positions.weight"].shape[0] - 2,
        forced_bos_token_id=None,
        forced_eos_token_id=None,
        decoder_start_token_id=2,
        scale_embedding=False,
        **shape,
    )


def _settings(content: dict[str, Any]) -> dict[str, Any]:
    """The model's settings: `args` in older checkpoints, `cfg.model` in newer ones."""
    return settings_of(content.get("args")) or settings_of(settings_of(content.get("cfg")).get("model"))


def _check_tied(path: Path, tensors: dict[str, Tensor]) -> None:
    """BART has one table for source, target and output."""
    for name in (DECODER_EMBEDDING, OUTPUT):
        if name in tensors and not torch.equal(tensors[name], tensors[EMBEDDING]):
            raise InputError(f"{path}: {name} differs from {EMBEDDING}; BART shares one table.")
