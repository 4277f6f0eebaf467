"""One way to resume: a job goes on only where the same one was begun, and its parts are fixed by position.

A plan says what the results depend on, as plain JSON values: equal plans give equal files. It is written before
the first part, and whoever comes later must come with the same. A part is a range of positions, whoever works on it
and whenever, so that processes and machines share a job by numbers alone. Knows plans, positions and shards; knows
nothing of what a part holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from fm_index.files import foreign, strict_json
from genret.errors import ArtefactError, InputError
from genret.jobs.shards import Shard
from genret.jobs.storage import Place, is_url, storage_of

__all__ = ["PLAN", "Parts", "begin", "check_same", "fingerprint", "read_plan"]

PLAN = "plan.json"
LISTED = 5


@dataclass(frozen=True)
class Parts:
    """Positions 0 to `total` in runs of `size`; the last may be shorter."""

    total: int
    size: int

    def __len__(self) -> int:
        return -(-self.total // self.size)

    def rows(self, part: int) -> range:
        """The positions of a part."""
        begin = part * self.size
        return range(begin, min(begin + self.size, self.total))

    def of(self, shard: Shard) -> range:
        """The numbers of a shard's parts: every `count`-th, so that shares differ by one part at most."""
        return range(shard.index, len(self), shard.count)


def begin(place: Place, plan: Mapping[str, Any], *, otherwise: str) -> bool:
    """Write a job's plan into its folder, or see that the job begun there has the same; then return True.

    Args:
        place: a folder, or a URL.
        otherwise: what the user can do where the plans differ, as the end of a sentence.

    Raises:
        InputError: `place` is a file, or a job with another plan was begun in it.
        ArtefactError: the plan there is damaged.
    """
    if not is_url(place) and Path(place).is_file():
        raise InputError(f"{place} is a file; name a folder for the job.")
    storage = storage_of(place)
    if PLAN in storage.names():
        check_same(read_plan(place), plan, place, otherwise=otherwise)
        return True
    content = {"plan": dict(plan), "fingerprint": fingerprint(plan)}
    storage.write(PLAN, [json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"])
    return False


def check_same(stored: object, plan: Mapping[str, Any], place: object, *, otherwise: str) -> None:
    """Refuse to go on with a job of another plan; the message names in what they differ.

    Raises:
        InputError: `stored` is not `plan`.
    """
    mine = json.loads(json.dumps(plan))
    if stored == mine:
        return
    found = list(_differences(stored if isinstance(stored, dict) else {}, mine))
    listed = ", ".join(found[:LISTED]) + (", ..." if len(found) > LISTED else "")
    raise InputError(f"{place}: was begun with another job ({listed}); {otherwise}.")


def _differences(stored: Mapping[str, Any], mine: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """What differs, each value by its dotted name."""
    for name in {**mine, **stored}:
        was, now = stored.get(name), mine.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{above}{name}.")
        elif was != now:
            yield f"{above}{name} was {was!r} and is {now!r}"


def fingerprint(plan: Mapping[str, Any]) -> str:
    """XXH3-128 of a plan's values, whatever the order of its names, hexadecimal."""
    return xxhash.xxh3_128_hexdigest(json.dumps(plan, sort_keys=True).encode())


def read_plan(place: Place) -> object:
    """The plan of the job at a place.

    Raises:
        ArtefactError: there is none, or it is damaged.
    """
    storage = storage_of(place)
    path = storage.where(PLAN)
    with foreign(path, "JSON"):
        content = strict_json(storage.read(PLAN))
    if not isinstance(content, dict) or not content:
        raise ArtefactError(f"{path}: damaged: it is no plan of a job.")
    if not {"plan", "fingerprint"} & content.keys():
        return content  # as versions before the fingerprint wrote it
    if content.keys() != {"plan", "fingerprint"} or content["fingerprint"] != fingerprint(content["plan"]):
        raise ArtefactError(f"{path}: damaged: its fingerprint is not that of the plan in it.")
    return content["plan"]
