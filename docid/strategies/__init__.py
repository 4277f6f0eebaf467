"""Ways to give documents their docids, behind one interface: `assign(fields) -> DocidTable`."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    "load_strategy",
]

# By the names that configurations and the command line use.
STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind
    for kind in (Atomic, String, Title, Url, Keywords, Semantic, Residual, Product, RqVae, NGrams)
}


def load_strategy(path: str | os.PathLike[str]) -> Strategy:
    """Open a strategy that `Strategy.save` wrote, with its options and what it learned, both checked.

    Raises:
        ArtefactError: the file is missing, damaged, of another kind, or newer.
    """
    stored = read_container(path, kind=KIND, version=VERSION, verify="full")
    strategy = _described(stored.meta)
    if strategy is None:
        raise ArtefactError(f"{path}: damaged: it does not describe a docid strategy of this version.")
    if not stored.meta["fitted"]:
        stored.check(path, {})
        return strategy
    strategy.state = stored.arrays
    if fault := strategy.fault():
        raise ArtefactError(f"{path}: damaged: {fault}. Build the docids again.")
    return strategy


def _described(meta: Mapping[str, Any]) -> Strategy | None:
    """The strategy that stored values name, all its options given, each of its type."""
    kind, options = STRATEGIES.get(str(meta.get("name"))), meta.get("options")
    if kind is None or not isinstance(options, dict) or type(meta.get("fitted")) is not bool:
        return None
    try:
        default = kind()
        if any(type(value) is not type(getattr(default, name)) for name, value in options.items()):
            return None
        strategy = kind(**options)
    except (TypeError, AttributeError, InputError):
        return None
    return strategy if vars(strategy).keys() - {"state"} == options.keys() else None
