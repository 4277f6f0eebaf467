"""Checkpoints of torch.save, read without torch.load: tensors are built, everything else stays inert.

Knows both layouts, the zip archive (since torch 1.6) and the older stream of pickles; knows nothing of models.
Tensors are references until they are asked for: a checkpoint's optimizer state is never read.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from genret.errors import InputError
from genret.importing.inert import StorageType, find_inert

__all__ = ["TensorReference", "TorchFile"]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
# What a damaged or crafted pickle makes the interpreter raise.
PICKLE_ERRORS = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError,
    OverflowError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error,
    # An archive that says it is encrypted, or of a kind that zipfile does not read; too deep a pickle as well.
    RuntimeError,
)  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """A flat array of the file."""

    key: str
    dtype: torch.dtype
    elements: int


@dataclass(frozen=True)
class TensorReference:
    """A tensor of the file, not yet read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class TorchFile:
    """A checkpoint: `content` is what was saved, with a `TensorReference` for every tensor.

    Raises:
        InputError: the file is no checkpoint, is damaged, or names what a checkpoint has no need of.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._layout: _Zip | _Legacy = _Zip(self.path) if zipfile.is_zipfile(path) else _Legacy(self.path)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
        except PICKLE_ERRORS as error:
            raise InputError(
                f"{path}: no checkpoint of torch.save, or a damaged one ({type(error).__name__}: {error})."
            ) from error
        self.content: Any = self._layout.content

    def tensor(self, reference: TensorReference) -> Tensor:
        """Read one tensor.

        Raises:
            InputError: it lies outside its storage, or its bytes are missing.
        """
        storage, shape, stride = reference.storage, reference.shape, reference.stride
        span = 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
        last = reference.offset + (span if prod(shape) else 0)
        if min((reference.offset, *shape, *stride, 0)) < 0 or last > storage.elements:
            raise InputError(
                f"{self.path}: damaged: a tensor of shape {list(shape)} lies outside its storage."
            )
        if not prod(shape):
            return torch.empty(shape, dtype=storage.dtype)
        data = self._layout.read(storage.key)
        if len(data) < storage.elements * storage.dtype.itemsize:
            raise InputError(f"{self.path}: cut short: the storage {storage.key} is not whole.")
        flat = torch.frombuffer(bytearray(data), dtype=storage.dtype, count=storage.elements)
        return flat.as_strided(shape, stride, reference.offset).clone()


class _Unpickler(pickle.Unpickler):
    """Builds references in place of tensors; every other name goes to `find_inert`."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        builders = {
            ("torch._utils", "_rebuild_tensor"): _rebuild,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            ("torch", "Tensor"): _parameter,
            ("torch.nn.parameter", "Parameter"): _parameter,
        }
        return builders.get((module, name)) or find_inert(module, name)

    def persistent_load(self, pid: Any) -> Storage:
        kind, storage_type, key, _, elements = pid[:5]
        if kind != "storage" or not isinstance(storage_type, StorageType) or (len(pid) > 5 and pid[5]):
            raise pickle.UnpicklingError(f"an unknown kind of storage, {kind!r}")
        storage = Storage(str(key), storage_type.dtype, int(elements))
        return self.storages.setdefault(storage.key, storage)


def _rebuild(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> TensorReference:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return TensorReference(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


def _parameter(data: Any, *_: Any) -> Any:
    return data


class _Zip:
    """An archive with `data.pkl` and one member a storage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise InputError("it is a zip archive without a data.pkl: no checkpoint of torch.save.")
            self._root = pickles[0].removesuffix("data.pkl")
            order = f"{self._root}byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise InputError("its bytes are in big-endian order, which is not read here.")
            self.content = _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()

    def read(self, key: str) -> bytes:
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(f"{self._root}data/{key}")
        except (KeyError, *PICKLE_ERRORS) as error:
            raise InputError(f"{self._path}: damaged: the storage {key} cannot be read ({error}).") from error


class _Legacy:
    """A stream of pickles, then every storage with its length in front."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            if _Unpickler(file).load() != LEGACY_MAGIC or _Unpickler(file).load() != LEGACY_PROTOCOL:
                raise InputError("no checkpoint of torch.save: it does not begin as one.")
            _Unpickler(file).load()
            reader = _Unpickler(file)
            self.content = reader.load()
            self._places = _places(file, _Unpickler(file).load(), reader.storages)

    def read(self, key: str) -> bytes:
        if key not in self._places:
            raise InputError(f"{self._path}: damaged: the storage {key} is not in it.")
        place, size = self._places[key]
        with self._path.open("rb") as file:
            file.seek(place)
            return file.read(size)


def _places(file: IO[bytes], keys: Any, storages: dict[str, Storage]) -> dict[str, tuple[int, int]]:
    """Where each storage begins in the file, and its bytes."""
    places = {}
    for key in map(str, keys):
        (elements,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        if elements != storage.elements:
            raise InputError(f"damaged: the storage {key} has {elements} elements, not {storage.elements}.")
        size = elements * storage.dtype.itemsize
        places[key] = (file.tell(), size)
        file.seek(size, os.SEEK_CUR)
    return places
