"""Planning ahead: one pass scores every docid as a set of tokens, and lifts the prefixes of the best ones.

Zeng et al., "Planning Ahead in Generative Retrieval: Guiding Autoregressive Generation through Simultaneous Decoding",
SIGIR 2024, section 3: what a model's first step thinks of each token, summed over a docid's tokens, is a score that
needs no search; the greatest below a prefix is that prefix's bonus. There the tokens are lexical ones of their own;
here they are the docid's. Knows a backbone and a trie; knows no text.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from genret.constraint import State, TrieConstraint
from genret.decoding.look_ahead import Bonus
from genret.models.backbone import Backbone, Encoded

__all__ = ["Planner"]


class Planner:
    """Bonuses for searches with one trie, for `beam_search`'s `look_ahead`."""

    def __init__(self, constraint: TrieConstraint) -> None:
        self.constraint = constraint
        sequences = constraint.trie.leaf_sequences()
        self._tokens = torch.from_numpy(sequences.values).long().to(constraint.device)
        self._begins = torch.from_numpy(sequences.offsets[:-1]).long().to(constraint.device)
        self._entering = torch.from_numpy(constraint.trie.node_edges).long().to(constraint.device)

    def plan(self, backbone: Backbone, encoded: Encoded) -> Bonus:
        """The best simultaneous score below each prefix; takes a float for each query, node and docid."""
        with torch.inference_mode():
            hidden, _ = backbone.start(encoded)
            return self.best_below(self.simultaneous(backbone.logits(hidden)))

    def simultaneous(self, logits: Tensor) -> Tensor:
        """The sums of the first step's logits, float [queries, V], over the tokens of docids: [queries, leaves].

        The end token, which every docid has, is left out.
        """
        table = logits.T.contiguous()
        return functional.embedding_bag(self._tokens, table, self._begins, mode="sum").T

    def best_below(self, scores: Tensor) -> Bonus:
        """The greatest of the `scores` (float [queries, leaves]) of the docids that a prefix leads to."""
        leaves = scores.T.contiguous()
        edges = torch.from_numpy(self.constraint.trie.max_below(leaves.cpu().numpy())).to(leaves.device)
        # The root, where no search chooses a prefix, then the other nodes, then the leaves.
        best = torch.cat([torch.zeros_like(leaves[:1]), edges[self._entering], leaves])

        def bonus(queries: Tensor, prefixes: Tensor, states: State) -> Tensor:
            return best[self.constraint.places(states), queries]

        return bonus
