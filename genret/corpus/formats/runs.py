"""Runs as files, in TREC's six columns.

A run is written so that every tool reads the same order from it: scores strictly decrease, also as the 32-bit
floats that some tools keep, and a query without hits keeps a line of its own, so that its zero stays in the mean.
A run is read as trec_eval reads it: the ranks are ignored, scores are 64-bit floats, and of equal scores the greater
passage id comes first (in the order of UTF-8's bytes, which is that of the characters' numbers).
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterable
from typing import Literal

import numpy as np

from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.types import Run
from genret.corpus.writing import text_writer
from genret.errors import InputError

__all__ = [
    "BLANK",
    "NO_PASSAGE",
    "Ties",
    "check_ids",
    "check_query_id",
    "columns",
    "is_comment",
    "is_line",
    "run",
    "run_lines",
    "strictly_decreasing",
    "write_run",
]

_log = logging.getLogger(__name__)

# What comes first of equal scores: the greater passage id, as in trec_eval, or the earlier line of the file.
Ties = Literal["trec", "file"]

# Stands in a run file for the hits that a query does not have; it is no passage's id.
NO_PASSAGE = "<none>"
# Above this a 32-bit float overflows.
LARGEST_SCORE = 1e38
# What separates TREC's columns; other white space, such as a no-break space, is part of an id.
BLANK = " \t\v\f\r"
BLANKS = re.compile(f"[{BLANK}]+")
# What a header, which some tools write, has where the scores stand.
HEADER_SCORE = re.compile(r"score|sim|similarity", re.IGNORECASE)
SCORE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def write_run(
    path: str | os.PathLike[str], run: Run, *, query_ids: Iterable[str] = (), tag: str = "genret"
) -> None:
    """Write a run in TREC's six columns, atomically; every query of `run` and of `query_ids` is in it.

    Hits are ordered by score, equal scores as the run lists them. Scores are written with every digit. One that is not
    below its predecessor, as a 32-bit float, is lowered to the next such float below it, so that the file's
    scores strictly decrease for every reader. A query without hits gets one line for the passage `<none>`,
    which `read_run` leaves out and which other tools count as a miss.

    Raises:
        InputError: an id is empty, holds white space or is `<none>`; a passage occurs twice for one query; a
            score is not finite.
    """
    missing: Run = {query_id: [] for query_id in query_ids if query_id not in run}
    with text_writer(path) as file:
        for query_id, hits in {**run, **missing}.items():
            file.write(run_lines(query_id, hits, tag).encode())


def run_lines(query_id: str, hits: list[tuple[str, float]], tag: str = "genret") -> str:
    """The lines of one query, as `write_run` writes them."""
    placed = enumerate(strictly_decreasing(query_id, hits) or [(NO_PASSAGE, 0.0)], 1)
    return "".join(
        f"{query_id} Q0 {passage_id} {rank} {score!r} {tag}\n" for rank, (passage_id, score) in placed
    )


def run(file: DataFile, ties: Ties = "trec") -> Run:
    """Each query's hits by score; a tag may hold blanks, and a line that begins with `# ` is a comment.

    A warning says so where ranks go against scores, as they do where the scores are distances.
    """
    found: dict[str, dict[str, float]] = {}
    ranks = _Ranks()
    for number, line in file.lines():
        if is_comment(line):
            continue
        fields = columns(line, 6)
        if len(fields) != 6:
            raise file.problem(
                number,
                f": expected 6 columns (query, Q0, passage, rank, score, tag), found {len(fields)}: {show(line)}.",
            )
        query_id, _, passage_id, rank, text, _ = fields
        if number == 1 and HEADER_SCORE.fullmatch(text):
            continue
        hits = found.setdefault(query_id, {})
        if passage_id in hits:
            raise file.problem(
                number, f": passage {show(passage_id)} is a hit of query {show(query_id)} twice."
            )
        if passage_id != NO_PASSAGE:
            hits[passage_id] = _score(file, number, text)
            ranks.add(query_id, rank, hits[passage_id])
    if not found:
        raise EmptyFileError(f"{file.label}: it has no line; expected a run in TREC's six columns.")
    if ranks.against:
        _log.warning(
            "%s: in %s of %s queries the ranks go against the scores. The scores decide, as in trec_eval: greater ones "
            "come first; where they are distances, write them with a minus sign.",
            file.label,
            f"{len(ranks.against):,}",
            f"{len(found):,}",
        )
    return {query_id: _ordered(hits, ties) for query_id, hits in found.items()}


class _Ranks:
    """Which queries have a hit after another whose rank says the contrary of its score."""

    def __init__(self) -> None:
        self.against: set[str] = set()
        self._last: dict[str, tuple[float, float]] = {}

    def add(self, query_id: str, rank: str, score: float) -> None:
        """The next hit of a query."""
        # Ranks are read by their digits only: what is no number says nothing.
        place = float(rank) if rank.isascii() and rank.isdigit() else math.nan
        before, above = self._last.get(query_id, (math.nan, score))
        if (place > before and score > above) or (place < before and score < above):
            self.against.add(query_id)
        self._last[query_id] = place, score


def columns(line: str, most: int = 0) -> list[str]:
    """A line's columns, as trec_eval takes them apart; with `most`, the last of so many runs to the line's end."""
    if line.isascii():
        return line.split(None, most - 1)
    return BLANKS.split(line.strip(BLANK), max(most - 1, 0))


def is_line(line: str) -> bool:
    """Whether a line looks like one of a run: `Q0` stands in it, or numbers where a run has them."""
    fields = columns(line, 6)
    if len(fields) < 6:
        return False
    _, iteration, _, rank, score, _ = fields
    numbers = iteration.isdigit() and rank.isdigit() and SCORE.fullmatch(score) is not None
    # A text behind one or two tabs may begin with numbers too.
    return iteration.upper() == "Q0" or (numbers and line.count("\t") in (0, 5))


def is_comment(line: str) -> bool:
    """Whether a line of a run or of judgements says nothing: `#`, alone or with a blank behind it."""
    return line.startswith("#") and line[1:2] in ("", " ", "\t")


def check_ids(*ids: str) -> None:
    """Refuse ids that a file of columns cannot hold.

    Raises:
        InputError: an id is empty, holds white space, or is the reserved `<none>`.
    """
    for value in ids:
        if not value or value == NO_PASSAGE or any(character.isspace() for character in value):
            raise InputError(
                f"the id {show(value)} cannot stand in a TREC file: it is empty, reserved, or holds white space; "
                "rename it, or choose a format that can hold it (of runs, genret-run)."
            )


def check_query_id(query_id: str) -> None:
    """Refuse an id that a line cannot begin with.

    Raises:
        InputError: as `check_ids`, or it is `#`, which begins a comment.
    """
    check_ids(query_id)
    if is_comment(query_id):
        raise InputError(
            f"the id {show(query_id)} cannot stand in a TREC file: there it begins a comment; rename it."
        )


def _ordered(hits: dict[str, float], ties: Ties) -> list[tuple[str, float]]:
    if ties == "file":
        return sorted(hits.items(), key=_score_downwards)
    return sorted(hits.items(), key=lambda hit: (hit[1], hit[0]), reverse=True)


def _score_downwards(hit: tuple[str, float]) -> float:
    return -hit[1]


def strictly_decreasing(query_id: str, hits: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Hits best first, their scores strictly decreasing also as 32-bit floats: see `write_run`."""
    check_query_id(query_id)
    spread: list[tuple[str, float]] = []
    seen: set[str] = set()
    above = np.float32(np.inf)
    for passage_id, given in sorted(hits, key=_score_downwards):
        check_ids(passage_id)
        score = float(given)
        if not math.isfinite(score) or abs(score) > LARGEST_SCORE:
            raise InputError(
                f"query {show(query_id)}, passage {show(passage_id)}: the score {score} is not finite."
            )
        if passage_id in seen:
            raise InputError(f"query {show(query_id)}: passage {show(passage_id)} is among its hits twice.")
        if np.float32(score) >= above:
            score = float(np.nextafter(above, np.float32(-np.inf)))
        above = np.float32(score)
        seen.add(passage_id)
        spread.append((passage_id, score))
    return spread


def _score(file: DataFile, number: int, text: str) -> float:
    score = float(text) if SCORE.fullmatch(text) else math.nan
    if not math.isfinite(score):
        raise file.problem(number, f", column 5: expected a finite score, found {show(text)}.")
    return score
