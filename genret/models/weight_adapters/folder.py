"""Folders in PEFT's layout: adapters and rows of single tokens, and the name of the model that they belong to.

Knows files and `peft`; which class a model is of is the caller's matter. What is read is merged at once: the model is
then like any other. Nothing of a folder is run, and pickles are not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fm_index.files import foreign
from genret.errors import ArtefactError, InputError
from genret.hub import quiet_transformers, resolve_folder
from genret.models.language_model import LanguageModel
from genret.models.vocabulary import extend_model, token_tables
from genret.models.weight_adapters.adapters import (
    ADAPTER_WEIGHTS,
    BASE,
    PREFIX,
    ROWS,
    base_digests,
    put_in,
)
from genret.models.weight_adapters.options import ADAPTER_CONFIG, is_adapter_folder, load_peft

__all__ = ["base_of", "merge_folder"]


def base_of(folder: Path) -> Path:
    """The folder of the model that a folder of adapters belongs to.

    Raises:
        InputError: it names none, or one that cannot be had.
        ArtefactError: that model's weights are others than the adapters were trained on.
    """
    name = _config(folder).get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise InputError(
            f"{folder / ADAPTER_CONFIG}: base_model_name_or_path: expected the folder or hub name of the model that the "
            f"adapters belong to, found {name!r}."
        )
    try:
        base = resolve_folder(name)
    except InputError as error:
        raise InputError(f"{folder / ADAPTER_CONFIG}: base_model_name_or_path: {error}") from error
    if is_adapter_folder(base):
        raise InputError(f"{base}: holds adapters itself; merge them before others are put on top.")
    if (folder / BASE).is_file() and (wanted := _json(folder / BASE)) != (found := base_digests(base)):
        name = next((one for one in wanted if wanted[one] != found.get(one)), "a file more")
        raise ArtefactError(
            f"{base}: not the model that the adapters in {folder} were trained on: {name} differs. Restore it from a copy."
        )
    return base


def merge_folder(model: LanguageModel, folder: Path, tokens: int) -> LanguageModel:
    """`model` with what a folder holds merged into its weights; its tables have room for `tokens` tokens at least.

    Raises:
        InputError: the adapters are of another model, or of a kind that cannot be merged.
        ArtefactError: a file is damaged.
    """
    peft, options = load_peft(), _config(folder)
    tensors = _tensors(folder)
    own = {key: tensors.pop(key) for key in list(tensors) if _table_of(key, model) or key.endswith(ROWS)}
    _fill_tables(model, own, options, folder, tokens)
    options["trainable_token_indices"] = None
    with quiet_transformers():
        try:
            config = peft.get_peft_config(options)
            if config.is_prompt_learning:
                raise InputError(
                    f"{folder}: {config.peft_type.value} is no adapter of weights; those that can be merged are read."
                )
            tuner = put_in(peft, model, config)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{folder}: its adapters do not fit the model: {str(error).splitlines()[0]}"
            ) from error
        _check_fit(peft.get_peft_model_state_dict(model, save_embedding_layers=False), tensors, folder)
        peft.set_peft_model_state_dict(model, tensors)
        merged: Any = tuner.merge_and_unload()
    # peft has frozen what it does not train.
    merged.requires_grad_(True)
    whole: LanguageModel = merged
    return whole


def _fill_tables(
    model: LanguageModel, own: Mapping[str, Tensor], options: Mapping[str, Any], folder: Path, tokens: int
) -> None:
    """Whole tables of tokens, and rows of single tokens, into the model."""
    indices = options.get("trainable_token_indices") or {}
    by_name = indices if isinstance(indices, dict) else {}
    rows = {
        key: [int(one) for one in _ids(key, by_name, indices, folder)] for key in own if key.endswith(ROWS)
    }
    whole = [len(tensor) for key, tensor in own.items() if key not in rows]
    needed = max([tokens, *whole, *(max(ids) + 1 for ids in rows.values())])
    if needed > (before := model.get_input_embeddings().weight.shape[0]):
        extend_model(model, range(before, needed))
    with torch.no_grad():
        for key, tensor in own.items():
            part: Any = model.get_submodule(key.removesuffix(ROWS if key in rows else ".weight"))
            table = part.weight
            place = rows[key] if key in rows else slice(None)
            if table[place].shape != tensor.shape:
                raise InputError(
                    f"{folder / ADAPTER_WEIGHTS}: {key} has shape {[*tensor.shape]}, expected {[*table[place].shape]}."
                )
            table[place] = tensor.to(table.dtype)


def _ids(key: str, by_name: Mapping[str, Any], indices: Any, folder: Path) -> Any:
    path = key.removesuffix(ROWS)
    found = next((ids for name, ids in by_name.items() if path == name or path.endswith("." + name)), indices)
    if not isinstance(found, list) or not found:
        raise InputError(
            f"{folder / ADAPTER_CONFIG}: trainable_token_indices does not say which tokens {key} is of."
        )
    return found


def _table_of(key: str, model: LanguageModel) -> bool:
    """Whether a tensor is a whole table of tokens."""
    if not key.endswith(".weight") or "lora_" in key:
        return False
    try:
        part = model.get_submodule(key.removesuffix(".weight"))
    except AttributeError:
        return False
    return any(getattr(part, "weight", None) is table for table in token_tables(model))


def _check_fit(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse adapters whose names or shapes are not those that the configuration says."""
    if differing := sorted(expected.keys() ^ tensors.keys()):
        where = "lack" if differing[0] in expected else "hold, and the model has no place for,"
        raise InputError(
            f"{folder / ADAPTER_WEIGHTS}: the adapters {where} {differing[0]} ({len(differing)} names differ)."
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{folder / ADAPTER_WEIGHTS}: {name} has shape {[*tensor.shape]}, expected {[*expected[name].shape]}."
            )


def _tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / ADAPTER_WEIGHTS
    if not path.is_file():
        raise InputError(f"{folder}: no {ADAPTER_WEIGHTS}; adapters in another format are not read.")
    with foreign(path, "safetensors"):
        tensors = load_file(path)
    ruined = next((name for name, one in tensors.items() if not bool(one.isfinite().all())), None)
    if ruined is not None:
        raise ArtefactError(f"{path}: damaged: {ruined} holds a number that is not finite.")
    return {name.removeprefix(PREFIX): one for name, one in tensors.items()}


def _config(folder: Path) -> dict[str, Any]:
    return _json(folder / ADAPTER_CONFIG)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content
