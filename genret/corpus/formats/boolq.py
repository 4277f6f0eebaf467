"""BoolQ as it is distributed: `train.jsonl` and `dev.jsonl`, each line a question with its title and passage.

C. Clark et al., "BoolQ", NAACL 2019. Equal passages under one title become one passage. Ids are given by order,
train before dev: passages `b0`, `b1`, ...; queries `q0`, `q1`, ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from genret.corpus.formats.datafile import find_file
from genret.corpus.formats.records import Record, records
from genret.corpus.types import Judgements, Passage, Query

__all__ = ["SPLITS", "holds", "judgements", "passages", "queries"]

SPLITS = ("train", "dev")


def holds(place: Path) -> bool:
    """Whether a folder or an archive has both of BoolQ's files."""
    return all(find_file(place, f"{split}.jsonl") is not None for split in SPLITS)


def passages(place: Path) -> Iterator[Passage]:
    """Every distinct passage, in order of first occurrence."""
    seen: set[tuple[str, str]] = set()
    for _, record in _rows(place):
        key = _passage(record)
        if key not in seen:
            yield Passage(f"b{len(seen)}", *key)
            seen.add(key)


def queries(place: Path) -> Iterator[Query]:
    """Every question, in file order."""
    for number, (_, record) in enumerate(_rows(place)):
        yield Query(f"q{number}", record.text("question"))


def judgements(place: Path, split: str) -> Judgements:
    """The one right passage of each question of `split`, with grade 1."""
    numbers: dict[tuple[str, str], int] = {}
    judged: Judgements = {}
    for number, (row_split, record) in enumerate(_rows(place)):
        passage = numbers.setdefault(_passage(record), len(numbers))
        if row_split == split:
            judged[f"q{number}"] = {f"b{passage}": 1}
    return judged


def _rows(place: Path) -> Iterator[tuple[str, Record]]:
    for split in SPLITS:
        file = find_file(place, f"{split}.jsonl")
        if file is not None:
            yield from ((split, record) for record in records(file))


def _passage(record: Record) -> tuple[str, str]:
    return record.text("title", default=""), record.text("passage")
