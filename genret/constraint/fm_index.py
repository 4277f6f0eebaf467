"""The n-grams of a corpus as a constraint: a row range of the full-text index is all the state there is.

Knows token ids and row ranges; knows no text and no model. The index runs on the CPU with the GIL released;
tensors go to the model's device. Nothing here loops over beams.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from fm_index import FMIndex, ShardedFMIndex
from genret.constraint.ngram_automaton import FMState, NgramAutomaton
from genret.constraint.protocol import Documents, State, Successors
from genret.errors import UsageError

__all__ = ["FMIndexConstraint"]


class FMIndexConstraint:
    """Only n-grams of the indexed documents come out (M. Bevilacqua et al., NeurIPS 2022, section 3).

    An n-gram is not continued where it occurs at most `stop_count` times, nor after one of `end_tokens`; nothing
    continues past a document's end. With `finishes`, the end token then follows, and also where an occurrence
    ends its document: hypotheses finish there. Without it no hypothesis finishes, for a search that keeps
    n-grams of every length. Counts include documents removed from a sharded index until it is compacted.

    Args:
        index: over the documents' tokens.
        eos: the model's end token; no document may hold it.
        device: the model's.
        at_start: n-grams begin at the first token of a document (titles), not anywhere.
        end_tokens: tokens after which an n-gram is over, such as the separator behind a title.
        stop_count: stop where no more than so many occurrences are left; 0: never.
        finishes: whether the end token is offered.

    Raises:
        InputError: a document holds `eos`.
    """

    def __init__(
        self,
        index: FMIndex | ShardedFMIndex,
        eos: int,
        device: torch.device | str = "cpu",
        *,
        at_start: bool = False,
        end_tokens: Collection[int] = (),
        stop_count: int = 0,
        finishes: bool = True,
    ) -> None:
        self.ngrams = NgramAutomaton(
            index,
            eos,
            at_start=at_start,
            end_tokens=end_tokens,
            stop_count=stop_count,
            finishes=finishes,
        )
        self.index, self.eos, self.device = index, eos, torch.device(device)

    @property
    def largest_token(self) -> int:
        """No document holds a greater token."""
        return self.index.vocab_size - 1

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query: anywhere, at the documents' starts, or after its prefix.

        A prefix that no document has gives a row without successors; one that does may be continued however
        rare it is.

        Raises:
            UsageError: a filter is given; an index of n-grams cannot leave documents out.
        """
        if filters is not None and any(entry is not None for entry in filters):
            raise UsageError("an FM-index cannot filter by documents; filter what the search returns.")
        state = self.ngrams.start(queries)
        lo, hi = state.lo, state.hi
        given = prefixes or []
        for place in range(max(map(len, given), default=0)):
            rows = [row for row, prefix in enumerate(given) if len(prefix) > place]
            tokens = [given[row][place] for row in rows]
            lo[rows], hi[rows] = self.index.step(lo[rows], hi[rows], tokens)
        return state

    def successors(self, state: State, size: int | None = None) -> Successors:
        """The tokens that follow each n-gram somewhere in the corpus, and the end token where it may stand."""
        listed = self.ngrams.listed(state)
        offsets, tokens = torch.from_numpy(listed.offsets), torch.from_numpy(listed.tokens)
        return Successors(
            offsets.to(self.device), tokens.to(self.device, torch.int64, non_blocking=True), payload=listed
        )

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The ranges behind the entries `edges` (int64 [n], positions in `successors.tokens`)."""
        return self.ngrams.follow(successors.payload, edges.cpu().numpy())

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """The documents that hold each row's n-gram, ascending; of at most `limit` those of its first rows."""
        held: FMState = state
        offsets, documents = self.index.documents(held.lo, held.hi, limit)
        return Documents(
            torch.from_numpy(offsets).to(self.device), torch.from_numpy(documents).to(self.device)
        )
