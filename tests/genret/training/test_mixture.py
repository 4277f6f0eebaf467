"""Mixtures: exact shares, epochs without repetition, a pure function of the step."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import InputError
from genret.training.mixture import CYCLE, Mixture

SIZES = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=1)


@settings(max_examples=15, deadline=None)
@given(SIZES, st.data(), st.integers(0, 99))
def test_each_cycle_holds_each_source_in_its_share(sizes, data, seed):
    ratios = {name: data.draw(st.floats(0.01, 10)) for name in sizes}
    mixture = Mixture(sizes, ratios, seed=seed)
    for cycle in range(2):
        drawn = [mixture.draw(cycle * CYCLE + slot).source for slot in range(CYCLE)]
        counts = Counter(drawn)
        for name, ratio in ratios.items():
            assert abs(counts[name] - CYCLE * ratio / sum(ratios.values())) <= len(sizes)
            assert counts[name] >= 1


@settings(max_examples=15, deadline=None)
@given(SIZES, st.integers(0, 99))
def test_each_epoch_of_a_source_holds_every_example_once(sizes, seed):
    mixture = Mixture(sizes, dict.fromkeys(sizes, 1.0), seed=seed)
    seen: dict[str, list[int]] = {name: [] for name in sizes}
    for position in range(2 * CYCLE):
        drawn = mixture.draw(position)
        seen[drawn.source].append(drawn.row)
    for name, size in sizes.items():
        for epoch in range(len(seen[name]) // size):
            assert sorted(seen[name][epoch * size : (epoch + 1) * size]) == list(range(size))


def test_batches_do_not_depend_on_what_was_drawn_before():
    sizes, ratios = {"a": 7, "b": 300}, {"a": 1.0, "b": 3.0}
    first = Mixture(sizes, ratios, seed=5)
    in_order = [first.batch(step, 13) for step in range(200)]
    second = Mixture(sizes, ratios, seed=5)
    assert [second.batch(step, 13) for step in reversed(range(200))] == in_order[::-1]


def test_seeds_and_epochs_differ():
    def order(seed: int, begin: int) -> list[int]:
        mixture = Mixture({"a": 50}, {"a": 1.0}, seed=seed)
        return [mixture.draw(begin + place).row for place in range(50)]

    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 50)


def test_epochs_count_what_was_drawn():
    mixture = Mixture({"a": 10, "b": 20}, {"a": 1.0, "b": 1.0}, seed=0)
    drawn = Counter(mixture.draw(position).source for position in range(1337))
    assert mixture.epochs(1337) == {"a": drawn["a"] / 10, "b": drawn["b"] / 20}


@pytest.mark.parametrize(
    ("sizes", "ratios", "message"),
    [
        ({"a": 3}, {"b": 1.0}, "no source is called 'b'; there are a"),
        ({"a": 3}, {"a": -1.0}, "ratio of 'a' is -1.0"),
        ({"a": 3}, {"a": float("nan")}, "ratio of 'a' is nan"),
        ({"a": 0}, {"a": 1.0}, "'a' holds no example"),
        ({"a": 3}, {"a": 0.0}, "no source has a ratio above zero"),
    ],
)
def test_wrong_mixtures_are_named(sizes, ratios, message):
    with pytest.raises(InputError, match=message):
        Mixture(sizes, ratios, seed=0)
