"""Names of a package that import their module when they are asked for, so that a part costs its own modules only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for `package` (PEP 562); its `__dir__` comes to have the names as well, for who completes them.

    Args:
        package: its `__name__`.
        modules: the package's module, below it, and the names that come from there, parted by spaces; `ours=theirs`
            where the package has a name of its own for one.
    """
    homes = {
        ours: (module, theirs or ours)
        for module, names in modules.items()
        for ours, _, theirs in (name.partition("=") for name in names.split())
    }

    module_names = vars(sys.modules[package])
    module_names["__dir__"] = lambda: sorted({*module_names, *homes})

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, theirs = homes[name]
        value = getattr(import_module(f"{package}.{module}"), theirs)
        setattr(sys.modules[package], name, value)
        return value

    return get
