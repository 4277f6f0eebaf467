"""How wide the docid network is follows from the corpus."""

from __future__ import annotations

import pytest

from genret.fit import budget


@pytest.mark.parametrize(
    ("passages", "width"),
    [
        (2, 1),
        (5000, 2500),  # a unit for two passages
        (20_000, 8192),  # or as many as can be solved for
        (32_768, 8192),  # a unit for four is the least
        (32_769, 0),
    ],
)
def test_the_network_has_a_unit_for_two_passages_or_there_is_none(passages: int, width: int) -> None:
    assert budget._network_width(passages) == width
