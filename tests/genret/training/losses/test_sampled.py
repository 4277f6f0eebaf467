"""Sampled softmax: what it estimates, what it leaves out, and that a model trained by it finds its docids."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from backbones import t5
from floats import SINGLE, assert_close
from toy import PAD, VOCAB, ToyBackbone, toy_sources

from docid import DocidTable
from genret.errors import InputError
from genret.training.examples.batch import TrainingModule, collate
from genret.training.losses.loss_kinds import SampledLoss, Training
from genret.training.losses.losses import cross_entropy, sampled_cross_entropy
from genret.training.losses.sampled import Proposal, SampledSoftmax, token_weights

TOKENS = 40
SKEWED = 1.0 / np.arange(1, TOKENS + 1)


def sampled_loss(scores, targets, weights, negatives, seed, *, corrected=True):
    """Of logits [n, V], by draws."""
    proposal = Proposal(weights)
    drawn = proposal.draw(negatives, torch.Generator().manual_seed(seed))
    expected = proposal.log_expected(drawn, negatives) if corrected else math.log(negatives / TOKENS)
    own = scores.gather(1, targets[:, None])[:, 0]
    hits = drawn == targets[:, None]
    return sampled_cross_entropy(own, scores[:, drawn] - expected, hits, torch.ones(len(targets)))


def gradients(negatives, draws, **options):
    """The full softmax's gradient, and that of every draw: [V * n], [draws, V * n]."""
    scores = torch.randn(3, TOKENS, generator=torch.Generator().manual_seed(0)).requires_grad_()
    targets = torch.tensor([0, 3, 30])
    full = cross_entropy(scores[None], targets[None], torch.ones(1, 3)).total
    (exact,) = torch.autograd.grad(full, scores)
    found = []
    for seed in range(draws):
        loss = sampled_loss(scores, targets, SKEWED, negatives, seed, **options).total
        found.append(torch.autograd.grad(loss, scores)[0].flatten())
    return exact.flatten(), torch.stack(found)


def test_the_mean_gradient_is_the_full_softmaxs():
    exact, found = gradients(1000, 600)
    error = (found.std(0) / len(found) ** 0.5).clamp(min=1e-7)
    # 120 places: five standard errors, and a bias that falls as one over the number of draws.
    assert_close(found.mean(0), exact, within=5 * error + 2e-3)
    assert float((found.mean(0) - exact).norm() / exact.norm()) < 0.01


def test_the_bias_falls_with_the_number_of_negatives():
    distances = []
    for negatives in (5, 50, 500):
        exact, found = gradients(negatives, 400)
        distances.append(float((found.mean(0) - exact).norm()))
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_without_the_correction_the_gradient_is_another():
    exact, found = gradients(1000, 50, corrected=False)
    assert float((found.mean(0) - exact).norm()) > 0.1


def test_a_target_that_is_drawn_counts_once():
    scores = torch.zeros(1, TOKENS)
    only_hits = np.full(TOKENS, 1e-300)
    only_hits[7] = 1.0
    assert float(sampled_loss(scores, torch.tensor([7]), only_hits, 20, 0).total) == 0.0
    assert float(sampled_loss(scores, torch.tensor([8]), only_hits, 20, 0).total) > 0.0


@pytest.mark.parametrize("name", ["uniform", "log-uniform", "unigram"])
def test_tokens_are_drawn_as_often_as_a_proposal_says(name):
    table = DocidTable.build(["a", "b", "c"], [[5, 6], [5, 7], [5]])
    weights = token_weights(name, 12, table, 1)
    proposal = Proposal(weights)
    count = 200_000
    drawn = proposal.draw(count, torch.Generator().manual_seed(2))
    expected = proposal.log_expected(torch.arange(12), count).exp().numpy()
    assert_close(expected, count * weights / weights.sum(), relative=SINGLE)
    found = np.bincount(drawn.numpy(), minlength=12)
    assert_close(found, expected, within=5 * np.sqrt(expected))
    if name == "unigram":
        assert weights.tolist() == [1, 4, 1, 1, 1, 4, 2, 2, 1, 1, 1, 1]


def test_an_examples_loss_does_not_depend_on_the_others():
    examples = toy_sources()["query"][:6]
    module = TrainingModule(WithStates(), SampledSoftmax(Proposal(np.ones(VOCAB)), 50, seed=1))
    module.eval()
    with torch.no_grad():
        together = module(collate(examples, PAD, step=4))
        alone = [module(collate([example], PAD, step=4)) for example in examples]
        later = module(collate(examples, PAD, step=5))
    assert_close(float(together.total), sum(float(one.total) for one in alone), relative=SINGLE)
    assert float(together.weight) == sum(float(one.weight) for one in alone)
    assert float(together.total) != float(later.total)


class WithStates(ToyBackbone):
    """The toy with logits of chosen columns."""

    def target_states(self, encoded, targets):
        return self.target_logits(encoded, targets)  # its hidden states are its logits

    def logits(self, hidden, tokens):
        return hidden[:, tokens]


def test_smoothed_labels_are_refused():
    with pytest.raises(InputError, match="label_smoothing_factor: a sampled softmax has none"):
        SampledLoss().objective(Training(t5(), DocidTable.build(["a"], [[5]]), 0.1))
    with pytest.raises(InputError, match="negatives: expected at least 1, found 0"):
        SampledLoss(negatives=0)
