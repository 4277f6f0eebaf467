"""Milliseconds that one query takes over all documents: sums of code tables and words, the best 100, by us and numpy.

python benchmarks/docid/simultaneous.py --documents 1000000

Codes are uniform; words are Zipf's, a set of at most 64 for each document, and a query asks for eight of them drawn
by how common they are. Both sides take turns in one process on one thread, and must agree to the last bit; faiss
scans the same residual codes where it is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.simultaneous import SimultaneousScorer, WeightedTokens, best_documents
from docid.words import WordSets, WordStatistics

LEVELS, WIDTH, VOCABULARY, LIMIT, ASKED, BEST, TURNS = 32, 256, 30_000, 64, 8, 100, 7


@dataclass
class Case:
    """Everything that both sides read."""

    scorer: SimultaneousScorer
    tables: npt.NDArray[np.float32]
    query: WeightedTokens


def make(documents: int, seed: int = 0) -> Case:
    random = np.random.default_rng(seed)
    codes = random.integers(0, WIDTH, (LEVELS, documents), np.uint8)
    share = 1 / np.arange(1, VOCABULARY + 1)
    share *= LIMIT / share.sum()
    # A token of share above 1 would be in every document; a set holds it once.
    held = np.minimum(share, 0.5)
    counts = random.binomial(documents, held)
    postings = [np.sort(random.choice(documents, count, replace=False)).astype(np.uint32) for count in counts]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    statistics = WordStatistics(counts.astype(np.int64), documents, float(LIMIT))
    words = WordSets(offsets, np.concatenate(postings), documents, LIMIT, statistics)
    tokens = random.choice(VOCABULARY, ASKED, replace=False, p=held / held.sum())
    query = WeightedTokens(np.array([0, ASKED]), tokens, statistics.idf()[tokens])
    tables = random.normal(size=(1, LEVELS, WIDTH)).astype(np.float32)
    return Case(SimultaneousScorer(codes, WIDTH, words), tables, query)


def ours(case: Case) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return best_documents(case.scorer.scores(case.tables, case.query)[0], BEST)


def by_numpy(case: Case) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    assert case.scorer.codes is not None
    assert case.scorer.words is not None
    scores = np.zeros(case.scorer.num_documents, np.float32)
    for table, codes in zip(case.tables[0], case.scorer.codes, strict=True):
        scores += table[codes]
    words = case.scorer.words
    for token, weight in zip(case.query.tokens, case.query.weights, strict=True):
        scores[words.documents[words.offsets[token] : words.offsets[token + 1]]] += weight
    top = np.argpartition(-scores, BEST)[:BEST]
    order = top[np.lexsort((top, -scores[top]))]
    return order, scores[order]


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begin)


def faiss_scan(case: Case) -> Callable[[], object] | None:
    """A scan of as many bytes by faiss: additive codes of 32 bytes, one thread, inner product."""
    try:
        import faiss  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index = faiss.IndexPQ(LEVELS * 4, LEVELS, 8, faiss.METRIC_INNER_PRODUCT)
    index.train(np.random.default_rng(0).normal(size=(WIDTH * 40, LEVELS * 4)).astype(np.float32))
    assert case.scorer.codes is not None
    # Product codes are scanned exactly as residual ones are: a table a level, added up.
    for begin in range(0, case.scorer.num_documents, 1 << 20):
        index.add_sa_codes(np.ascontiguousarray(case.scorer.codes[:, begin : begin + (1 << 20)].T))
    asked = np.random.default_rng(1).normal(size=(1, LEVELS * 4)).astype(np.float32)
    return lambda: index.search(asked, BEST)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    case = make(parser.parse_args().documents)
    sides: dict[str, Callable[[], object]] = {"ours": lambda: ours(case), "numpy": lambda: by_numpy(case)}
    scan = faiss_scan(case)
    if scan is not None:
        sides["faiss (codes only)"] = scan
    for found, expected in zip(ours(case), by_numpy(case), strict=True):
        assert np.array_equal(found, expected)
    times = {name: [timed(run) for _ in range(1)] for name, run in sides.items()}
    for _ in range(TURNS):
        for name, run in sides.items():
            times[name].append(timed(run))
    words = case.scorer.words
    assert words is not None
    print(
        f"{case.scorer.num_documents:,} documents, {len(words.documents) / words.num_documents:.1f} words each"
    )
    for name, found_times in times.items():
        print(f"{name:20} median {median(found_times[1:]):8.1f} ms  least {min(found_times[1:]):8.1f} ms")
    held = (words.documents.nbytes + words.offsets.nbytes) / words.num_documents
    print(f"memory a document: {LEVELS} bytes of codes, {held:.0f} of words")


if __name__ == "__main__":
    main()
