"""Constraints by name: what a search may emit in place of everything that stands for a passage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genret.constraint.protocol import Constraint
from genret.plugins import Door

if TYPE_CHECKING:
    from genret.retrieval.retriever import Retriever

__all__ = ["CONSTRAINT_DOOR", "ConstraintMaker", "ConstraintOptions"]


class ConstraintMaker(ABC):
    """From a retriever to a constraint of its searches; a frozen dataclass whose options all have defaults."""

    @abstractmethod
    def constraint(self, retriever: Retriever[Any, Any]) -> Constraint:
        """What the model may emit, such as `retriever.constraint.within(rows)`; see `genret.constraint.protocol`."""


CONSTRAINT_DOOR: Door[ConstraintMaker] = Door("constraint", {}, ConstraintMaker)


@dataclass(frozen=True)
class ConstraintOptions:
    """A constraint of searches, by name.

    Attributes:
        kind: an installed package's `ConstraintMaker`, or `package.module:Class`.
        options: of that kind.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.make()

    def make(self) -> ConstraintMaker:
        """What makes it.

        Raises:
            InputError: there is none of this kind, or an option of it cannot be used.
        """
        return CONSTRAINT_DOOR.make(self.kind, self.options, "kind")

    def of(self, retriever: Retriever[Any, Any]) -> Constraint:
        """The constraint, for one retriever."""
        return self.make().constraint(retriever)
