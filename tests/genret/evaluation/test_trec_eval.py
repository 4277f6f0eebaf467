"""Values of TREC's files equal those of trec_eval's own code and of a slow reading of its rules, ties and all."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import pytrec_eval
from floats import assert_close

from genret.corpus import read_judgements, read_run
from genret.evaluation import evaluate

# Ours, and trec_eval's names for the same.
NAMES = {
    "hit@1": "success_1",
    "hit@5": "success_5",
    "recall@5": "recall_5",
    "recall@100": "recall_100",
    "nDCG@3": "ndcg_cut_3",
    "nDCG@10": "ndcg_cut_10",
    "MRR@1000": "recip_rank",
}
HITS = 30
# Sums of at most HITS positive terms, each wrong by a few units in the last place, and one quotient of two.
BOUND = 4 * HITS * 2.0**-53

Files = tuple[list[str], list[str]]


def random_files(seed: int) -> Files:
    """Lines of a run and of judgements: tied scores, negative grades, and queries that one of them lacks."""
    rng = random.Random(seed)
    passages = [f"{letter}{number}" for letter in "aAé" for number in range(20)]
    run, judged = [], []
    for query in range(12):
        if query == 0 or rng.random() < 0.8:
            hits = rng.sample(passages, rng.randint(1, HITS))
            # Multiples of 1/4 are the same in 32 bits, which is what pytrec_eval keeps.
            run += [f"{query} Q0 {one} {rng.randint(0, 99)} {rng.randint(-8, 8) / 4:e} t" for one in hits]
        if query == 0 or rng.random() < 0.9:
            grades = rng.choice([(-2, -1), (0,), (0, 1), (-1, 0, 1, 2, 7)])
            judged += [
                f"{query} 0 {one} {rng.choice(grades)}" for one in rng.sample(passages, rng.randint(1, 25))
            ]
    rng.shuffle(run)
    return run, judged


def slow_values(run: list[str], judged: list[str]) -> dict[str, dict[str, float]]:
    """trec_eval's rules, read aloud: query -> our name -> value, for every judged query."""
    values = {}
    for query in dict.fromkeys(line.split()[0] for line in judged):
        grades = {
            line.split()[2]: max(0, int(line.split()[3])) for line in judged if line.split()[0] == query
        }
        hits = [(float(line.split()[4]), line.split()[2]) for line in run if line.split()[0] == query]
        gains = [grades.get(passage, 0) for _, passage in sorted(hits, reverse=True)]
        ideal = sorted(grades.values(), reverse=True)
        values[query] = {name: _slow_value(name, gains, ideal) for name in NAMES}
    return values


def _slow_value(name: str, gains: list[int], ideal: list[int]) -> float:
    kind, cut = name.split("@")
    top, best = gains[: int(cut)], ideal[: int(cut)]
    relevant = sum(grade > 0 for grade in ideal)
    if kind == "hit":
        return float(any(top))
    if kind == "recall":
        return sum(gain > 0 for gain in top) / relevant if relevant else 0.0
    if kind == "MRR":
        return next((1 / rank for rank, gain in enumerate(top, 1) if gain), 0.0)
    found, possible = (
        sum(gain / math.log2(rank + 1) for rank, gain in enumerate(row, 1)) for row in (top, best)
    )
    return found / possible if possible else 0.0


def pytrec_eval_values(run: list[str], judged: list[str]) -> dict[str, dict[str, float]]:
    """The library itself, fed from the lines; queries without a grade above -1 would end the process."""
    qrels: dict[str, dict[str, int]] = {}
    for query, _, passage, grade in map(str.split, judged):
        qrels.setdefault(query, {})[passage] = int(grade)
    results: dict[str, dict[str, float]] = {}
    for query, _, passage, _, score, _ in map(str.split, run):
        results.setdefault(query, {})[passage] = float(score)
    safe = {query: grades for query, grades in qrels.items() if max(grades.values()) >= 0}
    found = pytrec_eval.RelevanceEvaluator(safe, set(NAMES.values())).evaluate(results)
    zero = dict.fromkeys(NAMES.values(), 0.0)
    return {
        query: {ours: found.get(query, zero)[theirs] for ours, theirs in NAMES.items()} for query in qrels
    }


@pytest.mark.parametrize("seed", range(60))
def test_values_equal_trec_evals(seed: int, tmp_path: Path) -> None:
    run, judged = random_files(seed)
    (tmp_path / "run").write_text("\n".join(run))
    (tmp_path / "qrels").write_text("\n".join(judged))
    found = evaluate(
        read_run(tmp_path / "run"), read_judgements(tmp_path / "qrels"), tuple(NAMES)
    ).per_query()
    for expected in (slow_values(run, judged), pytrec_eval_values(run, judged)):
        assert found.keys() == expected.keys()
        for query, values in expected.items():
            assert_close(
                [found[query][name] for name in NAMES], [values[name] for name in NAMES], relative=BOUND
            )


@pytest.mark.parametrize(
    ("run", "judged", "expected"),
    [
        (
            "q1 Q0 d1 1 1.0 x\nq1 Q0 d2 2 1.0 x\nq1 Q0 d3 3 1.0 x\nq2 Q0 d9 1 2.5e-3 x\nq2 Q0 d2 2 2.5E-3 x\n",
            "q1 0 d1 0\nq1 0 d3 1\nq2 0 d2 1\nq2 0 d9 0\n",
            {"MRR@10": 0.75, "hit@1": 0.5, "nDCG@10": 0.8155},
        ),
        ("1 0 b 1 1.0 r\n1 0 a 2 1.0 r\n", "1 Q0 a 0\n1 Q0 b 1\n1 Q0 c 0\n", {"nDCG@10": 1.0}),
        ("1 0 b 1 1.0 r\n1 0 c 2 1.0 r\n", "1 Q0 a 0\n1 Q0 b 1\n1 Q0 c 0\n", {"nDCG@10": 0.6309}),
    ],
)
def test_what_trec_eval_itself_printed(
    run: str, judged: str, expected: dict[str, float], tmp_path: Path
) -> None:
    """Its versions 9.0.8 and 10.0, with -c; four digits are what it prints."""
    (tmp_path / "run").write_text(run)
    (tmp_path / "qrels").write_text(judged)
    found = evaluate(read_run(tmp_path / "run"), read_judgements(tmp_path / "qrels"), tuple(expected))
    assert {name: round(found.mean(name), 4) for name in expected} == expected
