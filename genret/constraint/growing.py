"""A trie that grows as a constraint: its base and its delta side by side, without removed documents.

Documents come and go, numbers and docids stay: later documents are given docids by what was learned from the first, and
a removed one keeps its number and its docid as a tombstone. Knows that a growing trie has parts; knows nothing of how one is searched.
"""

from __future__ import annotations

import torch

from docid.growing_trie import GrowingTrie
from genret.constraint.compose import UnionConstraint
from genret.constraint.protocol import Constraint
from genret.constraint.trie_constraint import TrieConstraint

__all__ = ["growing_constraint"]


def growing_constraint(trie: GrowingTrie, device: torch.device | str = "cpu") -> Constraint:
    """What the living documents of `trie` allow; several times the cost of one trie while there is a delta."""
    parts = [TrieConstraint(part, device, trie.removed) for part in trie.parts]
    return UnionConstraint(parts) if trie.parts[1].num_documents else parts[0]
