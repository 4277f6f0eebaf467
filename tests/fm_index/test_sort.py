"""The induced sorter against plain sorting, both ways that it has, 32 and 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index import _core


def naive_order(text: list[int]) -> list[int]:
    """Positions that are not markers, by reversed prefix down to the marker, ties by the marker's place."""

    def key(p: int) -> tuple[list[int], int]:
        symbols = []
        while text[p] != 0:
            symbols.append(text[p])
            p -= 1
        return [*symbols, 0], p

    return sorted((p for p in range(len(text)) if text[p] != 0), key=key)


symbol = st.integers(0, 3)
texts = st.one_of(
    st.lists(symbol, max_size=60),
    st.lists(st.integers(1, 2), max_size=60),
    st.builds(lambda unit, n: unit * n, st.lists(symbol, min_size=1, max_size=5), st.integers(1, 30)),
    st.lists(st.integers(0, 60_000), max_size=40),
)


@settings(max_examples=500, deadline=None)
@given(text=texts, wide=st.booleans(), direct=st.booleans(), dtype=st.sampled_from([np.uint16, np.uint32]))
def test_order_equals_plain_sorting(text: list[int], wide: bool, direct: bool, dtype: type) -> None:
    framed = [0, *text, 0]
    order = _core.sort_prefixes(np.array(framed, dtype), wide, direct)
    assert order.dtype == (np.int64 if wide else np.int32)
    assert order.tolist() == naive_order(framed[:-1])


@pytest.mark.parametrize("alphabet", [2, 50, 3000])
def test_both_ways_agree_on_long_texts(alphabet: int) -> None:
    """Long enough for the radix sort, large buckets and several levels of names; with long repeats."""
    random = np.random.default_rng(alphabet)
    text = np.minimum(random.geometric(2 / alphabet, 200_000), 5000).astype(np.uint16)
    text[50_000:80_000] = text[:30_000]
    text[random.integers(0, len(text), 300)] = 0
    text[[0, -1]] = 0
    direct = _core.sort_prefixes(text)
    np.testing.assert_array_equal(direct, _core.sort_prefixes(text, direct=False))
    np.testing.assert_array_equal(direct, _core.sort_prefixes(text.astype(np.uint32), wide=True))


def test_repetitive_text_takes_the_linear_way() -> None:
    """The direct way gives up on a long period; the result is the same."""
    text = np.tile(np.array([1, 2, 1, 3], np.uint16), 50_000)
    text[[0, -1]] = 0
    np.testing.assert_array_equal(_core.sort_prefixes(text), _core.sort_prefixes(text, direct=False))


def test_unframed_text_is_refused() -> None:
    with pytest.raises(ValueError, match="0 at both ends"):
        _core.sort_prefixes(np.array([1, 2, 0], np.uint16))
    with pytest.raises(TypeError, match="uint32"):
        _core.sort_prefixes(np.array([0, 2, 0], np.int64))
