"""Docid strategies by name, a guest's among them; knows names and classes, no corpus and no model."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from docid.strategies import STRATEGIES, Strategy, load_strategy
from genret.errors import InputError
from genret.plugins import Door

__all__ = ["STRATEGY_DOOR", "make_strategy", "open_strategy", "strategy_class"]

STRATEGY_DOOR: Door[Strategy] = Door("docid strategy", STRATEGIES, Strategy)


def strategy_class(name: str, where: str) -> type[Strategy]:
    """The class that `name` leads to (see `Door.open`), fit to be stored and found again.

    Raises:
        InputError: there is none, or its own name or options could not be stored.
    """
    kind = STRATEGY_DOOR.open(name, where)
    if fault := _fault(kind):
        raise InputError(f"{where}: {name} {fault}.")
    return kind


def make_strategy(name: str, options: Mapping[str, Any], where: str) -> Strategy:
    """The strategy of this name with its options, not yet fitted.

    Raises:
        InputError: there is none of this name, or an option of it cannot be used.
    """
    strategy_class(name, where)
    return STRATEGY_DOOR.make(name, options, where)


def open_strategy(path: str | os.PathLike[str]) -> Strategy:
    """As `docid.strategies.load_strategy`, for strategies of installed packages too: by the name of an entry point.

    Raises:
        ArtefactError: as there. InputError: the entry point of the stored name leads to no strategy.
    """
    return load_strategy(path, lambda name: STRATEGY_DOOR.found(name, os.fspath(path)))


def _fault(kind: type[Strategy]) -> str | None:
    """Why a guest's class could not be stored or loaded, as the end of a sentence."""
    if kind in STRATEGIES.values():
        return None
    name = getattr(kind, "name", None)
    if not isinstance(name, str):
        return "has no `name`; a strategy is stored under it"
    if name in STRATEGIES:
        return f"is called {name!r}, as one of ours is; give it a `name` of its own"
    options: Sequence[dataclasses.Field[Any]] = (
        dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    )
    for field in options:
        if not isinstance(field.default, bool | int | float | str):
            return f"has an option {field.name!r} whose default is no text, number or truth value; those are stored"
    return None
