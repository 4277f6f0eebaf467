"""How long the docid network is trained follows from the corpus and from the time there is."""

from __future__ import annotations

import pytest

from genret.fit import plan


@pytest.mark.parametrize(
    ("passages", "affordable", "steps"),
    [
        (5120, 10_000, 500),  # fifty times each, however much time there is
        (5120, 200, 200),  # as often as there is time for
        (5120, 120, 120),  # twelve times each is the least
        (5120, 119, 0),
        (3, 10_000, 1),
    ],
)
def test_every_passage_is_seen_often_enough_or_there_is_no_network(
    passages: int, affordable: int, steps: int
) -> None:
    assert plan._network_steps(passages, affordable) == steps


def test_a_step_of_the_network_is_timed() -> None:
    assert 0 < plan._seconds_per_network_step(16) < 60
