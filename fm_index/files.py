"""Files of one's own and of strangers: only regular ones are opened, writing is whole or not at all, and what a
foreign parser raises becomes one of our errors.

Knows bytes and the file system; knows nothing of formats.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import xxhash

__all__ = [
    "ArtefactError",
    "atomic_writer",
    "clear_stale",
    "exchange",
    "file_digest",
    "foreign",
    "is_regular",
    "linked",
    "open_for_update",
    "open_regular",
    "read_json",
    "scratch_folder",
    "stale",
    "strict_json",
    "sync_folder",
]

CHUNK = 1 << 24
# How the system says that there is no room.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# How a file system says that it has no second names, or that it refuses this one.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
# Of a temporary name that its maker does not hold yet.
NEW = ".new"
# Linux's names for the folder that a relative path begins at, and for an exchange (renameat2(2)).
AT_FDCWD, RENAME_EXCHANGE = -100, 2
# How a system, or a file system, says that it knows no exchange.
UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
# No JSON of an artefact is longer; a longer one is not read into memory.
MAX_JSON = 1 << 30
FILE_TYPES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class ArtefactError(Exception):
    """A stored artefact is damaged, foreign, or newer than this library; the message says which."""

    exit_code = 4


# ---- reading ----------------------------------------------------------------------------------------------


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; a symbolic link is followed to one.

    Raises:
        ArtefactError: a named pipe, a device, a socket or a folder is there: none is waited for, none is read.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK the opening of a pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    found = FILE_TYPES.get(stat.S_IFMT(mode), "something else")
    raise ArtefactError(f"{os.fspath(path)}: is {found}, expected a regular file.")


def open_for_update(path: str | os.PathLike[str], *, append: bool = False) -> BinaryIO:
    """Open a regular file for reading and writing; one that is missing is made.

    Raises:
        ArtefactError: something else than a regular file is there.
        OSError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_APPEND if append else 0)
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArtefactError(f"{os.fspath(path)}: something else than a regular file is there; remove it.")
    return os.fdopen(descriptor, "a+b" if append else "r+b")


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file, or a link to one, is there."""
    return os.path.isfile(path)


def strict_json(data: bytes) -> Any:
    """What JSON text holds, by the standard alone.

    Raises:
        ValueError: it is not JSON, a number is not finite or too long, a key occurs twice, or it is nested too deeply.
    """
    try:
        return json.loads(
            data, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_distinct
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file, as `strict_json` reads it.

    Raises:
        ArtefactError: it is missing, no regular file, longer than a gigabyte, or not such JSON.
    """
    with foreign(path, "JSON"), open_regular(path) as file:
        data = file.read(MAX_JSON)
        # One read of at most so much: a length that was asked for first could have changed.
        if len(data) == MAX_JSON:
            raise ValueError("it is too long")
        return strict_json(data)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of equal keys: of a damaged file, two readers could believe different things.
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice")
    return content


@contextmanager
def foreign(path: str | os.PathLike[str], parser: str) -> Iterator[None]:
    """The boundary around a parser that is not ours: whatever it raises on a file becomes an ArtefactError.

    Our own errors, and what is meant for the process (an interrupt, an exit), pass.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of a Rust parser is no Exception
        if hasattr(error, "exit_code"):
            raise
        lines = str(error).strip().splitlines()
        reason = (lines[0] if lines else type(error).__name__).rstrip(".")
        raise ArtefactError(
            f"{os.fspath(path)}: damaged or foreign: it cannot be read as {parser} ({reason:.200})."
        ) from error


def file_digest(path: Path, *, sync: bool = False) -> str:
    """XXH3-128 of a regular file's bytes, hexadecimal; with `sync` the file is flushed to disk as well."""
    digest = xxhash.xxh3_128()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        if sync:
            os.fsync(file.fileno())
    return digest.hexdigest()


# ---- writing ----------------------------------------------------------------------------------------------


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    Until the rename whatever was at `path` is untouched; on any exception the temporary file is removed, and those
    of killed writers of the same `path` are removed before.

    Raises:
        ArtefactError: a folder, a device or a pipe is there, and would be replaced.
    """
    target = Path(path)
    if target.exists() and not is_regular(target):
        raise ArtefactError(f"{target}: something else than a regular file is there; name a file.")
    # Before this one is made, so that what killed writers left does not fill the disk.
    clear_stale(target)
    handle, made = tempfile.mkstemp(prefix=f".{target.name}.", suffix=NEW, dir=target.parent)
    name = _held(handle, made, ".tmp")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            # The rename may reach the disk before the bytes do: a cut of power would leave an empty file under the name.
            os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        sync_folder(target.parent)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = os.fspath(target)  # what is written to an open file fails without its name
        Path(name).unlink(missing_ok=True)
        raise


def linked(old: Path, new: Path) -> bool:
    """Make a file `new` that is the file `old` under a second name; a copy, and False, where there are no second names."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(old, new)
        return False
    return True


@contextmanager
def scratch_folder(target: Path, suffix: str) -> Iterator[Path]:
    """A new folder `.NAME.*SUFFIX` beside `target`, held by this process as long as the block runs; then removed.

    The operating system lets go of it when the process dies, however it dies.
    """
    made = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=NEW, dir=target.parent)
    holder = os.open(made, os.O_RDONLY)
    scratch = Path(_held(holder, made, suffix))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(holder)


def exchange(one: Path, other: Path) -> bool:
    """Let two existing paths of one file system trade places at once; False, and nothing done, where none can.

    Raises:
        OSError: the system refuses it for another reason.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), os.fspath(other))


def stale(target: Path, suffix: str = ".tmp") -> list[Path]:
    """Temporary files and folders beside `target` that no living process holds."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}{re.escape(suffix)}")
    found = [path for path in target.parent.iterdir() if name.fullmatch(path.name)]
    return [path for path in found if not _is_held(path)]


def clear_stale(target: Path, suffix: str = ".tmp") -> None:
    """Remove them."""
    for path in stale(target, suffix):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    """Whether a living process holds a temporary file or folder; what cannot be asked counts as held."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _held(descriptor: int, made: str, suffix: str) -> str:
    """Hold a temporary file or folder until its descriptor is closed, and only then name it so that it may be stale.

    On a file system without locks nothing is held, and nothing is found stale either.
    """
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    named = made.removesuffix(NEW) + suffix
    os.rename(made, named)
    return named


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
