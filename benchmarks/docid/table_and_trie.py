"""Time and memory of the docid table and the trie at a million documents.

    python benchmarks/docid/table_and_trie.py [--documents 1000000] [--length 8] [--vocabulary 32000]

Docids are random token sequences, the hardest case for a trie: nothing is shared beyond the first levels. The
strings are those of a hierarchy of clusters. Each part runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from docid import DocidTable, DocidTrie

EOS = 1
LOOK_UPS = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            command = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--folder", folder]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            for name, value in json.loads(output).items():
                print(f"{part:12} {name:44} {value:12,.3f}")


def sequences(options: argparse.Namespace) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(2, options.vocabulary, (options.documents, options.length), dtype=np.int32)


def strings(options: argparse.Namespace) -> list[str]:
    """Semantic docids of branching 32 and leaves of up to 32, as hierarchical k-means would give them."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 32, (options.documents // 20 + 1, 4)).tolist()
    paths = ["-".join(map(str, path)) for path in codes]
    return [f"{paths[row // 20]}-{row}" for row in range(options.documents)]


def build_trie(options: argparse.Namespace) -> dict[str, float]:
    docids = sequences(options)
    before = resident()
    trie, seconds = timed(lambda: DocidTrie.build(docids, EOS))
    result = {
        "build, s": seconds,
        "arrays, MB": trie.nbytes / 1e6,
        "arrays, bytes a document": trie.nbytes / options.documents,
        "resident after the build, MB over the input": resident() - before,
        "peak of the build, MB over the input": peak() - before,
    }
    trie.save(options.folder / "trie")
    return result


def build_table(options: argparse.Namespace) -> dict[str, float]:
    docids, names = sequences(options), strings(options)
    before = resident()
    table, seconds = timed(lambda: DocidTable.build(names, docids))
    result = {
        "build, s": seconds,
        "arrays and strings, MB": table.nbytes / 1e6,
        "resident after the build, MB over the input": resident() - before,
        "peak of the build, MB over the input": peak() - before,
    }
    table.save(options.folder / "table")
    return result


def load(options: argparse.Namespace) -> dict[str, float]:
    before = resident()
    trie, trie_seconds = timed(lambda: DocidTrie.load(options.folder / "trie"))
    table, table_seconds = timed(lambda: DocidTable.load(options.folder / "table"))
    return {
        "load the trie, every checksum, ms": trie_seconds * 1e3,
        "load the table, every checksum, ms": table_seconds * 1e3,
        "arrays and strings of both, MB": (trie.nbytes + table.nbytes) / 1e6,
        "resident with both, MB": resident() - before,
        **look_ups(trie, table),
    }


def look_ups(trie: DocidTrie, table: DocidTable) -> dict[str, float]:
    rng = np.random.default_rng(2)
    documents = rng.integers(0, table.num_documents, LOOK_UPS)
    names, there = timed(lambda: table.docids(documents))
    _, back = timed(lambda: table.documents_of(names))
    states = trie.advance(trie.successors(np.array([trie.root])).edges)
    successors, step = timed(lambda: trie.successors(states))
    _, move = timed(lambda: trie.advance(successors.edges))
    return {
        "document to string, us each": there / LOOK_UPS * 1e6,
        "string to documents, us each": back / LOOK_UPS * 1e6,
        "successors, us a state": step / len(states) * 1e6,
        "advance, us an edge": move / len(successors.edges) * 1e6,
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "trie": build_trie,
    "table": build_table,
    "load": load,
}

if __name__ == "__main__":
    main()
