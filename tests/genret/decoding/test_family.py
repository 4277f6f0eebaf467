"""The relatives of beam search: groups, samples, walks, exhaustive scoring and look-ahead."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from floats import DOUBLE, FORWARD, LOGITS, assert_close

from docid.trie import DocidTrie
from genret.constraint import NoConstraint, TrieConstraint
from genret.decoding import (
    Hypothesis,
    beam_search,
    diverse_beam_search,
    greedy_search,
    sample,
    sample_without_replacement,
    score_all,
)
from genret.decoding.sampling import log1mexp
from genret.errors import UsageError
from tests.genret.decoding.markov import EOS, MarkovBackbone, random_markov
from tests.genret.decoding.reference import distinct, exhaustive, successors_of, token_scores

DOCIDS = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]


def trie(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def probabilities(model: MarkovBackbone, query: int, docids: list[list[int]], temperature: float) -> dict:
    """What sampling draws from: each docid's product of probabilities over its legal tokens."""
    sequences = list(distinct(docids, EOS))
    scaled = MarkovBackbone(model.tables / temperature)
    found = {}
    for sequence in sequences:
        logits = scaled.target_logits([query], torch.tensor([sequence]))[0]
        found[sequence] = math.exp(sum(token_scores(logits, sequence, sequences, "renormalised")))
    return found


def diverse_by_hand(
    model: MarkovBackbone, query: int, docids: list[list[int]], each: int, groups: int, strength: float
) -> set[tuple[int, ...]]:
    """The paper's algorithm over lists."""
    sequences = list(distinct(docids, EOS))
    live: list[list[tuple[tuple[int, ...], float]]] = [[((), 0.0)] for _ in range(groups)]
    finished: list[list[tuple[tuple[int, ...], float]]] = [[] for _ in range(groups)]
    while any(live):
        chosen: Counter[int] = Counter()
        for group in range(groups):
            grown = []
            for prefix, total in live[group]:
                row = (
                    model.target_logits([query], torch.tensor([[*prefix, 0]]))[0, -1].double().log_softmax(0)
                )
                grown += [((*prefix, t), total + float(row[t])) for t in successors_of(sequences, prefix)]
            finished[group] += [entry for entry in grown if entry[0][-1] == EOS]
            alive = [entry for entry in grown if entry[0][-1] != EOS]
            alive.sort(key=lambda entry: (-(entry[1] - strength * chosen[entry[0][-1]]), entry[0]))
            live[group] = alive[:each]
            chosen.update(prefix[-1] for prefix, _ in live[group])
    best = [sorted(group, key=lambda entry: -entry[1])[:each] for group in finished]
    return {sequence for group in best for sequence, _ in group}


@pytest.mark.parametrize("strength", [0.0, 0.7, 3.0])
@pytest.mark.parametrize(("num_beams", "num_groups"), [(4, 2), (6, 3), (3, 3)])
def test_diverse_beam_search_is_the_papers(strength: float, num_beams: int, num_groups: int) -> None:
    rng = np.random.default_rng(0)
    docids = rng.integers(2, 9, (60, 4)).tolist()
    model = random_markov(4, 10, 3)
    found = diverse_beam_search(model, [0, 1, 2, 3], trie(docids), num_beams, num_groups, strength)
    for query in range(4):
        expected = diverse_by_hand(model, query, docids, num_beams // num_groups, num_groups, strength)
        assert {tuple(h.tokens) for h in found[query]} == expected


def test_one_group_is_beam_search() -> None:
    model = random_markov(3, 10, 3)
    plain = beam_search(model, [0, 1, 2], trie(DOCIDS), num_beams=4, num_return=3)
    assert diverse_beam_search(model, [0, 1, 2], trie(DOCIDS), 4, 1, 0.0, num_return=3) == plain
    assert diverse_beam_search(model, [0, 1, 2], trie(DOCIDS), 4, 1, 9.0, num_return=3) == plain


def test_groups_find_documents_in_more_places() -> None:
    """At equal k: documents whose docids begin differently, and more of them than without a penalty."""
    rng = np.random.default_rng(1)
    docids = rng.integers(2, 40, (2000, 3)).tolist()
    model = random_markov(20, 40, 3)
    queries = list(range(20))

    def spread(hypotheses: list[list[Hypothesis]]) -> tuple[int, int]:
        first = sum(len({h.tokens[0] for h in row}) for row in hypotheses)
        return first, sum(len({d for h in row for d in h.documents}) for row in hypotheses)

    constraint = trie(docids)
    plain = spread(beam_search(model, queries, constraint, num_beams=10))
    alike = spread(diverse_beam_search(model, queries, constraint, 10, 5, 0.0))
    diverse = spread(diverse_beam_search(model, queries, constraint, 10, 5, 4.0))
    assert diverse[0] > plain[0] > alike[0]
    assert diverse[1] > alike[1]


def test_diverse_free_text_is_diverse_over_a_full_trie() -> None:
    vocab = [token for token in range(7) if token != EOS]
    docids = [[a, b] for a in vocab for b in vocab]
    model = random_markov(2, 7, 5)
    options = {"num_beams": 4, "num_groups": 2, "strength": 2.0, "min_length": 3, "max_length": 3}
    free = diverse_beam_search(model, [0, 1], NoConstraint(7, EOS), **options)
    held = diverse_beam_search(model, [0, 1], trie(docids), **options)
    assert [[h.tokens for h in row] for row in free] == [[h.tokens for h in row] for row in held]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_samples_follow_the_renormalised_distribution(temperature: float) -> None:
    """Chi-square over 4,000 draws; the seed is fixed."""
    model = random_markov(1, 10, 2)
    expected = probabilities(model, 0, DOCIDS, temperature)
    assert_close(sum(expected.values()), 1, relative=DOUBLE)
    draws = sample(model, [0], trie(DOCIDS), num_samples=4000, temperature=temperature, seed=5)[0]
    counts = Counter(tuple(h.tokens) for h in draws)
    assert len(draws) == 4000
    assert set(counts) <= set(expected)
    statistic = sum((counts[key] - 4000 * p) ** 2 / (4000 * p) for key, p in expected.items())
    assert statistic < 24.3  # 0.1 % point of chi-square with 7 degrees of freedom


def test_a_sample_reports_the_models_score() -> None:
    model = random_markov(1, 10, 2)
    expected = dict(exhaustive(model, lambda n: [0] * n, list(distinct(DOCIDS, EOS)), "full"))
    (found,) = sample(model, [0], trie(DOCIDS), num_samples=20, temperature=3.0)
    assert len(found) == 20
    for h in found:
        assert_close(h.score, expected[tuple(h.tokens)], ulps=FORWARD, scale=LOGITS)
        assert_close(sum(h.token_log_probs), h.score, ulps=FORWARD, scale=LOGITS)


def test_sampling_without_replacement_draws_each_docid_once() -> None:
    model = random_markov(2, 10, 2)
    found = sample_without_replacement(model, [0, 1], trie(DOCIDS), num_samples=20)
    assert len(found) == 2
    for draws in found:
        assert sorted(tuple(h.tokens) for h in draws) == sorted(distinct(DOCIDS, EOS))
    assert [len(row) for row in sample_without_replacement(model, [0], trie(DOCIDS), num_samples=3)] == [3]


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_first_draws_without_replacement_have_the_right_distribution(num_samples: int) -> None:
    """The first draw is a plain draw; the second is one among the others. 3,000 queries are the repeats."""
    docids = [[4, 5, 6], [4, 5], [4, 9], [8], [9, 4]]
    model = random_markov(1, 10, 2)
    many = MarkovBackbone(model.tables.expand(3000, -1, -1))
    draws = sample_without_replacement(many, range(3000), trie(docids), num_samples=num_samples, seed=1)
    p = probabilities(model, 0, docids, 1.0)
    first = Counter(tuple(row[0].tokens) for row in draws)
    assert sum((first[key] - 3000 * q) ** 2 / (3000 * q) for key, q in p.items()) < 18.5
    if num_samples > 1:
        second = Counter(tuple(row[1].tokens) for row in draws)
        expected = {
            key: 3000 * sum(p[other] * p[key] / (1 - p[other]) for other in p if other != key) for key in p
        }
        assert sum((second[key] - n) ** 2 / n for key, n in expected.items()) < 18.5


def test_log1mexp_near_zero_and_far_away() -> None:
    x = torch.tensor([-1e-12, -1e-3, -0.6931, -0.6932, -5.0, -50.0], dtype=torch.float64)
    with localcontext(prec=60):
        expected = [float((1 - Decimal(float(v)).exp()).ln()) for v in x]
    assert_close(log1mexp(x).tolist(), expected, relative=DOUBLE)
    assert log1mexp(torch.tensor([0.0], dtype=torch.float64)).item() == -math.inf


def test_greedy_takes_the_likeliest_legal_token_and_stops_at_an_end() -> None:
    model = random_markov(4, 10, 8)
    sequences = list(distinct(DOCIDS, EOS))
    queries = [0, 1, 2, 3]
    for query, found in zip(queries, greedy_search(model, queries, trie(DOCIDS)), strict=True):
        prefix: tuple[int, ...] = ()
        while not prefix or prefix[-1] != EOS:
            row = model.target_logits([query], torch.tensor([[*prefix, 0]]))[0, -1]
            legal = successors_of(sequences, prefix)
            prefix = (*prefix, legal[int(row[legal].argmax())])
        assert [tuple(h.tokens) for h in found] == [prefix]


def test_greedy_ties_go_to_the_first_token() -> None:
    uniform = MarkovBackbone(torch.zeros(1, 11, 10))
    assert greedy_search(uniform, [0], trie([[7], [5, 6], [5, 4]]))[0][0].tokens == [5, 4, EOS]


@pytest.mark.parametrize("score", ["full", "renormalised", "raw"])
def test_all_docids_of_a_small_trie_are_scored(score: str) -> None:
    model = random_markov(2, 10, 7)
    found = score_all(model, [0, 1], trie(DOCIDS), score=score)
    for query in range(2):
        expected = exhaustive(model, lambda n, query=query: [query] * n, list(distinct(DOCIDS, EOS)), score)
        assert [tuple(h.tokens) for h in found[query]] == [sequence for sequence, _ in expected]
        assert_close(
            [h.score for h in found[query]], [value for _, value in expected], ulps=FORWARD, scale=LOGITS
        )


def test_a_look_ahead_bonus_saves_a_prefix_and_leaves_its_score() -> None:
    """The vector of the narrow beam: with a bonus on what leads to c x, two beams find it."""
    table = torch.full((1, 9, 8), -torch.inf)
    table[0, 8, [2, 3, 4]] = torch.tensor([0.5, 0.3, 0.2]).log()
    table[0, 2, [5, 6, 7]] = torch.tensor([0.34, 0.335, 0.325]).log()
    table[0, 3, [5, 6]] = torch.tensor([0.5, 0.5]).log()
    table[0, 4, 5] = 0.0
    table[0, [5, 6, 7], EOS] = 0.0
    docids = [[2, 5], [2, 6], [2, 7], [3, 5], [3, 6], [4, 5]]
    seen = []

    def bonus(queries: torch.Tensor, prefixes: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        seen.append((queries.tolist(), prefixes.tolist(), len(states)))
        return (prefixes[:, 0] == 4) * 2.0

    found = beam_search(MarkovBackbone(table), [0], trie(docids), num_beams=2, look_ahead=bonus)[0]
    assert found[0].tokens == [4, 5, EOS]
    assert_close(found[0].score, math.log(0.2), ulps=FORWARD, scale=LOGITS)
    assert seen[0] == ([0, 0, 0], [[2], [3], [4]], 3)


@pytest.mark.parametrize("score", ["full", "renormalised", "raw"])
def test_without_a_bonus_look_ahead_is_beam_search(score: str) -> None:
    model = random_markov(3, 10, 3)
    plain = beam_search(model, [0, 1, 2], trie(DOCIDS), num_beams=3, score=score)
    none = beam_search(
        model,
        [0, 1, 2],
        trie(DOCIDS),
        num_beams=3,
        score=score,
        look_ahead=lambda q, p, s: torch.zeros(len(q)),
    )
    assert none == plain


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, c: diverse_beam_search(m, [0], c, 10, 3),
            "num_groups is 3; expected a divisor of num_beams",
        ),
        (lambda m, c: diverse_beam_search(m, [0], c, 10, 5, -1.0), "strength is -1.0"),
        (lambda m, c: sample(m, [0], c, 0), "num_samples is 0"),
        (lambda m, c: sample(m, [0], c, temperature=0.0), "temperature is 0.0"),
        (lambda m, c: sample_without_replacement(m, [0], c, temperature=math.nan), "temperature is nan"),
    ],
)
def test_arguments_out_of_range_are_named(call: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(random_markov(1, 10, 0), trie(DOCIDS))  # type: ignore[operator]
