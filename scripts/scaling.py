"""What each stage of scripts/million.py needs as the corpus grows: constants from small runs, predictions for large ones.

    python scripts/scaling.py CORPUS --output runs/scaling --check runs/million --figure scaling.svg

runs scripts/million.py on the first so many sentences of CORPUS, in OUTPUT/SIZE (finished stages are left out), and
draws a line through each stage's processor time, peak memory and bytes on disk. `--check` compares the lines with
a run of another size.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from million import read_stages

from docid.figure_file import figure_file

# What a stage's needs grow with.
UNITS = {
    "split": "tokens",
    "tokenizer": "tokens",
    "docids": "passages",
    "trie": "passages",
    "tokenise": "tokens",
    "index": "tokens",
    "prepare": "passages",
    "train": "passages",
    "search": "passages",
}
# Fewer than scripts/million.py's own: a step's memory is that of the first ones, and its time does not grow.
TRAINING_STEPS = 100
TIME, MEMORY, DISK = "cpu_seconds", "peak_bytes", "bytes"
GIB, GB = 2**30, 1e9
HOUR = 3600
TARGETS = (1_000_000, 8_800_000, 21_000_000, 36_000_000)

# A run's finished stages, as `read_stages` gives them.
Stages = dict[str, dict[str, float]]


class Line(NamedTuple):
    """A need: what it is at any size, and what each unit adds."""

    fixed: float
    rate: float

    def at(self, amount: float) -> float:
        return self.fixed + self.rate * amount


class Needs:
    """The lines through runs of several sizes."""

    def __init__(self, runs: Sequence[Stages]) -> None:
        self.runs = runs

    def line(self, stage: str, measure: str) -> Line:
        """Not a number where a run lacks the stage or it does not report this; a need that did not grow is flat.

        The time of training is that of the steps asked for, and no matter of the corpus; a tokenizer is trained on a
        sample, which the largest run should fill.
        """
        amounts = [sizes(run)[UNITS[stage]] for run in self.runs]
        values = [run.get(stage, {}).get(measure, math.nan) for run in self.runs]
        if (stage, measure) == ("train", TIME) or math.isnan(sum(values)):
            return Line(math.nan, math.nan)
        rate, fixed = np.polyfit(amounts, values, 1)
        flat = stage == "tokenizer" or rate <= 0
        return Line(max(values), 0.0) if flat else Line(float(fixed), float(rate))

    def at(self, stage: str, measure: str, amounts: dict[str, float]) -> float:
        return self.line(stage, measure).at(amounts[UNITS[stage]])


def sizes(run: Stages) -> dict[str, float]:
    """How large a run's corpus was, by unit."""
    return {"passages": run["split"]["passages"], "tokens": run["index"]["tokens"]}


def run_sizes(corpus: Path, output: Path, passages: Sequence[int]) -> list[Stages]:
    """Run every size, and read what was measured."""
    script = Path(__file__).with_name("million.py")
    for size in passages:
        command = [sys.executable, script, corpus, "--output", output / str(size)]
        command += ["--passages", size, "--steps", TRAINING_STEPS]
        subprocess.run(list(map(str, command)), check=True)
    return [read_stages(output / str(size)) for size in passages]


def constants(needs: Needs) -> Iterator[list[str]]:
    yield ["stage", "a unit is a", "CPU s", "µs a unit", "GiB", "bytes a unit", "on disk, bytes a unit"]
    for stage in UNITS:
        time, memory, disk = (needs.line(stage, measure) for measure in (TIME, MEMORY, DISK))
        found = [time.fixed, time.rate * 1e6, memory.fixed / GIB, memory.rate, disk.rate]
        yield [stage, UNITS[stage].removesuffix("s"), *map(written, found, (1, 2, 2, 1, 2))]


def checked(needs: Needs, run: Stages) -> Iterator[list[str]]:
    yield ["stage", "CPU s: line", "measured", "GiB: line", "measured", "on disk, GB: line", "measured"]
    for stage in UNITS:
        row = [stage]
        for measure, unit, digits in ((TIME, 1, 1), (MEMORY, GIB, 2), (DISK, GB, 3)):
            expected, found = needs.at(stage, measure, sizes(run)), run.get(stage, {}).get(measure, math.nan)
            row += [written(expected / unit, digits), written(found / unit, digits)]
        yield row


def predicted(needs: Needs, measure: str, unit: float, tokens: float) -> Iterator[list[str]]:
    """A column for each number of passages of so many `tokens`."""
    yield ["stage", *(f"{target / 1e6:g} M" for target in TARGETS)]
    for stage in UNITS:
        sized = [{"passages": target, "tokens": target * tokens} for target in TARGETS]
        yield [stage, *(written(needs.at(stage, measure, amounts) / unit, 2) for amounts in sized)]


def written(value: float, digits: int) -> str:
    """Nothing for what is not a number."""
    return "" if math.isnan(value) else f"{value:,.{digits}f}"


def largest(needs: Needs, memory: float, tokens: float) -> Iterator[list[str]]:
    """How many passages each stage has room for in so many bytes, the stage that breaks first on top."""
    rooms = []
    for stage in UNITS:
        line = needs.line(stage, MEMORY)
        if line.rate > 0:
            units = (memory - line.fixed) / line.rate
            rooms.append((units / (tokens if UNITS[stage] == "tokens" else 1), stage))
    yield ["stage", "passages"]
    yield from ([stage, f"{room / 1e6:,.0f} M"] for room, stage in sorted(rooms))


def draw(needs: Needs, measured: Sequence[Stages], path: Path) -> None:
    """Peak memory by stage: lines, and the runs as points."""
    with figure_file(path, (8, 5)) as figure:
        axes = figure.subplots()
        reach = np.geomspace(1e4, max(TARGETS))
        per_passage = sizes(measured[-1])["tokens"] / sizes(measured[-1])["passages"]
        for stage in UNITS:
            curve = [
                needs.at(stage, MEMORY, {"passages": size, "tokens": size * per_passage}) for size in reach
            ]
            (line,) = axes.plot(reach, np.array(curve) / GIB, linewidth=1, label=stage)
            points = [(sizes(run)["passages"], run[stage][MEMORY] / GIB) for run in measured if stage in run]
            axes.plot(*zip(*points, strict=True), "o", color=line.get_color(), markersize=4)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=f"passages of {per_passage:.0f} tokens",
            ylabel="peak memory, GiB",
        )
        axes.grid(alpha=0.3)
        axes.legend(ncols=2)


def show(title: str, rows: Iterator[list[str]]) -> None:
    head, *body = rows
    print(f"\n{title}\n")
    for row in [head, ["---", *["---:"] * (len(head) - 1)], *body]:
        print("| " + " | ".join(row) + " |")


def main() -> None:
    arguments = read_arguments()
    needs = Needs(run_sizes(arguments.corpus, arguments.output, arguments.sizes))
    show("Constants", constants(needs))
    measured = list(needs.runs)
    if arguments.check:
        measured.append(read_stages(arguments.check))
        show(f"Checked at {sizes(measured[-1])['passages']:,.0f} passages", checked(needs, measured[-1]))
    tokens, memory = arguments.tokens, arguments.memory * GIB
    what = f"passages of {tokens:g} tokens"
    show(f"Peak memory, GiB, {what}", predicted(needs, MEMORY, GIB, tokens))
    show(f"Processor time, hours, {what}", predicted(needs, TIME, HOUR, tokens))
    show(f"On disk, GB, {what}", predicted(needs, DISK, GB, tokens))
    show(f"What fits into {arguments.memory:.0f} GiB, {what}", largest(needs, memory, tokens))
    if arguments.figure:
        draw(needs, measured, arguments.figure)


def read_arguments() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000, 200_000], help="two or more")
    parser.add_argument("--check", type=Path, help="folder of a run of scripts/million.py")
    parser.add_argument("--tokens", type=float, default=150, help="of a passage, in the predictions")
    here = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    parser.add_argument("--memory", type=float, default=here, help="GiB of the host; default: this one's")
    parser.add_argument("--figure", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
