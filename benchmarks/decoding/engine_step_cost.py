"""What the processor of an engine costs a step: `python -m benchmarks.decoding.engine_step_cost [DOCIDS]`.

Microseconds, the best of 15 walks through docids of 7 tokens, all rows at once: taking up the last tokens, listing what
is legal, and masking float32 logits of 32,128 tokens. What other processes add is left out by taking the best.
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from types import SimpleNamespace

import numpy as np
import torch

from benchmarks.decoding.workload import EOS, VOCAB_SIZE, trie_of, zipf_docids
from genret.constraint import Automaton, TrieAutomaton
from genret.engines.asked_constraint import Asked
from genret.engines.batches import MovingRows
from genret.engines.constrained_rows import Rows
from genret.engines.named_sets import Sets


class OneSet(Sets):
    """A set that is no file."""

    def __init__(self, automaton: Automaton) -> None:
        super().__init__()
        self.only = automaton

    def automaton(self, asked: Asked, eos: int | None) -> Automaton:
        return self.only


def walk(automaton: Automaton, docids: np.ndarray, count: int, seed: int) -> list[float]:
    """Seconds of each step of `count` rows, from the root to the end."""
    batch = MovingRows(Rows(OneSet(automaton), VOCAB_SIZE, EOS, print))
    chosen = docids[np.random.default_rng(seed).integers(0, len(docids), count)]
    outputs: list[list[int]] = [[] for _ in range(count)]
    asked = SimpleNamespace(extra_args={"genret": "set"})
    added = [(number, asked, [5], output) for number, output in enumerate(outputs)]
    batch.update(SimpleNamespace(removed=[], added=added, moved=[]))
    logits = torch.zeros(count, VOCAB_SIZE)
    times = []
    for place in range(docids.shape[1]):
        begin = perf_counter()
        batch.apply(logits)
        times.append(perf_counter() - begin)
        for output, token in zip(outputs, chosen[:, place].tolist(), strict=True):
            output.append(token)
    return times


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    docids = zipf_docids(count)
    automaton = TrieAutomaton(trie_of(docids))
    for rows in (1, 64, 512):
        walks = np.array([walk(automaton, docids, rows, seed) for seed in range(15)]) * 1e6
        first, second, *others = walks.min(0)
        later = median(others)
        print(
            f"{count:,} docids, {rows} rows: root {first:.0f} us, second token {second:.0f}, later {later:.0f}"
        )


if __name__ == "__main__":
    main()
