"""Positions past 2^31, by the arithmetic alone: ranks among rows that no test machine could hold."""

from __future__ import annotations

import numpy as np
import pytest

from fm_index import _core


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("rows", [2**31 - 1, 2**31 + 5, 2**32, 2**33 + 7, 2**39])
@pytest.mark.parametrize("count", [0, 1, 3, 20_000])
def test_ranks_past_32_bits(rows: int, count: int, baseline: bool) -> None:
    random = np.random.default_rng(count)
    spread = random.integers(0, rows, count)
    clustered = rows - 1 - np.arange(count) * 2
    for occurrences in (np.unique(spread), np.unique(clustered[clustered >= 0])):
        near = np.clip(np.concatenate([occurrences[:500] + d for d in (-1, 0, 1)]), 0, rows)
        queries = np.concatenate([near, random.integers(0, rows + 1, 500), [0, rows, rows // 2]])
        ranks = _core.rank_in_large(rows, occurrences, queries, baseline)
        np.testing.assert_array_equal(ranks, np.searchsorted(occurrences, queries))
