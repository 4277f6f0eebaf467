"""Measure constrained decoding beside what it claims to beat: `python -m benchmarks.decoding.run --help`.

Every ratio comes from one process in which the contenders take turns; times are the best of the rounds, as
other work on the machine only ever adds to them. One thread: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.decoding import contenders
from benchmarks.decoding.contenders import Ranked, TimedConstraint, generate, ours, stopwatch
from benchmarks.decoding.workload import EOS, VOCAB_SIZE, sources, t5, trie_of, zipf_docids
from genret.constraint import NoConstraint, TrieConstraint
from genret.decoding.others.hf import ConstrainedLogitsProcessor

Contender = Callable[[], Ranked]


class Bench:
    """The model, the docids and what is made of them, each built when it is first needed."""

    def __init__(self, docids: int, queries: int, size: str, dtype: torch.dtype, device: str) -> None:
        self.docids = zipf_docids(docids)
        self.queries = queries
        self.device = device
        self.constraint = TrieConstraint(trie_of(self.docids), device)
        self.free = NoConstraint(VOCAB_SIZE, EOS, device)
        self.backbone = t5(size, dtype=dtype, device=device)
        # A copy with the same weights that runs as transformers ships it.
        self.plain = t5(size, dtype=dtype, device=device).model
        self.plain.set_attn_implementation("sdpa")
        self._function: Any = None

    @property
    def prefix_function(self) -> Any:
        if self._function is None:
            self._function = contenders.dict_prefix_function(contenders.dict_trie(self.docids))
        return self._function

    def search(self, num_beams: int, length: int = 32, **options: Any) -> Contender:
        constraint = options.pop("constraint", self.constraint)
        queries = sources(options.pop("queries", self.queries), length, device=self.device)
        return lambda: ours(self.backbone, queries, constraint, num_beams, **options)

    def generate(self, num_beams: int, length: int = 32, **options: Any) -> Contender:
        queries = sources(self.queries, length, device=self.device)
        return lambda: generate(self.plain, queries, num_beams, **options)


def race(contenders_: dict[str, Contender], rounds: int) -> dict[str, Any]:
    """Best time in milliseconds of each contender, taking turns, and their last results."""
    times: dict[str, list[float]] = {name: [] for name in contenders_}
    results = {name: run() for name, run in contenders_.items()}
    for _ in range(rounds):
        for name, run in contenders_.items():
            with stopwatch(times[name]):
                results[name] = run()
    return {"ms": {name: min(values) * 1e3 for name, values in times.items()}, "results": results}


def against(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """One row of the table: ours against Hugging Face's loop."""
    function = {"prefix_allowed_tokens_fn": bench.prefix_function} if case != "long-unconstrained" else {}
    pairs: dict[str, tuple[Contender, Contender]] = {
        "full-10": (bench.search(10), bench.generate(10, **function)),
        "full-40": (bench.search(40), bench.generate(40, **function)),
        "long-unconstrained": (bench.search(40, 128), bench.generate(40, 128)),
        "renormalised-40": (
            bench.search(40, score="renormalised"),
            bench.generate(40, renormalize_logits=True, **function),
        ),
    }
    mine, theirs = pairs[case]
    raced = race({"ours": mine, "theirs": theirs}, rounds)
    row = {"case": case, **raced["ms"], "ratio": raced["ms"]["theirs"] / raced["ms"]["ours"]}
    if case != "long-unconstrained":
        row["check"] = contenders.same(raced["results"]["ours"], raced["results"]["theirs"])
    return row


def processor(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """The logits processor against the prefix function, both in Hugging Face's loop."""
    num_beams = int(case.split("-")[1])
    mine = ConstrainedLogitsProcessor(bench.constraint, EOS, prompt_length=1)
    raced = race(
        {
            "ours": bench.generate(num_beams, logits_processor=[mine]),
            "theirs": bench.generate(num_beams, prefix_allowed_tokens_fn=bench.prefix_function),
        },
        rounds,
    )
    check = contenders.same(raced["results"]["ours"], raced["results"]["theirs"])
    return {"case": case, **raced["ms"], "ratio": raced["ms"]["theirs"] / raced["ms"]["ours"], "check": check}


def own(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """Our constrained search against our own without a constraint, to sequences of the same length."""
    num_beams = int(case.split("-")[1])
    free = bench.search(num_beams, constraint=bench.free, min_length=contenders.LENGTH)
    raced = race({"ours": bench.search(num_beams), "theirs": free}, rounds)
    return {"case": case, **raced["ms"], "share": raced["ms"]["ours"] / raced["ms"]["theirs"]}


def trie_share(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """The part of a search that is spent in the trie."""
    num_beams = int(case.split("-")[1])
    timed = TimedConstraint(bench.constraint)
    run = bench.search(num_beams, constraint=timed)
    run()
    rows = []
    for _ in range(rounds):
        timed.seconds, whole = 0.0, []
        with stopwatch(whole):
            run()
        rows.append((whole[0], timed.seconds))
    whole_s, trie_s = min(rows)
    best = min(seconds for _, seconds in rows)
    return {
        "case": case,
        "docids": len(bench.docids),
        "ms": whole_s * 1e3,
        "trie_ms": best * 1e3,
        "share": trie_s / whole_s,
    }


def trie_step(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """Microseconds of all that a step asks of the trie, for every beam of every query, after 1, 2 and 3 tokens."""
    rows, constraint = int(case.split("-")[1]) * bench.queries, bench.constraint
    state, found = constraint.start(1), []
    for _ in range(3):
        successors = constraint.successors(state)
        picks = torch.linspace(0, len(successors.tokens) - 1, rows, device=bench.device).long()
        state = constraint.advance(successors, picks)
        size = int(constraint.counts(state).sum())
        times: list[float] = []
        for _ in range(rounds * 50):
            with stopwatch(times):
                constraint.counts(state)
                listed = constraint.successors(state, size)
                moved = constraint.advance(listed, torch.arange(min(rows, size), device=bench.device))
                constraint.remaining(moved)
        found.append(min(times) * 1e6)
    return {
        "case": case,
        "docids": len(bench.docids),
        "rows": rows,
        "us_after_1_2_3_tokens": [round(us, 1) for us in found],
    }


def latency(bench: Bench, case: str, rounds: int) -> dict[str, Any]:
    """Queries per second of batches, and the spread of single queries."""
    num_beams, batch = (int(part) for part in case.split("-")[1:])
    run = bench.search(num_beams, queries=batch)
    run()
    times: list[float] = []
    for _ in range(rounds):
        with stopwatch(times):
            run()
    ordered = sorted(times)
    return {
        "case": case,
        "queries_per_second": batch / min(times),
        "median_ms": statistics.median(times) * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
    }


KINDS: dict[str, Callable[[Bench, str, int], dict[str, Any]]] = {
    "full": against,
    "long": against,
    "renormalised": against,
    "processor": processor,
    "own": own,
    "trie": trie_share,
    "latency": latency,
    "step": trie_step,
}
CASES = [
    "full-10",
    "full-40",
    "long-unconstrained",
    "renormalised-40",
    "own-10",
    "own-40",
    "trie-10",
    "trie-40",
]
CASES += ["processor-10", "processor-40", "step-40", "latency-10-1", "latency-10-8", "latency-10-64"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="*", default=CASES, help=f"any of {', '.join(CASES)}; all when none is given"
    )
    parser.add_argument("--docids", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", choices=["small", "base"], default="small")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--output", type=Path, help="append one JSON line a case")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    dtype = getattr(torch, options.dtype)
    bench = Bench(options.docids, options.queries, options.size, dtype, options.device)
    for case in options.cases:
        rounds = options.rounds * 20 if case.endswith("-1") else options.rounds
        row = KINDS[case.split("-")[0]](bench, case, rounds)
        line = json.dumps(
            {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        )
        print(line, flush=True)
        if options.output:
            with options.output.open("a") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
