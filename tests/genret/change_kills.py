"""Changes a model folder in processes that are killed, one after the other, and looks at what they leave.

Run as `change_kills.py KIND FOLDER KILLS SEED` with tests and tests/genret on the path. Passages come, change and go in
groups of three, so that a generation that is not whole is seen by its groups.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from changing import NAMES, docid_model
from tiny_ngrams import retriever as ngram_model

from genret.corpus import Passage
from genret.retrieval.changes import add_passages, remove_passages, update_passages
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.model_folder import change_folder, compact_folder

SIZE = 3


def group(number: int, text: str) -> list[Passage]:
    return [Passage(f"g{number}.{one}", "", text) for one in range(SIZE)]


def check_groups(passages: Iterable[Passage]) -> None:
    """All of a group or none, with one text."""
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.passage_id.startswith("g"):
            groups.setdefault(passage.passage_id.split(".")[0], []).append(passage)
    for found in groups.values():
        assert len(found) == SIZE
        assert len({passage.text for passage in found}) == 1


def read(folder: Path) -> Any:
    """The folder's model, which is one generation, whole, and answers."""
    found = load_retriever(folder, device="cpu")
    check_groups(found.passages)
    assert found.search("where lies paris", k=2)
    return found


def change(folder: Path, rng: random.Random) -> None:
    """One change of some kind."""
    text, number, kind = rng.choice(NAMES), rng.randrange(1000), rng.random()

    def known(store: Any) -> list[str]:
        return [name for name in store.passage_ids if name.startswith("g")]

    def add_or_remove(store: Any) -> Any:
        fresh = group(number, text)
        there = store.__contains__(fresh[0].passage_id)
        return remove_passages(store, [p.passage_id for p in fresh]) if there else add_passages(store, fresh)

    def rewrite(store: Any) -> Any:
        names = known(store)[-4 * SIZE :]
        return update_passages(store, [p._replace(text=text) if p[0] in names else p for p in store])

    if kind < 0.4:
        change_folder(folder, add_or_remove, device="cpu")
    elif kind < 0.6:
        change_folder(folder, lambda store: remove_passages(store, known(store)), device="cpu")
    elif kind < 0.85:
        change_folder(folder, rewrite, device="cpu")
    else:
        compact_folder(folder)


def killed(folder: Path, seed: int, rng: random.Random) -> None:
    """A process that changes the folder again and again, killed at some moment, of half of them while it writes."""
    child = os.fork()
    if child == 0:
        for number in count():
            change(folder, random.Random(f"{seed} {number}"))
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, 0.5))
    else:
        ends = time.monotonic() + 20
        while not list(folder.parent.glob(f".{folder.name}.*")) and time.monotonic() < ends:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status), "it ended by itself"


def main(kind: str, folder: Path, kills: int, seed: int) -> None:
    with TemporaryDirectory() as scratch:
        made: Any = docid_model() if kind == "docids" else ngram_model(Path(scratch) / "index")
        made.save_pretrained(folder)
    _tell("ready")
    rng, generations = random.Random(seed), set[str]()
    for number in range(kills):
        killed(folder, seed + number, rng)
        generations.add(read(folder).source.checksum)
    change_folder(folder, lambda store: add_passages(store, group(5000, "rome")), device="cpu")
    assert len(read(folder).passages) >= SIZE
    assert os.listdir(folder.parent) == [folder.name]
    _tell(len(generations))


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
