"""Mixtures: exact shares, epochs without repetition, a pure function of the step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from floats import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from genret.errors import InputError
from genret.training.examples.mixture import CYCLE, Mixture, MixtureOptions, feistel

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
            assert_close(counts[name], CYCLE * ratio / sum(ratios.values()), within=len(sizes))
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


def test_counts_are_exact_at_every_position():
    mixture = Mixture({"a": 10, "b": 20, "c": 5}, {"a": 1.0, "b": 2.0, "c": 0.3}, seed=4)
    drawn: Counter[str] = Counter()
    for position in range(CYCLE + 300):
        assert mixture.counts(position) == {name: drawn[name] for name in "abc"}
        drawn[mixture.draw(position).source] += 1


def test_a_capped_epoch_is_another_part_each_time():
    mixture = Mixture({"a": 100}, {"a": 1.0}, seed=0, options=MixtureOptions(caps={"a": 30}))
    epochs = [[mixture.draw(30 * epoch + place).row for place in range(30)] for epoch in range(3)]
    assert all(len(set(rows)) == 30 for rows in epochs)
    assert len(set(epochs[0]) | set(epochs[1]) | set(epochs[2])) > 60
    assert mixture.epochs(45) == {"a": 1.5}


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, [900, 100]), (2.0, [750, 250]), (1e9, [500, 500]), (None, [500, 500])]
)
def test_temperature_weighs_sizes(temperature, expected):
    options = MixtureOptions(temperature, {"a": 900})
    mixture = Mixture({"a": 5000, "b": 100}, {"a": 1.0, "b": 1.0}, seed=0, options=options)
    assert mixture.shares == expected


def test_a_source_with_any_ratio_is_seen():
    mixture = Mixture({"a": 10, "b": 10, "c": 10}, {"a": 0.4, "b": 1000.0, "c": 0.4}, seed=0)
    assert mixture.shares == [1, 998, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32))
def test_a_computed_permutation_is_one(size, key):
    entry = feistel(size, [key])
    assert sorted(map(entry, range(size))) == list(range(size))


def test_a_computed_permutation_has_no_favourites():
    """Over 2,000 keys, where 0 goes and what two neighbours' distance is; chi-square at fixed seeds."""
    places = np.zeros((20, 2), np.int64)
    for key in range(2000):
        entry = feistel(20, [key])
        places[entry(0), 0] += 1
        places[(entry(1) - entry(0)) % 20, 1] += 1
    assert stats.chisquare(places[:, 0]).pvalue > 0.01
    assert stats.chisquare(places[1:, 1]).pvalue > 0.01


def test_a_source_larger_than_memory_is_drawn_without_repetition():
    mixture = Mixture({"a": 10**12}, {"a": 1.0}, seed=0)
    rows = [mixture.draw(position).row for position in range(2000)]
    assert len(set(rows)) == 2000
    assert 0.4e12 < np.mean(rows) < 0.6e12


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_workers_draw_together_what_one_would(workers):
    """Each worker has a mixture of its own and takes every n-th example of a step."""
    sizes, ratios = {"a": 7, "b": 300}, {"a": 1.0, "b": 3.0}
    alone = Mixture(sizes, ratios, seed=5)
    team = [Mixture(sizes, ratios, seed=5) for _ in range(workers)]
    for step in range(20):
        shared = [one.batch(step, 24)[rank::workers] for rank, one in enumerate(team)]
        together = [shared[place % workers][place // workers] for place in range(24)]
        assert together == alone.batch(step, 24)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.5}, "temperature: expected at least 1"),
        ({"caps": {"a": 0}}, r"caps\.a: expected at least 1"),
    ],
)
def test_wrong_mixture_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        MixtureOptions(**options)


def test_a_cap_needs_a_source():
    with pytest.raises(InputError, match=r"caps\.b: no source of the mixture"):
        Mixture({"a": 3}, {"a": 1.0}, seed=0, options=MixtureOptions(caps={"b": 2}))
