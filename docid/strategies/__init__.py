"""Ways to give documents their docids, behind one interface: `assign(fields) -> DocidTable`."""

from __future__ import annotations

from docid.strategies.atomic import Atomic
from docid.strategies.base import DocumentFields, Strategy, Tokenize
from docid.strategies.residual import Product, Residual
from docid.strategies.semantic import Semantic
from docid.strategies.text import String, Title

__all__ = [
    "STRATEGIES",
    "Atomic",
    "DocumentFields",
    "Product",
    "Residual",
    "Semantic",
    "Strategy",
    "String",
    "Title",
    "Tokenize",
]

# By the names that configurations and the command line use.
STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind for kind in (Atomic, String, Title, Semantic, Residual, Product)
}
