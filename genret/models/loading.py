"""From a folder or a hub name to the right backbone.

Knows configurations and files; knows nothing of docids. Nothing here waits for a hub that cannot be reached;
`hub.open_pretrained` opens what there is, and runs nothing of it.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from docid.extras import missing
from genret.errors import ArtefactError, InputError
from genret.hub import open_pretrained, resolve_folder
from genret.models.backbone import Backbone
from genret.models.causal import CausalBackbone
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.frozen.frozen_encoder import DOCID_FOLDER, FrozenEncoderBackbone
from genret.models.frozen.frozen_model import MODEL_TYPE, FrozenEncoderModel
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.models.kinds import BACKBONE_DOOR
from genret.models.weight_adapters.options import is_adapter_folder
from genret.models.word_backbone import WordBackbone
from genret.tokenizer.load import has_tokenizer, load_tokenizer

if TYPE_CHECKING:
    from genret.models.served.served_backbone import ServedBackbone

__all__ = ["KINDS", "Kind", "check_loadable", "kind_of", "load_backbone"]

Kind = Literal["encoder-decoder", "causal", "frozen-encoder", "words"]
VLLM = "vllm:"
KINDS: tuple[Kind, ...] = ("encoder-decoder", "causal", "frozen-encoder", "words")


def load_backbone(
    folder_or_name: str | os.PathLike[str],
    kind: str | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    **options: Any,
) -> Backbone:
    """Load a backbone, in evaluation mode.

    Args:
        folder_or_name: a folder in Hugging Face layout, or a hub name; the hub's local cache is asked first. A folder in
            PEFT's layout is the model that it names, with its adapters merged. With "vllm:" before it vLLM runs the
            model, a causal one, for searching and writing.
        kind: which backbone, one of `KINDS` or a guest's `BackboneKind`; None reads it from `config.json`, where a
            guest's is the name of an entry point. A plain encoder (BERT) becomes a frozen encoder with a fresh
            decoder.
        device: where it computes; what an engine runs is where the engine puts it.
        options: `max_source_tokens`, for causal models `template`, for a plain encoder the decoder's shape, for vLLM
            `engine`, a mapping of further arguments of `vllm.LLM`.

    Raises:
        InputError: no such folder or name, the hub cannot be reached, or files are missing or of another kind.
        ArtefactError: the weights are damaged.
    """
    if str(folder_or_name).startswith(VLLM):
        return _served(str(folder_or_name).removeprefix(VLLM), kind, dtype, options)
    folder = resolve_folder(folder_or_name)
    if is_adapter_folder(folder):
        return _adapted(folder, kind, device, dtype, options)
    config = _read_config(folder)
    found = kind_of(config, folder) if kind is None else kind
    if found not in KINDS:
        if kind is None:
            BACKBONE_DOOR.known(found, f"{folder / 'config.json'}: genret.kind")
        return BACKBONE_DOOR.make(found, options, "kind").load(folder, device, dtype)
    if found == "words":
        return _words(folder, device, options)
    if found == "frozen-encoder":
        return _frozen(folder, config, device, dtype, options)
    build = EncoderDecoderBackbone if found == "encoder-decoder" else CausalBackbone
    model = _pretrained(folder, _auto_class(config, found), dtype)
    return build(model.to(device).eval(), load_tokenizer(folder), **options)


def check_loadable(folder_or_name: str | os.PathLike[str]) -> None:
    """Refuse what `load_backbone` could not begin with, before there is work that waits for it.

    Raises:
        InputError: there is no such folder or name. MissingPackage: vLLM is to run it, and is not installed.
    """
    name = str(folder_or_name)
    resolve_folder(name.removeprefix(VLLM))
    if name.startswith(VLLM) and find_spec("vllm") is None:
        raise missing(name, "vllm", extra="vllm")


def _adapted(
    folder: Path, kind: str | None, device: torch.device | str, dtype: torch.dtype, options: dict[str, Any]
) -> Backbone:
    """The model that a folder of adapters belongs to, with these merged; tokenizer and settings are the folder's own."""
    from genret.models.weight_adapters.folder import base_of, merge_folder

    base = base_of(folder)
    own = folder if (folder / "config.json").is_file() else base
    config = _read_config(own)
    found = kind_of(config, own) if kind is None else kind
    if found not in ("encoder-decoder", "causal"):
        raise InputError(f"{folder}: adapters are of causal models and encoder-decoders; {base} is {found}.")
    tokenizer = load_tokenizer(folder if has_tokenizer(folder) else base)
    model = _pretrained(base, _auto_class(config, found), dtype)
    tokens = int(config.get("vocab_size") or 0) if own is folder else 0
    merged: Any = merge_folder(model, folder, max(tokens, len(tokenizer)))
    if "genret" in config:
        merged.config.genret = config["genret"]
    build = EncoderDecoderBackbone if found == "encoder-decoder" else CausalBackbone
    return build(merged.to(device).eval(), tokenizer, **options)


def kind_of(config: dict[str, Any], folder: Path) -> str:
    """Which backbone a `config.json` calls for: one of `KINDS`, or what it says of itself."""
    stored = config.get("genret")
    named = stored.get("kind") if isinstance(stored, dict) else None
    if isinstance(named, str) and (named == "words" or named not in KINDS):
        return named
    if config.get("model_type") == MODEL_TYPE:
        return "frozen-encoder"
    if config.get("is_encoder_decoder") or config.get("model_type") == "encoder-decoder":
        return "encoder-decoder"
    architectures = [str(name) for name in config.get("architectures") or []]
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        return "causal"
    if _is_encoder_decoder(str(config.get("model_type"))):
        return "encoder-decoder"
    if any(name.endswith(("Model", "ForMaskedLM")) for name in architectures):
        return "frozen-encoder"
    raise InputError(
        f"{folder / 'config.json'}: cannot tell which backbone the model_type {config.get('model_type')!r} with "
        f"architectures {architectures} calls for; pass kind= one of {', '.join(KINDS)}."
    )


def _is_encoder_decoder(model_type: str) -> bool:
    """Types whose saved configuration leaves `is_encoder_decoder` to its default."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

    return model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}).") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(config).__name__}.")
    return config


def _auto_class(config: dict[str, Any], kind: str) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, EncoderDecoderModel

    if config.get("model_type") == "encoder-decoder":
        return EncoderDecoderModel
    return AutoModelForSeq2SeqLM if kind == "encoder-decoder" else AutoModelForCausalLM


def _frozen(
    folder: Path,
    config: dict[str, Any],
    device: torch.device | str,
    dtype: torch.dtype,
    options: dict[str, Any],
) -> FrozenEncoderBackbone:
    if config.get("model_type") != MODEL_TYPE:
        return FrozenEncoderBackbone.build(SentenceEncoder.load(folder, device=device), **options)
    if options:
        raise InputError(
            f"{folder}: its decoder is built already; {', '.join(sorted(options))} cannot be chosen any more."
        )
    model = _pretrained(folder, FrozenEncoderModel, dtype)
    source = load_tokenizer(folder)
    own = model.config.decoder_vocabulary == "docids"
    return FrozenEncoderBackbone(
        model.to(device).eval(), source, load_tokenizer(folder / DOCID_FOLDER) if own else source
    )


def _served(name: str, kind: str | None, dtype: torch.dtype, options: dict[str, Any]) -> ServedBackbone:
    if kind not in (None, "causal"):
        raise InputError(f"vllm:{name}: vLLM runs causal models here; found kind {kind!r}.")
    from genret.models.served.vllm_engine import load_vllm

    return load_vllm(name, dtype=dtype, **options)


def _words(folder: Path, device: torch.device | str, options: dict[str, Any]) -> WordBackbone:
    if options:
        raise InputError(f"{folder}: a model of words has no options; found {', '.join(sorted(options))}.")
    return WordBackbone.load(folder).to(device)


def _pretrained(folder: Path, auto: Any, dtype: torch.dtype) -> Any:
    """The model with all its weights, from safetensors.

    Raises:
        InputError: files are missing, or the weights are not this model's.
        ArtefactError: the weights are damaged.
    """
    model, info = open_pretrained(
        auto, folder, "model", use_safetensors=True, dtype=dtype, output_loading_info=True
    )
    # No backbone reads a pooler; folders may lack it.
    if missing := sorted(key for key in info["missing_keys"] if ".pooler." not in key):
        raise InputError(
            f"{folder}: its weights lack {len(missing)} tensors of {type(model).__name__}, {missing[0]} among them; "
            "they would be random. Choose the kind that the folder was saved as, or restore the file."
        )
    ruined = next((name for name, one in model.named_parameters() if not bool(one.isfinite().all())), None)
    if ruined is not None:
        raise ArtefactError(
            f"{folder}: its weights are damaged: {ruined} holds a number that is not finite. Restore them from a copy."
        )
    return model
