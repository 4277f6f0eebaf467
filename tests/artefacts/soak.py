"""Loads damaged artefacts of every kind, half of them with all checksums made anew, and counts what comes of it.

    python tests/artefacts/soak.py [LOADS] [SEED] [KIND ...]

Each load runs in a child process that is ended when it hangs. A load is *refused* (a sentence: InputError or
ArtefactError), *right* (the undamaged answer), *changed* (another answer), or it fails: a *traceback*, a *crash*, a
*hang*. Prints the counts by kind, and every change and failure by what was done.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import sample_kinds
from damage import Snapshot, blind, meant, snapshot, write
from samples import KINDS

from genret.errors import ArtefactError, InputError

SECONDS = 20.0


class Outcome(NamedTuple):
    """What a load came to."""

    kind: str
    sums: str
    what: str
    result: str
    detail: str


class Case(NamedTuple):
    """A load to make."""

    kind: str
    seed: int
    anew: bool


def cases(loads: int, seed: int, names: list[str]) -> list[Case]:
    """Kinds in turn, sums made anew in every second round."""
    return [Case(names[n % len(names)], seed * 1_000_003 + n, n // len(names) % 2 == 1) for n in range(loads)]


class Bench:
    """Undamaged artefacts of every kind, two builds of each, and the right answers."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder = folder
        self.good: dict[str, Snapshot] = {}
        self.other: dict[str, Snapshot] = {}
        self.answers: dict[str, str] = {}
        for build, found in (("good", self.good), ("other", self.other)):
            (folder / build).mkdir()
            for name in names:
                sample_kinds.variant = build
                KINDS[name].make(folder / build / name)
                found[name] = snapshot(folder / build / name)
        sample_kinds.variant = "good"
        for name in names:
            self.answers[name] = self.answer(name, self.good[name])

    def answer(self, name: str, files: Snapshot) -> str:
        """What is read from a snapshot, as text."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            write(files, place / name)
            return json.dumps(KINDS[name].answer(place / name))
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def run(self, case: Case) -> Outcome:
        """Damage and load."""
        rng = random.Random(case.seed)
        good, other = self.good[case.kind], self.other[case.kind]
        if case.anew:
            scratch = Path(tempfile.mkdtemp(dir=self.folder))
            files, what = meant(good, other, rng, scratch)
            shutil.rmtree(scratch)
        else:
            files, what = blind(good, other, rng)
        result, detail = self.load(case.kind, files)
        return Outcome(case.kind, "anew" if case.anew else "kept", what, result, detail)

    def load(self, name: str, files: Snapshot) -> tuple[str, str]:
        try:
            found = self.answer(name, files)
        except (ArtefactError, InputError) as error:
            return "refused", str(error)[:200]
        except TimeoutError:
            return "hang", "".join(traceback.format_exc().splitlines(keepends=True)[-9:])
        except BaseException:  # noqa: BLE001  # what is counted here
            return "traceback", traceback.format_exc()[-900:]
        return ("right" if found == self.answers[name] else "changed"), ""


def _on_alarm(number: int, frame: object) -> None:
    raise TimeoutError


def _work(bench: Bench, mine: list[Case], pipe: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, _on_alarm)
    for case in mine:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        outcome = bench.run(case)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pipe.send(outcome)


def outcomes(bench: Bench, wanted: list[Case]) -> Iterator[Outcome]:
    """The outcome of each case; a child that dies or hangs is one too, and another goes on behind it."""
    context = multiprocessing.get_context("fork")
    done = 0
    while done < len(wanted):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(bench, wanted[done:], there))
        child.start()
        there.close()
        try:
            while done < len(wanted) and here.poll(3 * SECONDS):
                yield here.recv()
                done += 1
        except EOFError:
            pass
        if done < len(wanted):
            alive = child.is_alive()
            child.kill()
            child.join()
            case = wanted[done]
            sums, result = "anew" if case.anew else "kept", "hang" if alive else "crash"
            yield Outcome(case.kind, sums, f"seed {case.seed}", result, "")
            done += 1
        child.join()


def main(loads: int, seed: int, names: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), names)
        counts: Counter[tuple[str, str, str]] = Counter()
        changed: Counter[tuple[str, str, str]] = Counter()
        failed = 0
        for outcome in outcomes(bench, cases(loads, seed, names)):
            counts[outcome.kind, outcome.sums, outcome.result] += 1
            if outcome.result == "changed":
                changed[outcome.kind, outcome.sums, outcome.what] += 1
            if outcome.result in ("traceback", "crash", "hang"):
                failed += 1
                sys.stdout.write(
                    f"{outcome.result}: {outcome.kind} ({outcome.sums}): {outcome.what}\n{outcome.detail}\n"
                )
    for kind in names:
        line = {
            f"{sums} {result}": counts[kind, sums, result]
            for sums in ("kept", "anew")
            for result in ("refused", "right", "changed", "traceback", "crash", "hang")
        }
        sys.stdout.write(
            f"{kind}: " + ", ".join(f"{key} {value}" for key, value in line.items() if value) + "\n"
        )
    for (kind, sums, what), count in sorted(changed.items()):
        sys.stdout.write(f"changed: {kind} ({sums}): {what}: {count}\n")
    total = Counter(result for (_, _, result), count in counts.items() for _ in range(count))
    sys.stdout.write(f"{loads} loads: {dict(total)}\n")
    return failed


if __name__ == "__main__":
    given = sys.argv[1:]
    kinds = given[2:] or list(KINDS)
    sys.exit(main(int(given[0]) if given else 10_000, int(given[1]) if len(given) > 1 else 0, kinds) > 0)
