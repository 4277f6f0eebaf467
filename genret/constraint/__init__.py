"""What may come next: one protocol, and the indexes that speak it."""

from __future__ import annotations

from genret.constraint.protocol import Constraint, Documents, State, Successors
from genret.constraint.subset import Subset
from genret.constraint.trie import TrieConstraint
from genret.constraint.unconstrained import NoConstraint

__all__ = ["Constraint", "Documents", "NoConstraint", "State", "Subset", "Successors", "TrieConstraint"]
