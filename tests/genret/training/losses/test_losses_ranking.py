"""Ranking losses against slow twins, and on problems whose optimum is known."""

from __future__ import annotations

import math
from itertools import permutations

import torch
from floats import FORWARD, SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from genret.training.losses.losses import consistency
from genret.training.losses.ranking import (
    margin_loss,
    ndcg,
    plackett_luce_log_prob,
    policy_gradient,
    preference_loss,
    prefix_margin_loss,
    prefix_shares,
    sample_rankings,
)

NUMBERS = st.floats(-3, 3, width=32)


def test_margins_are_summed_over_the_others_and_padding_is_none():
    scores = torch.tensor([[2.0, 1.5, -9.0, 3.0], [1.0, 0.5, 0.0, 0.0], [1.0, 9.0, 9.0, 9.0]])
    relevant = torch.tensor([[True, False, False, False], [False, True, False, False], [True] + [False] * 3])
    real = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
    found = margin_loss(scores, relevant, real, margin=1.0)
    assert_close(float(found.total), (1 - 2 + 1.5) + (1 - 2 + 3) + (1 - 0.5 + 1.0), ulps=FORWARD)
    assert float(found.weight) == 3.0
    nothing = margin_loss(scores, torch.zeros_like(relevant), real, margin=1.0)
    assert float(nothing.total) == 0.0


def test_the_optimum_of_the_margin_loss_is_any_order_with_the_margin():
    """One right of five docids: gradient descent stops where it is ahead of each by the margin, and no further."""
    scores = torch.zeros(1, 5, requires_grad=True)
    relevant = torch.tensor([[False, False, True, False, False]])
    for _ in range(200):
        loss = margin_loss(scores, relevant, torch.ones(1, 5, dtype=torch.bool), margin=2.0).mean
        loss.backward()
        with torch.no_grad():
            scores -= 0.05 * scores.grad
        scores.grad = None
    gaps = (scores[0, 2] - scores[0])[[0, 1, 3, 4]].detach()
    assert torch.all((gaps >= 2.0) & (gaps < 2.3))


DOCIDS = st.lists(st.lists(st.integers(5, 7), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(DOCIDS, st.lists(st.integers(1, 6), max_size=3), st.floats(0, 0.9), st.data())
def test_margins_at_prefixes_are_those_of_plain_loops(docids, asked, beta, data):
    """Docids of unlike length, prefixes longer than they are, candidates that begin alike."""
    width = max(map(len, docids))
    logs = [[data.draw(st.floats(-4, 0, width=32)) for _ in docid] for docid in docids]
    prefixes = torch.tensor([[sum(one[: t + 1]) for t in range(width)] for one in logs])[None]
    same = torch.tensor([[one[: t + 1] == docids[0][: t + 1] for t in range(width)] for one in docids])[None]
    chosen, shares = prefix_shares(torch.tensor([len(docids[0])]), asked, beta)
    real = torch.ones(1, len(docids), dtype=torch.bool)
    found = prefix_margin_loss(prefixes, same, real, chosen, shares, margin=1.5)
    expected, whole = 0.0, len(docids[0])
    lengths = [min(one, whole) for one in (*asked, whole)]
    for length in lengths:
        due = 1.5 * (1 - beta / length) / (1 - beta / whole)
        for docid, log in zip(docids[1:], logs[1:], strict=True):
            if docid[:length] != docids[0][:length]:
                expected += max(0.0, due - sum(logs[0][:length]) + sum(log[:length])) / len(lengths)
    assert_close(found.total, expected, ulps=FORWARD, scale=8.0)
    assert float(found.weight) == 1.0


def test_the_optimum_of_prefix_margins_is_ahead_at_every_prefix_by_its_share():
    """Four docids of three tokens, scores as free numbers: descent stops once every prefix has what it is due."""
    steps = torch.zeros(1, 4, 3, requires_grad=True)
    same = torch.zeros(1, 4, 3, dtype=torch.bool)
    same[:, 0], same[:, 1, 0] = True, True  # the second begins like the right one
    chosen, shares = prefix_shares(torch.tensor([3]), [1, 2], 0.5)
    for _ in range(400):
        loss = prefix_margin_loss(
            steps.cumsum(2), same, torch.ones(1, 4, dtype=torch.bool), chosen, shares, margin=2.0
        ).mean
        loss.backward()
        with torch.no_grad():
            steps -= 0.02 * steps.grad
        steps.grad = None
    assert float(loss.detach()) < 0.05
    gaps = (steps.cumsum(2)[:, :1] - steps.cumsum(2))[0, 2:].detach()
    assert torch.all(gaps > 2.0 * shares[0] - 0.1)
    assert shares[0].tolist() == sorted(shares[0].tolist())
    assert float(shares[0, -1]) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), st.floats(0.05, 3.0))
def test_preferences_are_the_mean_over_pairs(pairs, beta):
    scores, reference = (torch.tensor([column]) for column in zip(*pairs, strict=True))
    real = torch.ones(1, len(pairs), dtype=torch.bool)
    found = preference_loss(scores, reference, real, beta=beta)
    gained = [one - other for one, other in pairs]
    losses = [math.log1p(math.exp(-beta * (gained[0] - other))) for other in gained[1:]]
    assert_close(found.total, sum(losses) / max(len(losses), 1), ulps=FORWARD, scale=8.0)
    wider = torch.cat([scores, torch.full((1, 2), 9.0)], 1), torch.cat([reference, torch.zeros(1, 2)], 1)
    padded = preference_loss(*wider, torch.tensor([[True] * len(pairs) + [False] * 2]), beta=beta)
    assert_close(padded.total, found.total, ulps=FORWARD, scale=8.0)


def test_preferences_rise_over_the_reference_and_not_over_one_another():
    """Descent moves the right docid up and the others down, all alike, wherever the reference had them."""
    reference = torch.tensor([[-3.0, -1.0, -2.0]])
    scores = reference.clone().requires_grad_()
    for _ in range(50):
        loss = preference_loss(scores, reference, torch.ones(1, 3, dtype=torch.bool), beta=0.5)
        loss.total.backward()
        with torch.no_grad():
            scores -= 0.5 * scores.grad
        scores.grad = None
    gained = (scores - reference)[0].detach()
    assert gained[0] > 2 > 0 > gained[1]
    assert_close(gained[1], gained[2], ulps=FORWARD)


@settings(max_examples=30, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_plackett_luce_probabilities_are_the_product_and_sum_to_one(values):
    scores = torch.tensor([values], dtype=torch.float64)
    rankings = torch.tensor([list(permutations(range(len(values))))])
    found = plackett_luce_log_prob(scores, rankings)[0]
    for log_prob, ranking in zip(found, rankings[0].tolist(), strict=True):
        weights, product = scores[0].exp(), 1.0
        for place, one in enumerate(ranking):
            product *= float(weights[one] / weights[ranking[place:]].sum())
        assert_close(float(log_prob.exp()), product, ulps=FORWARD)
    assert_close(float(found.exp().sum()), 1.0, ulps=FORWARD)


def test_sampled_rankings_have_the_models_frequencies():
    scores = torch.tensor([[0.0, 1.0, -0.5]])
    rankings = sample_rankings(scores, 20_000, torch.Generator().manual_seed(0))[0]
    every = list(permutations(range(3)))
    expected = plackett_luce_log_prob(scores, torch.tensor([every]))[0].exp()
    for ranking, chance in zip(every, expected, strict=True):
        share = float((rankings == torch.tensor(ranking)).all(1).float().mean())
        assert_close(share, float(chance), within=4 * (0.25 / 20_000) ** 0.5)


def expected_reward(scores: Tensor, relevance: Tensor) -> Tensor:
    """The policy's expected nDCG, over all rankings."""
    rankings = torch.tensor([list(permutations(range(scores.shape[1])))])
    worth = ndcg(relevance[0][rankings], 10)
    return (plackett_luce_log_prob(scores, rankings).exp() * worth).sum()


def test_the_policy_gradient_is_that_of_the_expected_reward():
    """Against the exact gradient over all 24 rankings of four docids; padding takes no part."""
    scores = torch.tensor([[0.3, -0.2, 0.5, 0.1]], requires_grad=True)
    relevance = torch.tensor([[0.0, 1.0, 0.0, 2.0]])
    (exact,) = torch.autograd.grad(expected_reward(scores, relevance), scores)
    wide = torch.cat([scores, torch.full((1, 1), 7.0)], 1)
    real = torch.tensor([[True, True, True, True, False]])
    padded = torch.cat([relevance, torch.full((1, 1), 3.0)], 1)
    generator = torch.Generator().manual_seed(0)
    sums = policy_gradient(wide, padded, real, reward=ndcg, samples=50_000, generator=generator)
    (found,) = torch.autograd.grad(sums.total, scores)
    assert_close(-found, exact, within=0.004)
    assert exact.abs().max() > 0.05


def test_rankings_of_one_reward_teach_nothing():
    """Each is compared with the mean of the others, which is its own reward: exactly zero, whatever is drawn."""
    scores = torch.tensor([[0.3, -0.2, 0.5]], requires_grad=True)
    real, generator = torch.ones(1, 3, dtype=torch.bool), torch.Generator().manual_seed(0)
    sums = policy_gradient(
        scores,
        torch.zeros(1, 3),
        real,
        reward=lambda ranked: torch.ones(ranked.shape[:2]),
        samples=4,
        generator=generator,
    )
    (gradient,) = torch.autograd.grad(sums.total, scores)
    assert (float(sums.total.detach()), gradient.tolist()) == (0.0, [[0.0] * 3])


def test_the_optimum_of_the_policy_is_the_best_ranking():
    """Two relevant of five docids: the expected reward goes to 1, the relevant ones to the front by grade."""
    scores = torch.zeros(1, 5, requires_grad=True)
    relevance = torch.tensor([[0.0, 1.0, 0.0, 0.0, 3.0]])
    optimizer = torch.optim.Adam([scores], lr=0.1)
    generator = torch.Generator().manual_seed(0)
    before = float(expected_reward(scores.detach(), relevance))
    for _ in range(150):
        real = torch.ones(1, 5, dtype=torch.bool)
        loss = policy_gradient(scores, relevance, real, reward=ndcg, samples=16, generator=generator).mean
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.7
    assert float(expected_reward(scores.detach(), relevance)) > 0.99
    assert scores[0].argsort(descending=True)[:2].tolist() == [4, 1]


def test_rewards_are_the_formula():
    assert_close(float(ndcg(torch.tensor([0.0, 1.0]))), 1 / math.log2(3), relative=SINGLE)
    assert float(ndcg(torch.tensor([1.0, 0.0]))) == 1.0
    assert float(ndcg(torch.zeros(3))) == 0.0
    assert float(ndcg(torch.tensor([0.0, 1.0, 0.0]), k=1)) == 0.0


def test_consistency_is_half_of_both_divergences():
    first, second = torch.randn(2, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[1.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    p, q = (torch.distributions.Categorical(logits=logits) for logits in (first, second))
    divergence = torch.distributions.kl.kl_divergence
    expected = (weights * (divergence(p, q) + divergence(q, p)) / 2).sum()
    found = consistency(first, second, weights)
    assert_close(float(found.total), float(expected), relative=SINGLE)
    assert float(found.weight) == 4.0
    assert float(consistency(first, first, weights).total) == 0.0


def test_the_optimum_of_consistency_leaves_what_dropout_hides():
    """Two inputs tell the class; one is dropped half of the time. Only the other predicts alike in both passes."""
    torch.manual_seed(0)
    model = nn.Linear(2, 2, bias=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    labels = torch.tensor([0, 1] * 32)
    sure = torch.where(labels == 0, 1.0, -1.0)
    for _ in range(200):
        seen = [torch.stack([sure, sure * (torch.rand(64) < 0.5) * 2], 1) for _ in range(2)]
        first, second = (model(one)[:, None] for one in seen)
        apart = consistency(first, second, torch.ones(64, 1)).mean
        loss = nn.functional.cross_entropy(first[:, 0], labels) + 20 * apart
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    steady, hidden = (model.weight[0] - model.weight[1]).abs().tolist()
    assert hidden < 0.02 * steady
    assert steady > 2.0
