"""What the words of n-gram retrieval find by themselves, before any model: whole words, beginnings, both; beside BM25.

    python -m benchmarks.ngrams.words BOOLQ_FOLDER [--ids configs/ngrams_boolq_dev500.txt]
    python -m benchmarks.ngrams.words LIMIT_FOLDER --split test --train "" --metrics recall@2

With labelled questions of the split `--train` words are weighed by relevance too, and the weights of both readings are
learned from the questions of 640 passages that are held back, and from two thirds of these for each of three seeds.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from docid.simultaneous import best_documents
from genret.corpus import Judgements, PassageStore, Query, Run, read_judgements, read_queries, read_store
from genret.evaluation import bm25_run, evaluate, result_table
from genret.evaluation.baselines import BM25_TUNED
from genret.jobs.cache_folder import default_cache
from genret.models.smollm2 import smollm2_folder
from genret.recipes.evidence_weights import CANDIDATES, Candidates, fitted_weights
from genret.retrieval.ngrams.lexicon import READINGS, Lexicon
from genret.tokenizer.load import load_tokenizer
from genret.words import WordOptions

HELD, SEED, SEEDS = 640, 22, (1, 2, 3)
BATCH = 64


class Task:
    """A corpus, its questions, and who answers which."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.passages = folder, read_store(str(folder))
        self.texts = {query.query_id: query.text for query in read_queries(folder)}

    def rows(self, judged: Judgements, ids: Sequence[str]) -> list[list[int]]:
        return [[self.passages.row(one) for one, grade in judged[name].items() if grade > 0] for name in ids]

    def scores(self, lexicon: Lexicon, ids: Sequence[str]) -> np.ndarray:
        """What each reading gives to all passages, float32 [questions, passages, readings]."""
        words = lexicon.written([[(self.texts[name], 1.0)] for name in ids])
        return np.stack([lexicon.scores(reading, words[reading]) for reading in READINGS], -1)

    def run(self, lexicon: Lexicon, ids: Sequence[str], weights: Sequence[float]) -> Run:
        found: Run = {}
        for begin in range(0, len(ids), BATCH):
            part = ids[begin : begin + BATCH]
            sums = self.scores(lexicon, part) @ np.array(weights, np.float32)
            for name, own in zip(part, sums, strict=True):
                best = zip(*best_documents(np.ascontiguousarray(own), 10), strict=True)
                found[name] = [
                    (self.passages.passage_ids[row], float(score)) for row, score in best if score > 0
                ]
        return found

    def learned(self, lexicon: Lexicon, judged: Judgements, ids: Sequence[str]) -> list[float]:
        """The weights of the readings."""
        candidates = []
        for begin in range(0, len(ids), BATCH):
            part = ids[begin : begin + BATCH]
            for own, right in zip(self.scores(lexicon, part), self.rows(judged, part), strict=True):
                best = best_documents(np.ascontiguousarray(own.sum(1)), CANDIDATES)[0]
                candidates.append(Candidates(own[best].astype(np.float64), np.isin(best, right)))
        return [float(weight) for weight in fitted_weights(candidates)]


def split_by_passage(judged: Judgements) -> tuple[list[str], list[str]]:
    """Questions to count, and those of `HELD` passages."""
    named = sorted({passage for grades in judged.values() for passage in grades})
    order = np.random.default_rng(SEED).permutation(len(named))[:HELD]
    held = {named[place] for place in order.tolist()}
    parts: tuple[list[str], list[str]] = ([], [])
    for name, grades in judged.items():
        parts[not held.isdisjoint(grades)].append(name)
    return parts


def runs(task: Task, train: str, ids: Sequence[str]) -> dict[str, Run]:
    """Each way's run."""
    asked = [Query(name, task.texts[name]) for name in ids]
    found = {"BM25": bm25_run(task.passages, asked, 10)}
    found["BM25, tuned"] = bm25_run(task.passages, asked, 10, BM25_TUNED)
    started = time.process_time()
    plain = made(task.passages)
    print(f"{time.process_time() - started:.1f} s to count the words", flush=True)
    ways = {"idf": plain}
    judged = read_judgements(task.folder, train) if train else {}
    counted, held = split_by_passage(judged)
    if counted:
        ways["relevance"] = plain.learned([task.texts[name] for name in counted], task.rows(judged, counted))
    for way, lexicon in ways.items():
        found[f"whole words, by {way}"] = task.run(lexicon, ids, (1, 0))
        found[f"beginnings, by {way}"] = task.run(lexicon, ids, (0, 1))
        weights = task.learned(lexicon, judged, held) if held else [1.0, 1.0]
        found[f"both, by {way}"] = task.run(lexicon, ids, weights)
    for seed in SEEDS if held else ():
        some = random.Random(seed).sample(held, len(held) * 2 // 3)
        weights = task.learned(ways["relevance"], judged, some)
        found[f"both, by relevance, seed {seed}"] = task.run(ways["relevance"], ids, weights)
    return found


def made(passages: PassageStore) -> Lexicon:
    tokenizer = load_tokenizer(smollm2_folder(default_cache("models")))
    return Lexicon.of(passages, tokenizer, WordOptions(limit=256))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--train", default="train")
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--metrics", nargs="+", default=["hit@1", "hit@10", "MRR@10"])
    given = parser.parse_args()
    task, judged = Task(given.folder), read_judgements(given.folder, given.split)
    ids = given.ids.read_text().split() if given.ids else list(judged)
    chosen = {name: judged[name] for name in ids}
    rows = {name: evaluate(run, chosen, given.metrics) for name, run in runs(task, given.train, ids).items()}
    print(result_table(rows).markdown())


if __name__ == "__main__":
    main()
