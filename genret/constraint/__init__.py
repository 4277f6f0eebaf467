"""What may come next: one protocol, and the indexes that speak it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.constraint.compose import UnionConstraint
    from genret.constraint.fm_index import FMIndexConstraint
    from genret.constraint.growing import growing_constraint
    from genret.constraint.handmade import FunctionConstraint, from_strings
    from genret.constraint.ngram_automaton import NgramAutomaton
    from genret.constraint.prefix_states import Automaton, PrefixStates, TrieAutomaton
    from genret.constraint.protocol import Constraint, Documents, State, Successors
    from genret.constraint.sequence import SequenceConstraint
    from genret.constraint.subset import Subset, build_subset
    from genret.constraint.trie_constraint import TrieConstraint
    from genret.constraint.unconstrained import NoConstraint

__all__ = [
    "Automaton",
    "Constraint",
    "Documents",
    "FMIndexConstraint",
    "FunctionConstraint",
    "NgramAutomaton",
    "NoConstraint",
    "PrefixStates",
    "SequenceConstraint",
    "State",
    "Subset",
    "Successors",
    "TrieAutomaton",
    "TrieConstraint",
    "UnionConstraint",
    "build_subset",
    "from_strings",
    "growing_constraint",
]

__getattr__ = lazy_names(
    __name__,
    {
        "compose": "UnionConstraint",
        "fm_index": "FMIndexConstraint",
        "growing": "growing_constraint",
        "ngram_automaton": "NgramAutomaton",
        "prefix_states": "Automaton PrefixStates TrieAutomaton",
        "protocol": "Constraint Documents State Successors",
        "sequence": "SequenceConstraint",
        "handmade": "FunctionConstraint from_strings",
        "subset": "Subset build_subset",
        "trie_constraint": "TrieConstraint",
        "unconstrained": "NoConstraint",
    },
)
