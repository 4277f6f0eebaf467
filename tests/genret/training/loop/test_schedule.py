"""The learning rate's course."""

from __future__ import annotations

import math

import pytest
from floats import DOUBLE, assert_close

from genret.errors import InputError
from genret.training.loop.training_options import Schedule, TrainingOptions


def test_warm_up_then_linear_decay():
    schedule = Schedule(2.0, warmup=0.2, decay="linear", final=0.1)
    rates = [schedule.learning_rate(spent) for spent in (0.0, 0.1, 0.2, 0.6, 1.0, 1.5)]
    assert_close(rates, [0.0, 1.0, 2.0, 1.1, 0.2, 0.2], relative=DOUBLE)


def test_cosine_and_constant():
    cosine = Schedule(1.0, warmup=0.0, decay="cosine")
    assert_close(cosine.learning_rate(0.25), 0.5 * (1 + math.cos(math.pi / 4)), relative=DOUBLE)
    assert Schedule(1.0, warmup=0.0, decay="constant").learning_rate(0.9) == 1.0


def test_the_budget_that_is_further_spent_decides():
    options = TrainingOptions(max_steps=100, max_seconds=10.0)
    assert_close(options.spent(9, 0.0), 0.095, relative=DOUBLE)
    assert_close(options.spent(9, 5.0), 0.5, relative=DOUBLE)
    assert options.exhausted(100, 0.0)
    assert options.exhausted(0, 10.0)
    assert not options.exhausted(99, 9.9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "neither is given"),
        ({"max_steps": -1}, "max_steps: expected at least 0, found -1"),
        ({"max_steps": 1, "batch_size": -2}, "batch_size"),
        ({"max_steps": 1, "label_smoothing_factor": 1.0}, "label_smoothing_factor"),
    ],
)
def test_impossible_options_are_named(values, message):
    with pytest.raises(InputError, match=message):
        TrainingOptions(**values)


@pytest.mark.parametrize("values", [{"peak": 0.0}, {"peak": 1.0, "warmup": 1.0}])
def test_impossible_schedules_are_refused(values):
    with pytest.raises(InputError, match="expected"):
        Schedule(**values)
