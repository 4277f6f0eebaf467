"""Doors for guests: from a name that a user gives to the class behind it.

A name is one of ours, one that an installed package gives in the entry-point group `genret.plugins`, or
`package.module:Name`. What it leads to is checked against what the door asks for, so that a wrong guest is refused
in a sentence and before any work. Code is imported only where the user's own configuration, call or installed
packages name it: a name that stands in a file which was loaded is looked up among ours and the entry points alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, NamedTuple, TypeVar

from genret.config import from_mapping
from genret.errors import InputError

__all__ = ["GROUP", "Door", "Guest", "guests"]

GROUP = "genret.plugins"

T = TypeVar("T")


class Guest(NamedTuple):
    """What an installed package offers; `error` says why it cannot be used, and is None where it can."""

    name: str
    value: str
    kinds: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Door(Generic[T]):
    """One kind of thing that a guest may bring.

    Attributes:
        kind: what messages call it, such as "source of examples".
        own: ours, by name.
        base: what every class of this kind inherits from.
        beside: names of ours that lead to no class of the kind, for messages.
    """

    kind: str
    own: Mapping[str, type[T]]
    base: type
    beside: tuple[str, ...] = ()

    def fits(self, found: object) -> str | None:
        """What is wrong with an object as one of this kind, as the end of a sentence; None where nothing is."""
        wanted = f"{self.base.__module__}.{self.base.__qualname__}"
        # By descent, not `issubclass`: a base may be a protocol, which counts whatever looks like it.
        if not (isinstance(found, type) and self.base in found.__mro__):
            return f"is no class that inherits from {wanted}"
        missing = sorted(getattr(found, "__abstractmethods__", ()))
        return f"lacks {', '.join(missing)}, which {wanted} asks for" if missing else None

    def open(self, name: str, where: str) -> type[T]:
        """What `name` leads to, where the user's own words name it.

        Args:
            name: ours, an entry point's, or `package.module:Name`.
            where: what gave the name, such as a configuration's key; messages begin with it.

        Raises:
            InputError: nothing has this name, it cannot be imported, or it is of another kind.
        """
        if ":" in name and self.found(name, where) is None:
            return self._checked(_imported(name, where), name, where)
        return self.known(name, where)

    def known(self, name: str, where: str) -> type[T]:
        """As `open`, among ours and the entry points alone: for names that stand in a loaded file.

        Raises:
            InputError: nothing has this name, or it is of another kind.
        """
        found = self.found(name, where)
        if found is None:
            raise InputError(f"{where}: no {self.kind} is called {name!r}{self._advice(name)}")
        return found

    def found(self, name: str, where: str) -> type[T] | None:
        """As `known`, and None where nothing has this name.

        Raises:
            InputError: what the entry point of this name leads to cannot be imported, or is of another kind.
        """
        if name in self.own:
            return self.own[name]
        entry = next((entry for entry in _entries() if entry.name == name), None)
        return None if entry is None else self._checked(_loaded(entry, where), name, where)

    def make(self, name: str, options: Mapping[str, Any], where: str) -> T:
        """One of what `name` leads to, a dataclass, with `options` as its fields, checked by their types and bounds.

        Raises:
            InputError: as `open`; or the class is no dataclass, or an option is unknown or cannot be used.
        """
        kind = self.open(name, where)
        if not is_dataclass(kind):
            raise InputError(f"{where}: {name} is no dataclass; its options are a dataclass's fields.")
        return from_mapping(kind, options, where)

    def offers(self) -> list[str]:
        """The names that lead through this door: ours, then those of entry points that fit."""
        return [*self.own, *(entry.name for entry in _entries() if self._may_hold(entry))]

    def _checked(self, found: Any, name: str, where: str) -> type[T]:
        if wrong := self.fits(found):
            raise InputError(f"{where}: {name} {wrong}; it cannot be a {self.kind}.")
        guest: type[T] = found
        return guest

    def _advice(self, name: str) -> str:
        offered = [*self.beside, *self.offers()]
        near = get_close_matches(name, offered, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        if not offered:
            return f"{hint} There is none here; package.module:Name is one of your own."
        return f"{hint} There are {', '.join(sorted(offered))}, or package.module:Name for one of your own."

    def _may_hold(self, entry: EntryPoint) -> bool:
        try:
            return self.fits(_loaded(entry, GROUP)) is None
        except InputError:
            return False


def guests(doors: Iterable[Door[Any]]) -> Iterator[Guest]:
    """What the installed packages offer, and through which of the doors each fits."""
    open_doors = list(doors)
    for entry in _entries():
        try:
            found = _loaded(entry, entry.name)
        except InputError as error:
            yield Guest(entry.name, entry.value, (), str(error))
            continue
        kinds = tuple(door.kind for door in open_doors if door.fits(found) is None)
        yield Guest(entry.name, entry.value, kinds, None if kinds else "it fits no door of this version")


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _loaded(entry: EntryPoint, where: str) -> Any:
    return _imported(entry.value, where)


def _imported(path: str, where: str) -> Any:
    module_name, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    # A guest's module may raise whatever it likes while it is imported.
    except Exception as error:
        raise InputError(
            f"{where}: {path}: the module {module_name!r} cannot be imported ({type(error).__name__}: {error}); "
            "install its package, or put its folder on PYTHONPATH."
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InputError(f"{where}: {path}: {module_name} has no {attribute!r}.")
        found = getattr(found, part)
    return found
