"""What a checkpoint's pickle may name: tensors, plain containers, and settings that come back as inert records.

Knows names; imports nothing that a file names. A record holds the state that the file has for an object and does
nothing: no code of the class is run, whatever the file says.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from genret.errors import InputError

__all__ = ["InertRecord", "StorageType", "find_inert", "settings_of"]

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
CONTAINERS: dict[tuple[str, str], type] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
}
# Modules whose objects stand in published checkpoints beside the tensors, as settings and training state.
RECORDED = ("argparse", "omegaconf", "fairseq", "numpy", "pathlib", "enum", "transformers.training_args")
RECORDED_NAMES = frozenset(
    [
        ("collections", "defaultdict"),
        ("collections", "Counter"),
        ("typing", "Any"),
        ("builtins", "int"),
        ("builtins", "float"),
        ("builtins", "str"),
        ("builtins", "bool"),
        ("_codecs", "encode"),
        ("torch", "device"),
        ("torch", "dtype"),
        ("torch", "Size"),
    ]
)


class StorageType:
    """A storage class of torch, known by the dtype of its elements."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class InertRecord(dict[Any, Any]):
    """An object of a class that is not imported: takes any arguments, entries and state, and does nothing."""

    state: Any = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a record of a checkpoint is not stored again")

    def append(self, value: Any) -> None:
        """Pickled lists of a class of their own are filled so."""

    def extend(self, values: Any) -> None:
        """As `append`."""

    def add(self, value: Any) -> None:
        """As `append`, of sets."""


def find_inert(module: str, name: str) -> Any:
    """What stands for a class or a function that a pickle names.

    Raises:
        InputError: it is none that a checkpoint needs.
    """
    if module == "__builtin__":  # as pickles of protocol 2 call it
        module = "builtins"
    if module in ("torch", "torch.storage") and name in DTYPES:
        return StorageType(DTYPES[name])
    if (module, name) in CONTAINERS:
        return CONTAINERS[module, name]
    package = any(module == one or module.startswith(one + ".") for one in RECORDED)
    if package or (module, name) in RECORDED_NAMES:
        return InertRecord
    raise InputError(
        f"it names {module}.{name}, which is neither a tensor nor a setting of a known library; such a file can run "
        "code in a careless reader, and is refused."
    )


def settings_of(value: Any) -> dict[str, Any]:
    """The settings that a record, or a mapping, holds by name; nothing for anything else."""
    if isinstance(value, InertRecord):
        state = value.state[0] if isinstance(value.state, tuple) and value.state else value.state
        return dict(value) or (state if isinstance(state, dict) else {})
    return value if isinstance(value, dict) else {}
