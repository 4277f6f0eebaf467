"""Adapters in a model: put in, taken off for a while, merged, and written in PEFT's layout.

Knows `peft` and modules; knows no data and no loss. The modules of the model stay where they are, so that whatever reads
it (decoding, engines, checkpoints) needs to know nothing of adapters.
"""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fm_index.files import file_digest
from genret.errors import InputError
from genret.hub import resolve_folder
from genret.models.language_model import LanguageModel
from genret.models.weight_adapters.new_rows import NewRows, put_back, train_rows
from genret.models.weight_adapters.options import ADAPTER_CONFIG, AdapterOptions, load_peft

__all__ = [
    "ADAPTER_WEIGHTS",
    "BASE",
    "PREFIX",
    "ROWS",
    "Adapters",
    "base_digests",
    "put_in",
]

# PEFT's names of its files, of what its keys begin with, and of the rows of single tokens.
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Which weights the adapters were trained on; only folders of ours say so.
BASE = "base.json"
PREFIX = "base_model.model."
ROWS = ".token_adapter.trainable_tokens_delta"


class Adapters:
    """The adapters of a model, in place: of its parameters only theirs and the new rows' are trained from now on.

    Args:
        base: folder or hub name that the model came from.
        new: token ids whose rows are trained.
        tables: the tables that hold them.
        seed: of the adapters' first values.

    Raises:
        InputError: the model has no such layers, or there is no `base` and adapters are to be
            exported.
    """

    def __init__(
        self,
        model: LanguageModel,
        options: AdapterOptions,
        *,
        base: str | os.PathLike[str] | None = None,
        new: Sequence[int] = (),
        tables: Sequence[Tensor] = (),
        seed: int = 0,
    ) -> None:
        self.model, self.options = model, options
        if base is None and options.export == "adapters":
            raise InputError(
                "adapter.export: adapters alone belong to a model with a name or folder, and this one began without weights; "
                "set it to merged."
            )
        self._base = (
            None if base is None else os.path.abspath(base) if os.path.isdir(base) else os.fspath(base)
        )
        peft = load_peft()
        config = _config(peft, model, options)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._tuner = put_in(peft, model, config)
        if new:
            train_rows(model, new, tables)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Inside, the model is what it was before its training."""
        self._switch(off=True)
        try:
            yield
        finally:
            self._switch(off=False)

    def _switch(self, *, off: bool) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        for part in self.model.modules():
            if isinstance(part, NewRows):
                part.off = off
            elif isinstance(part, BaseTunerLayer):
                # peft's own switch takes their gradients away meanwhile, which engines have hooks on.
                part._disable_adapters = off

    def merged(self) -> LanguageModel:
        """A copy of the model whose own weights have the adapters and the new rows in them."""
        own = copy.deepcopy(self._tuner)
        model: LanguageModel = own.merge_and_unload()
        put_back(model)
        return model

    def export(self, folder: Path) -> None:
        """Write a folder as the options say, without the tokenizer."""
        if self.options.export == "merged":
            self.merged().save_pretrained(folder)
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.model.config.save_pretrained(folder)
        self.model.generation_config.save_pretrained(folder)
        self._write(folder)

    def _write(self, folder: Path) -> None:
        """The adapters and the new rows in PEFT's layout."""
        assert self._base is not None
        (folder / BASE).write_text(
            json.dumps(base_digests(resolve_folder(self._base)), indent=1), encoding="utf-8"
        )

        own = load_peft().get_peft_model_state_dict(self.model, save_embedding_layers=False)
        tensors = {PREFIX + name: tensor for name, tensor in own.items()}
        config = self._tuner.peft_config["default"].to_dict()
        config |= {"base_model_name_or_path": self._base, "inference_mode": True}
        config["trainable_token_indices"] = {}
        seen: set[int] = set()
        for name, part in self.model.named_modules():
            if isinstance(part, NewRows) and id(part.rows) not in seen:
                seen.add(id(part.rows))
                config["trainable_token_indices"][name] = part.ids.tolist()
                tensors[f"{PREFIX}{name}{ROWS}"] = part.rows
        config["trainable_token_indices"] = config["trainable_token_indices"] or None
        whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        save_file(whole, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
        content = json.dumps(config, indent=2, sort_keys=True, default=_plain)
        (folder / ADAPTER_CONFIG).write_text(content + "\n", encoding="utf-8")


def base_digests(base: Path) -> dict[str, str]:
    """The checksum of each file of a model's weights."""
    return {path.name: file_digest(path) for path in sorted(base.glob("*.safetensors"))}


def put_in(peft: Any, model: LanguageModel, config: Any) -> Any:
    """Adapters into the model's own modules; what merges them."""
    with warnings.catch_warnings():
        # It finds out by itself which layers (GPT-2's) have their weights the other way round.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set")
        made = peft.PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type](model, config, "default")
    made.eval()
    return made


def _config(peft: Any, model: LanguageModel, options: AdapterOptions) -> Any:
    linear = _linear_layers(model)
    targets = [name for name, _ in linear] if not options.targets else _named(options.targets, linear)
    if options.kind == "ia3":
        known = peft.utils.constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING
        forward = peft.utils.constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING
        kind = model.config.model_type
        if kind not in known:
            raise InputError(f"adapter.kind: ia3 does not know the layers of a {kind}; choose lora or dora.")
        chosen = options.targets or known[kind]
        inner = [name for name in chosen if name in forward[kind]]
        return peft.IA3Config(target_modules=chosen, feedforward_modules=inner)
    return peft.LoraConfig(
        r=options.r,
        lora_alpha=options.scale,
        lora_dropout=options.dropout,
        target_modules=targets,
        use_dora=options.kind == "dora",
    )


def _linear_layers(model: LanguageModel) -> list[tuple[str, nn.Module]]:
    """The linear layers by name, without the output layer."""
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()
    return [
        (name, part)
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and part is not output
    ]


def _named(targets: Sequence[str], linear: Sequence[tuple[str, nn.Module]]) -> list[str]:
    """The layers whose names are, or end with, one of the targets.

    Raises:
        InputError: a target is no layer's name.
    """
    found = []
    for target in targets:
        matching = [name for name, _ in linear if name == target or name.endswith("." + target)]
        if not matching:
            ends = ", ".join(sorted({name.rpartition(".")[2] for name, _ in linear}))
            raise InputError(f"adapter.targets: no linear layer is called {target!r}; there are {ends}.")
        found += matching
    return list(dict.fromkeys(found))


def _plain(value: Any) -> Any:
    """What JSON has no type for in PEFT's configurations."""
    return sorted(value) if isinstance(value, set) else str(value)
