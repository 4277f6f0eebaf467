"""Losses against their definitions."""

from __future__ import annotations

import pytest
import torch
from floats import SINGLE, assert_close

from genret.training.losses.losses import cross_entropy


def slow_cross_entropy(logits, targets, weights, smoothing):
    total = weight = 0.0
    for row in range(targets.shape[0]):
        for place in range(targets.shape[1]):
            log_probs = torch.log_softmax(logits[row, place].double(), -1)
            target = torch.full_like(log_probs, smoothing / len(log_probs))
            target[targets[row, place]] += 1 - smoothing
            total += float(weights[row, place]) * float(-(target * log_probs).sum())
            weight += float(weights[row, place])
    return total, weight


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_weighted_sum_of_token_losses(smoothing):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 7, generator=generator)
    targets = torch.randint(0, 7, (3, 4), generator=generator)
    weights = torch.rand(3, 4, generator=generator)
    weights[1, 2:] = 0
    sums = cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    total, weight = slow_cross_entropy(logits, targets, weights, smoothing)
    assert_close(float(sums.total), total, relative=SINGLE)
    assert_close(float(sums.weight), weight, relative=SINGLE)


def test_batches_add_up():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 3, 5, generator=generator)
    targets = torch.randint(0, 5, (6, 3), generator=generator)
    weights = torch.rand(6, 3, generator=generator)
    whole = cross_entropy(logits, targets, weights)
    parts = [cross_entropy(logits[s], targets[s], weights[s]) for s in (slice(0, 2), slice(2, 6))]
    assert_close(float(sum(p.total for p in parts)), float(whole.total), relative=SINGLE)
    assert_close(
        float(whole.mean),
        float(sum(p.total for p in parts)) / float(sum(p.weight for p in parts)),
        relative=SINGLE,
    )


def test_padding_with_infinite_loss_does_not_reach_the_sum():
    logits = torch.zeros(1, 2, 3)
    logits[0, 1, 0] = -torch.inf
    sums = cross_entropy(logits, torch.tensor([[1, 0]]), torch.tensor([[1.0, 0.0]]))
    assert_close(float(sums.total), torch.log(torch.tensor(3.0)).item(), relative=SINGLE)
