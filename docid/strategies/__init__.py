"""Ways to give documents their docids, behind one interface: `assign(fields) -> DocidTable`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from docid.errors import InputError
from docid.strategies.atomic import Atomic
from docid.strategies.base import KIND, VERSION, DocumentFields, Strategy, Tokenize
from docid.strategies.keywords import Keywords
from docid.strategies.ngrams import NGrams
from docid.strategies.residual import Product, Residual
from docid.strategies.rqvae import RqVae
from docid.strategies.semantic import Semantic
from docid.strategies.text import String, Title, Url
from docid.strategies.words_alone import WordsAlone
from fm_index.container import ArtefactError, read_container

__all__ = [
    "STRATEGIES",
    "Atomic",
    "DocumentFields",
    "Keywords",
    "NGrams",
    "Product",
    "Residual",
    "RqVae",
    "Semantic",
    "Strategy",
    "String",
    "Title",
    "Tokenize",
    "Url",
    "WordsAlone",
    "load_strategy",
]

# By the names that configurations and the command line use.
STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind
    for kind in (Atomic, String, Title, Url, Keywords, Semantic, Residual, Product, RqVae, WordsAlone, NGrams)
}


def load_strategy(
    path: str | os.PathLike[str], find: Callable[[str], type[Strategy] | None] = STRATEGIES.get
) -> Strategy:
    """Open a strategy that `Strategy.save` wrote, with its options and what it learned, both checked.

    Args:
        path: the file.
        find: the class of a stored name; None where there is none. Nothing is imported by what the file says.

    Raises:
        ArtefactError: the file is missing, damaged, of another kind, or newer, or nothing here has its name.
    """
    stored = read_container(path, kind=KIND, version=VERSION, verify="full")
    name = stored.meta.get("name")
    kind = find(name) if isinstance(name, str) else None
    if isinstance(name, str) and kind is None:
        raise ArtefactError(
            f"{path}: holds a docid strategy {name[:80]!r}, and nothing here is called so; there are "
            f"{', '.join(STRATEGIES)}. If a package brought it, install that package."
        )
    strategy = None if kind is None else _described(kind, stored.meta)
    if strategy is None:
        raise ArtefactError(f"{path}: damaged: it does not describe a docid strategy of this version.")
    if not stored.meta["fitted"]:
        stored.check(path, {})
        return strategy
    strategy.state = stored.arrays
    if fault := strategy.fault():
        raise ArtefactError(f"{path}: damaged: {fault}. Build the docids again.")
    return strategy


def _described(kind: type[Strategy], meta: Mapping[str, Any]) -> Strategy | None:
    """The strategy of this class that stored values describe, all its options given, each of its type."""
    options = meta.get("options")
    if not isinstance(options, dict) or type(meta.get("fitted")) is not bool:
        return None
    try:
        default = kind()
        if any(type(value) is not type(getattr(default, name)) for name, value in options.items()):
            return None
        strategy = kind(**options)
    except (TypeError, AttributeError, InputError):
        return None
    return strategy if vars(strategy).keys() - {"state"} == options.keys() else None
