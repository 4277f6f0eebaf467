"""Ways to give documents their docids, behind one interface: `assign(fields) -> DocidTable`."""

from __future__ import annotations

import os

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
    """Open a strategy that `Strategy.save` wrote, with its options and what it learned.

    Raises:
        ArtefactError: the file is missing, damaged, of another kind, or newer.
    """
    stored = read_container(path, kind=KIND, version=VERSION, verify="full")
    try:
        strategy = STRATEGIES[stored.meta["name"]](**stored.meta["options"])
        strategy.state = stored.arrays if stored.meta["fitted"] else None
    except (KeyError, TypeError, InputError) as error:
        raise ArtefactError(
            f"{path}: damaged: it does not describe a docid strategy of this version."
        ) from error
    return strategy
