"""Where a model's files are, and the one door through which transformers opens them.

Knows folders, hub names and what foreign parsers raise; knows nothing of what the files mean. Nothing that a folder
brings is ever run: no code that its configuration names, whatever standard input says, and no pickle.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from logging import WARNING, disable, root
from pathlib import Path
from typing import Any

from genret.artefact import MANIFEST, check_folder, folder_kind
from genret.errors import ArtefactError, InputError

__all__ = ["hub_folder", "open_pretrained", "quiet_transformers", "resolve_folder"]

HUB_TIMEOUT_SECONDS = 5.0

# What `genret.importing` publishes; other folders of models are checked by those who open them.
IMPORTED, IMPORTED_VERSION = "imported-model", 1


def resolve_folder(name_or_folder: str | os.PathLike[str], what: str = "model") -> Path:
    """The folder of a `what` in Hugging Face layout, given its path or its hub name.

    Raises:
        InputError: no such folder, no `config.json` in it, or the hub does not give the name.
        ArtefactError: `genret import` wrote the folder, and something in it is missing or damaged.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
            raise InputError(f"{folder}: no config.json; expected a {what} in Hugging Face layout.")
        if (folder / MANIFEST).exists() and folder_kind(folder) in (None, IMPORTED):
            check_folder(folder, kind=IMPORTED, version=IMPORTED_VERSION)
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


def open_pretrained(auto: Any, folder: Path, what: str, **options: Any) -> Any:
    """`auto.from_pretrained(folder)`: of local files only, without code of the folder.

    Args:
        auto: a class of transformers.
        what: what it is to be, for messages: "model", "tokenizer".

    Raises:
        InputError: files are missing, are no `what`, or name code that would have to be run.
        ArtefactError: files are damaged.
    """
    from safetensors import SafetensorError

    _refuse_inner_code(folder)
    try:
        with quiet_transformers(), _quiet_panics():
            return auto.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
        # Some of transformers' sentences have words of its own in front of what counts, and no sentence has none.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "trust_remote_code" in str(error):
            reason = (
                "it needs code from the folder, and none is ever run; choose a model that transformers has"
            )
        raise InputError(f"{folder}: cannot be loaded as a {what}: {reason}") from error
    except SafetensorError as error:
        raise ArtefactError(
            f"{folder}: its weights are damaged: {error}. Restore them from a copy."
        ) from error
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # the user's interruption
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ArtefactError(
            f"{folder}: the files of its {what} are damaged, or of a later version: {reason}. Restore them from a copy."
        ) from error


def _refuse_inner_code(folder: Path) -> None:
    """Refuse a configuration that names code for one of its parts: transformers would ask on standard input.

    Of a model as a whole it does not, once it has been told; then its own class is taken, or none.
    """
    path = folder / "config.json"
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}).") from error
    parts = list(content.values()) if isinstance(content, dict) else []
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if part.get("auto_map"):
                raise InputError(
                    f"{path}: auto_map names code for a part of the model, and none is ever run; choose a model that "
                    "transformers has."
                )
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)


@contextmanager
def _quiet_panics() -> Iterator[None]:
    """Without what a parser in Rust prints by itself, past Python, when it gives up; anything else is passed on."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        panicked = False
        try:
            yield
        except BaseException as error:
            panicked = type(error).__name__ == "PanicException"
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            printed.seek(0)
            if not panicked and (text := printed.read()):
                os.write(2, text)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' bars and its table of missing tensors: what matters becomes one of our errors.

    What packages print that it imports where they are installed (DeepSpeed, at the first save) goes to standard error.
    """
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    disabled = root.manager.disable
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # Where accelerate is installed, saving a model imports DeepSpeed, which warns that there is no GPU.
    disable(WARNING)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        disable(disabled)
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
