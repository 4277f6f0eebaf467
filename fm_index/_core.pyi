"""Types of the native core. Arrays are one-dimensional and contiguous; any other dtype raises TypeError."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]
Progress = Callable[[str, float], object]

class Index:
    threads: int
    def __init__(
        self,
        arrays: dict[str, npt.NDArray[Any]],
        documents: int,
        vocab_size: int,
        compact: bool,
        baseline: bool = False,
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    def check(self) -> None: ...
    def step(self, lo: Ints, hi: Ints, tokens: Ints) -> tuple[Ints, Ints]: ...
    def children(self, lo: Ints, hi: Ints, tokens: Ints, counts: Ints) -> tuple[Ints, Ints]: ...
    def successors(self, lo: Ints, hi: Ints) -> tuple[Ints, Tokens, Ints]: ...
    def top_successors(
        self, lo: Ints, hi: Ints, scores: npt.NDArray[np.float32], k: int
    ) -> tuple[Ints, Tokens, Ints]: ...
    def locate(self, rows: Ints, positions: bool, documents: bool) -> tuple[Ints, Ints]: ...
    def documents(self, lo: Ints, hi: Ints, limit: int, count: bool) -> tuple[Ints, Ints, Ints]: ...
    def extract(self, documents: Ints) -> tuple[Ints, Tokens]: ...

def build(
    tokens: npt.NDArray[Any],
    offsets: Ints,
    vocab_size: int,
    compact: bool,
    progress: Progress | None,
) -> dict[str, npt.NDArray[Any]]: ...
def sort_prefixes(text: npt.NDArray[Any], wide: bool = False, direct: bool = True) -> npt.NDArray[Any]: ...
def merge_successors(
    shards: list[tuple[Ints, Tokens, Ints]],
) -> tuple[Ints, Tokens, Ints, Ints]: ...
def fill_bits(offsets: Ints, tokens: Ints, lists: Ints, out: npt.NDArray[np.int32]) -> None: ...
def score_passages(
    shards: list[Index],
    removed: npt.NDArray[np.bool_],
    keys: tuple[npt.NDArray[Any], ...],
    shares: tuple[float, float, bool],
    limits: tuple[int, int, int],
    threads: int,
    matches: bool,
    fill: bool,
) -> list[tuple[Any, ...]]: ...
def rank_in_large(rows: int, occurrences: Ints, queries: Ints, baseline: bool = False) -> Ints: ...
