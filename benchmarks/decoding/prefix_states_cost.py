"""What a step of `PrefixStates` costs an engine: `python -m benchmarks.decoding.prefix_states_cost [DOCIDS]`.

Microseconds: filling the bitmask of all rows, the first time and then the median of 15 (masks of places where many tokens
may come are kept), and moving them by a token (and back).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.decoding.workload import EOS, VOCAB_SIZE, trie_of, zipf_docids
from fm_index import FMIndex
from genret.constraint import Automaton, NgramAutomaton, PrefixStates, TrieAutomaton


def microseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(15):
        begin = perf_counter()
        call()
        times.append(perf_counter() - begin)
    return median(times) * 1e6


def measure(name: str, automaton: Automaton, docids: np.ndarray) -> None:
    for count in (1, 64, 512):
        states, rows = PrefixStates(automaton, VOCAB_SIZE), np.arange(count)
        states.add(rows)
        out = np.empty((count, -(-VOCAB_SIZE // 32)), np.int32)
        chosen = docids[np.random.default_rng(1).integers(0, len(docids), count)]
        for place in range(3):
            begin = perf_counter()
            states.fill_bitmask(rows, out)
            first = (perf_counter() - begin) * 1e6
            fill = microseconds(lambda: states.fill_bitmask(rows, out))  # noqa: B023 - called here

            def there_and_back() -> None:
                states.advance(rows, chosen[:, place])  # noqa: B023
                states.rewind(rows, np.ones(count, np.int64))  # noqa: B023

            moved = microseconds(there_and_back)
            print(
                f"{name}, {count} rows, {place} tokens: fill {first:.0f} us, then {fill:.0f} us, advance and rewind {moved:.0f} us"
            )
            states.advance(rows, chosen[:, place])


def main() -> None:
    docids = zipf_docids(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    measure("trie", TrieAutomaton(trie_of(docids)), docids)
    tokens, offsets = docids.reshape(-1), np.arange(len(docids) + 1) * docids.shape[1]
    index = FMIndex.build(tokens, offsets, vocab_size=VOCAB_SIZE)
    measure("n-grams", NgramAutomaton(index, EOS), docids)


if __name__ == "__main__":
    main()
