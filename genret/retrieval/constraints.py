"""Constraints by name: what a search may emit in place of everything that stands for a passage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from genret.constraint.protocol import Constraint
from genret.plugins import Door
from genret.retrieval.retriever import Retriever

__all__ = ["CONSTRAINT_DOOR", "ConstraintMaker"]


class ConstraintMaker(ABC):
    """From a retriever to a constraint of its searches; a frozen dataclass whose options all have defaults."""

    @abstractmethod
    def constraint(self, retriever: Retriever[Any, Any]) -> Constraint:
        """What the model may emit, such as `retriever.constraint.within(rows)`; see `genret.constraint.protocol`."""


CONSTRAINT_DOOR: Door[ConstraintMaker] = Door("constraint", {}, ConstraintMaker)
