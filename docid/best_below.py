"""The greatest score below each prefix of a trie, for all prefixes and a batch of queries in one pass.

What plans a beam search ahead: Zeng et al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.2,
lift a prefix by the best document that it leads to. Knows a trie and floats; knows no model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from docid import _core
from docid.trie import DocidTrie

__all__ = ["BestBelow"]

NO_LEAF = np.iinfo(np.uint32).max


class BestBelow:
    """The greatest score of a document below each place of a trie.

    Places are the trie's nodes and then its leaves: node v is place v, leaf l is place `num_nodes` + l. Holds 4 bytes
    a place and 4 a document.

    Args:
        trie: its nodes are numbered parents first, as those of a `DocidTrie` are.
        num_documents: columns of the scores; numbers that the trie has no docid for count nowhere.
        threads: that share the queries of a batch.
    """

    def __init__(self, trie: DocidTrie, num_documents: int, *, threads: int = 1) -> None:
        self.num_documents, self.threads = num_documents, threads
        self.num_places = trie.num_nodes + trie.num_leaves
        leaves = np.repeat(np.arange(trie.num_leaves, dtype=np.uint32), trie.leaf_sizes())
        leaf_of = np.full(num_documents, NO_LEAF, np.uint32)
        leaf_of[trie.leaf_documents] = leaves
        # The edges of nodes come in the order of the nodes, and those that lead to leaves in the order of the leaves.
        above = np.repeat(np.arange(trie.num_nodes, dtype=np.uint32), np.diff(trie.offsets))
        to_leaf = np.ones(trie.num_edges, bool)
        to_leaf[trie.node_edges] = False
        parents = np.concatenate([np.zeros(1, np.uint32), above[trie.node_edges], above[to_leaf]])
        self._places = _core.Places(leaf_of, parents, trie.num_nodes)

    def __call__(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Float32 [queries, places] of `scores`, float32 [queries, documents]; -inf where no document is below.

        The score of a document that must not be found is -inf.
        """
        best = np.empty((len(scores), self.num_places), np.float32)
        self._places.best_below(np.ascontiguousarray(scores, np.float32), best, self.threads)
        return best
