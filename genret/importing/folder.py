"""A published checkpoint, whatever its layout, as a model folder with safetensors and its conventions set right.

Knows the layouts and the conventions of published systems; knows nothing of docids. What is read is untrusted:
pickles go through `TorchFile`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genret.artefact import file_digest, publish_folder
from genret.errors import InputError, UsageError
from genret.hub import IMPORTED, IMPORTED_VERSION, hub_folder, resolve_folder
from genret.importing.fairseq import convert_fairseq, fairseq_tokenizer
from genret.importing.torch_file import TensorReference, TorchFile
from genret.models import load_backbone
from genret.models.pretrained import PretrainedBackbone
from genret.tokenizer.interface import Tokenizer, backend_of
from genret.tokenizer.load import load_tokenizer

__all__ = ["KIND", "LIKE", "VERSION", "Conventions", "import_model"]

KIND, VERSION = IMPORTED, IMPORTED_VERSION
PICKLED = "pytorch_model.bin"
WEIGHTS = "model.safetensors"
CHECKPOINTS = ("model.pt", "checkpoint_best.pt", "checkpoint.pt")
DICTIONARIES = ("dict.source.txt", "dict.txt")


@dataclass(frozen=True)
class Conventions:
    """How a system writes its texts, beyond what its files say.

    Attributes:
        prefix_space: whether every text begins with a space, so that its first word is spelled as inside a
            sentence; None leaves the tokenizer as it is.
    """

    prefix_space: bool | None = None


# Targets have no first token <s> in any of these, and markers such as [START_ENT], @@ and || are ordinary text.
LIKE = {
    "genre": Conventions(prefix_space=False),
    "corpusbrain": Conventions(prefix_space=False),
    "seal": Conventions(prefix_space=True),
}


def import_model(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    like: str | None = None,
    tokenizer: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write `source` as a model folder that `load_backbone` reads.

    Args:
        source: a folder or hub name in Hugging Face layout (BART or T5; safetensors or a pickle), a checkpoint of
            fairseq's BART, or a folder that holds one.
        like: whose conventions the texts follow, one of `LIKE`; None leaves them as the files say.
        tokenizer: folder or hub name; for a fairseq checkpoint without `dict.txt`, `encoder.json` and `vocab.bpe`.

    Raises:
        InputError: nothing there can be imported, or a file names what no checkpoint needs. UsageError: an unknown
            `like`, or no tokenizer.
    """
    if like is not None and like not in LIKE:
        raise UsageError(f"{like!r}: no conventions of that name; there are {', '.join(LIKE)}.")
    conventions = LIKE[like] if like else Conventions()
    checkpoint = _fairseq_file(Path(source))
    with tempfile.TemporaryDirectory(prefix="genret-import-") as name:
        staged = Path(name)
        if checkpoint is not None:
            read = _stage_fairseq(checkpoint, staged, conventions, tokenizer)
        else:
            read = _stage_hugging_face(_hugging_face_folder(source), staged, tokenizer)
        meta = {"source": read.name, "xxh3_128": file_digest(read), "like": like}
        _publish(staged, target, conventions, like, meta, overwrite)


def _publish(
    staged: Path,
    target: Any,
    conventions: Conventions,
    like: str | None,
    meta: dict[str, Any],
    overwrite: bool,
) -> None:
    backbone = load_backbone(staged)
    if like is not None and isinstance(backbone, PretrainedBackbone):
        backbone.model.config.forced_bos_token_id = None
        backbone.model.generation_config.forced_bos_token_id = None
    if conventions.prefix_space is not None:
        _set_prefix_space(backbone.tokenizer, conventions.prefix_space)
    with publish_folder(target, kind=KIND, version=VERSION, meta=meta, overwrite=overwrite) as folder:
        backbone.save_pretrained(folder)


def _fairseq_file(source: Path) -> Path | None:
    """The checkpoint of fairseq that `source` is or holds."""
    if source.is_file():
        return source
    if not source.is_dir() or (source / "config.json").is_file():
        return None
    return next((source / name for name in CHECKPOINTS if (source / name).is_file()), None)


def _hugging_face_folder(source: str | os.PathLike[str]) -> Path:
    if Path(source).is_dir() or Path(source).is_absolute():
        return resolve_folder(source)
    return hub_folder(os.fspath(source), hint="Give a local folder or checkpoint", more=(PICKLED,))


def _stage_fairseq(path: Path, staged: Path, conventions: Conventions, tokenizer: str | None) -> Path:
    from safetensors.torch import save_file

    checkpoint = TorchFile(path)
    loaded = _fairseq_tokenizer(path.parent, conventions, tokenizer)
    config, state = convert_fairseq(checkpoint, len(loaded))
    loaded.save_pretrained(staged)
    config.save_pretrained(staged)
    save_file(state, staged / WEIGHTS, metadata={"format": "pt"})
    return path


def _fairseq_tokenizer(folder: Path, conventions: Conventions, named: str | None) -> Tokenizer:
    if named is not None:
        return load_tokenizer(named)
    dictionary = next((folder / name for name in DICTIONARIES if (folder / name).is_file()), None)
    encoder, merges = folder / "encoder.json", folder / "vocab.bpe"
    if dictionary is None or not encoder.is_file() or not merges.is_file():
        raise UsageError(
            f"{folder}: no tokenizer beside the checkpoint (dict.txt or dict.source.txt, encoder.json and vocab.bpe); "
            "name one with --tokenizer, such as facebook/bart-large."
        )
    return fairseq_tokenizer(dictionary, encoder, merges, bool(conventions.prefix_space))


def _stage_hugging_face(folder: Path, staged: Path, tokenizer: str | None) -> Path:
    """Everything but pickles, and the pickle's tensors as safetensors."""
    for path in folder.iterdir():
        if path.is_file() and path.suffix in (".json", ".txt", ".model", ".safetensors"):
            shutil.copyfile(path, staged / path.name)
    if tokenizer is not None:
        load_tokenizer(tokenizer).save_pretrained(staged)
    weights = sorted(folder.glob("*.safetensors"))
    if weights:
        return weights[0]
    if not (folder / PICKLED).is_file():
        raise InputError(f"{folder}: no weights; expected {WEIGHTS} or {PICKLED}.")
    _convert_pickle(folder / PICKLED, staged / WEIGHTS)
    return folder / PICKLED


def _convert_pickle(path: Path, target: Path) -> None:
    from safetensors.torch import save_file

    file = TorchFile(path)
    content = file.content if isinstance(file.content, dict) else {}
    state = {str(name): value for name, value in content.items() if isinstance(value, TensorReference)}
    if not state:
        raise InputError(f"{path}: expected a state dict, name to tensor; found none in it.")
    save_file(
        {name: file.tensor(reference).contiguous() for name, reference in state.items()},
        target,
        metadata={"format": "pt"},
    )


def _set_prefix_space(tokenizer: Tokenizer, prefix_space: bool) -> None:
    """Whether a byte-level tokenizer reads every text as if a space stood before it."""
    from tokenizers import pre_tokenizers

    backend = backend_of(tokenizer)
    if backend is None or not isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        raise InputError(
            "these conventions are for byte-level tokenizers such as BART's; this one is another."
        )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
