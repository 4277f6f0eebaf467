"""Where a model's files are: a local folder, the hub's local cache, or the hub.

Knows folders and hub names; knows nothing of what the files hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genret.errors import InputError

__all__ = ["hub_folder", "quiet_transformers", "resolve_folder"]

HUB_TIMEOUT_SECONDS = 5.0


def resolve_folder(name_or_folder: str | os.PathLike[str], what: str = "model") -> Path:
    """The folder of a `what` in Hugging Face layout, given its path or its hub name.

    Raises:
        InputError: no such folder, no `config.json` in it, or the hub does not give the name.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: no config.json; expected a {what} in Hugging Face layout.")
        return folder
    name = os.fspath(name_or_folder)
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no such folder; expected a {what} in Hugging Face layout.")
    return hub_folder(name, hint="Give a local folder in Hugging Face layout")


def hub_folder(name: str, *, hint: str, more: tuple[str, ...] = ()) -> Path:
    """The snapshot of a hub repository: from the local cache, else downloaded.

    The cache first, so that no call waits for a network that is not there. Pickles are left out, as is everything
    that no model folder needs; `more` names files that are wanted all the same.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", *more]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
    except HFValidationError as error:
        raise InputError(f"{name!r} is neither a folder nor a hub name. {hint}.") from error
    except OSError:
        pass
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, etag_timeout=HUB_TIMEOUT_SECONDS))
    except Exception as error:  # the hub's client raises its own, its transport's and OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"{name!r} is neither a local folder nor in the local hub cache, and the hub does not give it: "
            f"{reason}. {hint}."
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' bars and its table of missing tensors: what matters becomes one of our errors."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
