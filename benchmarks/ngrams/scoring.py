"""Times the n-gram scorer beside a straightforward Python implementation of the same formula; prints JSON.

The Python one asks the same index for rows, passages and tokens, and does the rest in dictionaries, as published
code does. Keys of 1 to 10 tokens are sampled from the corpus, half of them from one passage and half from passages
drawn at random, their log-probabilities falling with their length. "hypotheses" are what a beam search emits that
keeps every length: a span and all its prefixes. "spans" do not continue one another, which is harder.

Usage: scoring.py TOKENS.npy OFFSETS.npy [KEYS]   (int32 tokens and int64 offsets of a real corpus)
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict

import numpy as np

from fm_index import FMIndex
from fm_index.scoring import Keys, ScoredPassages, ScoringOptions, key_weights, score_passages

QUERIES, IN_PYTHON, LONGEST = 100, 10, 10


def sample_keys(
    tokens: np.ndarray, offsets: np.ndarray, size: int, prefixes: bool, random: np.random.Generator
) -> Keys:
    """One query's keys, each n-gram once; with all their prefixes, or without."""
    lengths = np.diff(offsets)
    long_enough = np.flatnonzero(lengths > LONGEST)
    subject = random.choice(long_enough)
    ngrams: dict[tuple[int, ...], float] = {}
    while len(ngrams) < size:
        passage = subject if random.random() < 0.5 else random.choice(long_enough)
        longest = LONGEST if prefixes else int(random.integers(1, LONGEST + 1))
        start = int(offsets[passage] + random.integers(0, lengths[passage] - longest + 1))
        span, log_probs = tokens[start : start + longest].tolist(), -0.7 * random.exponential(size=longest)
        for length in range(1 if prefixes else longest, longest + 1):
            ngrams.setdefault(tuple(span[:length]), float(log_probs[:length].sum()))
    return Keys.from_ngrams(list(ngrams)[:size], list(ngrams.values())[:size])


class PythonScorer:
    """The formula of fm_index.scoring, over lists, sets and dictionaries."""

    def __init__(self, index: FMIndex, options: ScoringOptions) -> None:
        self.index, self.options = index, options

    def rank(self, keys: Keys, num_return: int) -> list[tuple[int, float]]:
        """(passage, score), best first."""
        known = key_weights(self.index, [keys], self.options)[0]
        weights = {tuple(keys.ngram(k)): known.weights[k] for k in range(len(keys)) if known.weights[k] > 0}
        sums: dict[int, float] = defaultdict(float)
        for ngram, weight in weights.items():
            lo, hi = self.index.range(ngram)
            if hi - lo <= self.options.max_occurrences:
                for passage in set(self.index.documents_of(np.arange(lo, hi)).tolist()):
                    sums[passage] += weight
        nominated = sorted(sums, key=lambda d: (-sums[d], d))[: self.options.max_candidates]
        scores = [(d, self.score(self.index.extract(d).tolist(), weights)) for d in nominated]
        return sorted(scores, key=lambda pair: (-pair[1], pair[0]))[:num_return]

    def score(self, tokens: list[int], weights: dict[tuple[int, ...], float]) -> float:
        """One passage's score."""
        places: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for start in range(len(tokens)):
            for length in range(1, min(LONGEST, len(tokens) - start) + 1):
                ngram = tuple(tokens[start : start + length])
                if ngram in weights:
                    places[ngram].append(start)
        covered, counted, total = [False] * len(tokens), set[int](), 0.0
        for ngram in sorted(places, key=lambda ngram: -weights[ngram]):
            for start in places[ngram]:
                if not any(covered[start : start + len(ngram)]):
                    covered[start : start + len(ngram)] = [True] * len(ngram)
                    own = set(ngram)
                    beta = self.options.beta
                    total += weights[ngram] * (1 - beta + beta * len(own - counted) / len(own))
                    counted |= own
                    break
        return total


def check_equal(found: ScoredPassages, expected: list[tuple[int, float]]) -> None:
    """Raise SystemExit unless both ranked the same passages with the same scores."""
    scores = [score for _, score in expected]
    if not np.allclose(found.scores, scores, rtol=1e-9) or len(scores) != len(found.scores):
        raise SystemExit("The two implementations disagree.")


def measure(index: FMIndex, queries: list[Keys], options: ScoringOptions) -> dict[str, float]:
    """Times of both on the same queries, and how much was located."""
    times, found = [], []
    for keys in queries:
        start = time.perf_counter()
        found += score_passages(index, [keys], options)
        times.append(time.perf_counter() - start)
    python, python_times = PythonScorer(index, options), []
    for keys, result in zip(queries[:IN_PYTHON], found, strict=False):
        start = time.perf_counter()
        expected = python.rank(keys, 100)
        python_times.append(time.perf_counter() - start)
        check_equal(result, expected)
    rare = [
        int(known.occurrences[(known.weights > 0) & (known.occurrences <= options.max_occurrences)].sum())
        for known in key_weights(index, queries, options)
    ]
    return {
        "ms_a_query_median": float(np.median(times)) * 1e3,
        "ms_a_query_p99": float(np.quantile(times, 0.99)) * 1e3,
        "occurrences_of_rare_keys_median": float(np.median(rare)),
        "rows_located_median": float(np.median([result.located for result in found])),
        "python_ms_a_query_median": float(np.median(python_times)) * 1e3,
        "ratio_on_the_same_queries": sum(python_times) / sum(times[:IN_PYTHON]),
    }


def main(tokens_path: str, offsets_path: str, size: str = "300") -> None:
    tokens, offsets = np.load(tokens_path), np.load(offsets_path)
    index, report = FMIndex.build(tokens, offsets), {}
    for name in ("hypotheses", "spans"):
        random = np.random.default_rng(11)
        queries = [
            sample_keys(tokens, offsets, int(size), name == "hypotheses", random) for _ in range(QUERIES)
        ]
        report[name] = measure(index, queries, ScoringOptions())
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
