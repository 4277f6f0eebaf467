"""Milliseconds that one query takes over all documents: sums of code tables and words, the best 100, by us and numpy.

python benchmarks/docid/simultaneous.py --documents 1000000
python benchmarks/docid/simultaneous.py --documents 1000000 --corpus BOOLQ --tokenizer MODEL

Codes are uniform. How many documents hold each word, and what queries ask for, is that of a corpus's sets of at most
64 words and of its questions; without one, words are Zipf's, and a query asks for eight of them drawn by how common
they are. All sides take turns in one process on one thread, a query a turn; numpy must agree to the last bit. faiss
scans as many bytes of residual and of product codes, and no words, where it is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.simultaneous import SimultaneousScorer, WeightedTokens, best_documents
from docid.words import LEVEL_BITS, SHARES, WordSets, WordStatistics

LEVELS, WIDTH, VOCABULARY, LIMIT, ASKED, BEST, TURNS = 32, 256, 30_000, 64, 8, 100, 15


@dataclass
class Case:
    """Everything that both sides read."""

    scorer: SimultaneousScorer
    tables: npt.NDArray[np.float32]
    queries: list[WeightedTokens]


@dataclass
class Vocabulary:
    """The share of documents that hold each word, and the words of some queries."""

    shares: npt.NDArray[np.float64]
    asked: list[npt.NDArray[Any]]


def zipf(random: np.random.Generator) -> Vocabulary:
    share = 1 / np.arange(1, VOCABULARY + 1)
    # A token of share above 1 would be in every document; a set holds it once.
    share = np.minimum(share * LIMIT / share.sum(), 0.5)
    likely = share / share.sum()
    return Vocabulary(
        share, [random.choice(VOCABULARY, ASKED, replace=False, p=likely) for _ in range(TURNS)]
    )


def of_corpus(corpus: Path, tokenizer_name: str, random: np.random.Generator) -> Vocabulary:
    from genret.corpus import read_queries, read_store
    from genret.tokenizer.load import load_tokenizer
    from genret.words.words import WordOptions, choose_words

    words = choose_words(list(read_store(corpus)), load_tokenizer(tokenizer_name), WordOptions(LIMIT))
    questions = [query.text for query in read_queries(corpus)]
    chosen = [questions[place] for place in random.choice(len(questions), TURNS, replace=False)]
    asked = words.weighted(chosen)
    shares = np.diff(words.sets.offsets) / words.sets.num_documents
    return Vocabulary(shares, np.split(asked.tokens, asked.offsets[1:-1]))


def postings(random: np.random.Generator, documents: int, share: float) -> npt.NDArray[np.uint32]:
    """Each document with probability `share`, ascending: gaps between them are geometric."""
    if not share:
        return np.empty(0, np.uint32)
    mean = documents * share
    gaps = random.geometric(share, int(mean + 8 * mean**0.5 + 16))
    places = np.cumsum(gaps) - 1
    return places[: np.searchsorted(places, documents)].astype(np.uint32)


def make(documents: int, vocabulary: Vocabulary, random: np.random.Generator) -> Case:
    codes = random.integers(0, WIDTH, (LEVELS, documents), np.uint8)
    lists = [postings(random, documents, share) for share in np.minimum(vocabulary.shares, 0.999)]
    counts = np.array(list(map(len, lists)), np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    statistics = WordStatistics(counts, documents, float(LIMIT))
    held = np.concatenate(lists)
    weighed = held << LEVEL_BITS | random.integers(0, len(SHARES), len(held), np.uint32)
    words = WordSets(offsets, weighed, documents, LIMIT, statistics)
    idf = statistics.idf()
    queries = [
        WeightedTokens(np.array([0, len(own)]), own.astype(np.int64), idf[own]) for own in vocabulary.asked
    ]
    tables = random.normal(size=(1, LEVELS, WIDTH)).astype(np.float32)
    return Case(SimultaneousScorer(codes, WIDTH, words), tables, queries)


def ours(case: Case, query: WeightedTokens) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return best_documents(case.scorer.scores(case.tables, query)[0], BEST)


def by_numpy(case: Case, query: WeightedTokens) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    assert case.scorer.codes is not None
    assert case.scorer.words is not None
    scores = np.zeros(case.scorer.num_documents, np.float32)
    for table, codes in zip(case.tables[0], case.scorer.codes, strict=True):
        scores += table[codes]
    words = case.scorer.words
    for token, weight in zip(query.tokens, query.weights, strict=True):
        held = words.postings[words.offsets[token] : words.offsets[token + 1]]
        scores[held >> LEVEL_BITS] += (weight * SHARES)[held & len(SHARES) - 1]
    top = np.argpartition(-scores, BEST)[:BEST]
    order = top[np.lexsort((top, -scores[top]))]
    return order, scores[order]


def timed(run: Callable[[WeightedTokens], object], query: WeightedTokens) -> float:
    begin = time.perf_counter()
    run(query)
    return 1000 * (time.perf_counter() - begin)


def faiss_scans(case: Case) -> dict[str, Callable[[WeightedTokens], object]]:
    """Scans of the same bytes by faiss, one thread, inner product: a table a level, added up."""
    try:
        import faiss  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return {}
    faiss.omp_set_num_threads(1)
    random, dimensions = np.random.default_rng(0), LEVELS * 2
    by_tables = faiss.AdditiveQuantizer.ST_LUT_nonorm
    residual = faiss.IndexResidualQuantizer(dimensions, LEVELS, 8, faiss.METRIC_INNER_PRODUCT, by_tables)
    residual.rq.max_beam_size = 1
    indexes = {
        "faiss, residual codes": residual,
        "faiss, product codes": faiss.IndexPQ(dimensions, LEVELS, 8, faiss.METRIC_INNER_PRODUCT),
    }
    assert case.scorer.codes is not None
    for index in indexes.values():
        index.train(random.normal(size=(WIDTH * 40, dimensions)).astype(np.float32))
        for begin in range(0, case.scorer.num_documents, 1 << 20):
            index.add_sa_codes(np.ascontiguousarray(case.scorer.codes[:, begin : begin + (1 << 20)].T))
    asked = random.normal(size=(1, dimensions)).astype(np.float32)
    return {
        name: lambda query, index=index: index.search(asked, BEST)  # type: ignore[misc]
        for name, index in indexes.items()
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--corpus", type=Path, help="a BEIR folder, whose words and questions are taken")
    parser.add_argument("--tokenizer", help="a folder or hub name; its tokens are the words")
    given = parser.parse_args()
    if (given.corpus is None) != (given.tokenizer is None):
        parser.error("--corpus and --tokenizer go together")
    return given


def main() -> None:
    given, random = arguments(), np.random.default_rng(0)
    vocabulary = of_corpus(given.corpus, given.tokenizer, random) if given.corpus else zipf(random)
    case = make(given.documents, vocabulary, random)
    words = case.scorer.words
    assert words is not None
    asked = [sum(int(words.offsets[t + 1] - words.offsets[t]) for t in own.tokens) for own in case.queries]
    print(
        f"{given.documents:,} documents, {len(words.postings) / given.documents:.1f} words each; a query asks for "
        f"{np.mean([len(own.tokens) for own in case.queries]):.1f} words, which {np.mean(asked) / given.documents:.2f} "
        "sets a document hold"
    )
    sides: dict[str, Callable[[WeightedTokens], object]] = {
        "ours": lambda query: ours(case, query),
        "numpy": lambda query: by_numpy(case, query),
        **faiss_scans(case),
    }
    for found, expected in zip(ours(case, case.queries[0]), by_numpy(case, case.queries[0]), strict=True):
        assert np.array_equal(found, expected)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for query in case.queries:
        for name, run in sides.items():
            times[name].append(timed(run, query))
    for name, own in times.items():
        print(f"{name:24} median {median(own):8.1f} ms  least {min(own):8.1f} ms")
    held = (words.postings.nbytes + words.offsets.nbytes) / given.documents
    print(f"memory a document: {LEVELS} bytes of codes, {held:.0f} of words")


if __name__ == "__main__":
    main()
