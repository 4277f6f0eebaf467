"""Opens a tokenizer, by folder or hub name."""

from __future__ import annotations

import json
import os
from pathlib import Path

from genret.errors import InputError
from genret.hub import hub_folder, open_pretrained
from genret.tokenizer.interface import Tokenizer, backend_of

__all__ = ["has_tokenizer", "load_tokenizer"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
)


def load_tokenizer(name_or_folder: str | os.PathLike[str]) -> Tokenizer:
    """The tokenizer of transformers in a folder, or of a hub name: as the model's type suggests, or else of the
    class that its own file names. It neither cuts nor pads unless told to.

    Raises:
        InputError: there is none, or it needs code from the folder.
        ArtefactError: its files are damaged.
    """
    from transformers import AutoTokenizer

    folder = _folder(name_or_folder)
    if not has_tokenizer(folder):
        # transformers would make an empty tokenizer of the model's type, and say nothing.
        raise InputError(f"{folder}: no tokenizer; expected one of {', '.join(TOKENIZER_FILES)}.")
    try:
        tokenizer: Tokenizer = open_pretrained(AutoTokenizer, folder, "tokenizer")
    except InputError:
        named = _named_class(folder)
        if named is None:
            raise
        tokenizer = open_pretrained(named, folder, "tokenizer")
    backend = backend_of(tokenizer)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    return tokenizer


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer's files."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def _folder(name_or_folder: str | os.PathLike[str]) -> Path:
    folder = Path(name_or_folder)
    name = os.fspath(name_or_folder)
    if folder.is_dir():
        return folder
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no tokenizer there: there is no such folder.")
    return hub_folder(name, hint="Give a local folder with a tokenizer")


def _named_class(folder: Path) -> type[Tokenizer] | None:
    """The class of transformers that the tokenizer's own file names, or None."""
    import transformers

    try:
        name = str(json.loads((folder / "tokenizer_config.json").read_bytes()).get("tokenizer_class"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    named = getattr(transformers, name, None)
    is_tokenizer = isinstance(named, type) and issubclass(named, transformers.PreTrainedTokenizerBase)
    return named if is_tokenizer else None
