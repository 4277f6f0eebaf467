"""The native core of docid: what a query gives to all documents at once. Arrays are contiguous; all is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_Int64 = npt.NDArray[np.int64]
_Float32 = npt.NDArray[np.float32]

def sum_codes(codes: npt.NDArray[Any], width: int, tables: _Float32, out: _Float32, threads: int) -> None: ...
def score_words(
    offsets: _Int64,
    postings: npt.NDArray[np.uint32],
    shares: _Float32,
    query_offsets: _Int64,
    tokens: _Int64,
    weights: _Float32,
    out: _Float32,
    threads: int,
) -> None: ...
def best(scores: _Float32, k: int, legal: npt.NDArray[np.uint8] | None) -> tuple[_Int64, _Float32]: ...

class Places:
    def __init__(
        self, leaf_of: npt.NDArray[np.uint32], parents: npt.NDArray[np.uint32], nodes: int
    ) -> None: ...
    def best_below(self, scores: _Float32, out: _Float32, threads: int) -> None: ...
