"""Planning ahead against its obvious twin: sums over dictionaries, and the greatest of them by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.decoding.planning import Planner
from tests.genret.decoding.markov import EOS, MarkovBackbone, random_markov
from tests.genret.decoding.reference import distinct, step_scores, successors_of

DOCIDS = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]
docid_lists = st.lists(st.lists(st.integers(2, 9), min_size=1, max_size=5), min_size=1, max_size=12)


def constraint_of(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def bonuses_by_hand(first: torch.Tensor, docids: list[list[int]]) -> dict[tuple[int, ...], float]:
    """For every prefix, ends included, the greatest sum of the first step's logits over a docid below it."""
    found: dict[tuple[int, ...], float] = {}
    for sequence in distinct(docids, EOS):
        total = sum(float(first[token]) for token in sequence[:-1])
        for length in range(1, len(sequence) + 1):
            prefix = sequence[:length]
            found[prefix] = max(found.get(prefix, -np.inf), total)
    return found


def planned_by_hand(model: MarkovBackbone, query: int, docids: list[list[int]], beams: int) -> list[tuple]:
    """Beam search over lists whose beams are chosen by sum and bonus, and ranked by the sum."""
    sequences = list(distinct(docids, EOS))
    bonus = bonuses_by_hand(model.tables[query, -1], docids)
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    ended: list[tuple[tuple[int, ...], float]] = []
    while live:
        grown = []
        for prefix, total in live:
            row = model.target_logits([query], torch.tensor([[*prefix, 0]]))[0, -1]
            scores = step_scores(row, successors_of(sequences, prefix), "raw")
            grown += [((*prefix, token), total + value) for token, value in scores.items()]
        ended += [one for one in grown if one[0][-1] == EOS]
        going_on = [one for one in grown if one[0][-1] != EOS]
        live = sorted(going_on, key=lambda one: (-one[1] - bonus[one[0]], one[0]))[:beams]
    return sorted(ended, key=lambda one: (-one[1], one[0]))[:beams]


@settings(max_examples=60, deadline=None)
@given(docids=docid_lists, seed=st.integers(0, 1000))
def test_every_prefix_has_the_best_sum_below_it(docids: list[list[int]], seed: int) -> None:
    model, constraint = random_markov(2, 10, seed), constraint_of(docids)
    bonus = Planner(constraint).plan(model, [0, 1])
    for query in range(2):
        expected = bonuses_by_hand(model.tables[query, -1], docids)
        for prefix, value in expected.items():
            state = constraint.start(1, prefixes=[prefix])
            got = bonus(torch.tensor([query]), torch.tensor([prefix]), state)
            assert_close(got.item(), value, ulps=FORWARD, scale=LOGITS)


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_planned_search_is_the_one_by_hand(beams: int) -> None:
    model, constraint = random_markov(4, 10, 11), constraint_of(DOCIDS)
    bonus = Planner(constraint).plan(model, range(4))
    found = beam_search(model, range(4), constraint, beams, score="raw", look_ahead=bonus)
    for query in range(4):
        expected = planned_by_hand(model, query, DOCIDS, beams)
        assert [tuple(one.tokens) for one in found[query]] == [sequence for sequence, _ in expected]
        assert_close(
            [one.score for one in found[query]], [value for _, value in expected], ulps=FORWARD, scale=LOGITS
        )


def test_where_a_docid_is_the_sum_of_its_tokens_one_beam_finds_the_best() -> None:
    """Token scores that do not depend on the prefix: the plan knows the outcome, a plain beam does not."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1, 1, 20, generator=generator)
    tokens[..., EOS] = 0.0
    model = MarkovBackbone(tokens.expand(1, 21, 20))
    docids = torch.randint(2, 20, (200, 4), generator=generator).tolist()
    constraint = constraint_of(docids)
    best = max(map(tuple, docids), key=lambda docid: sum(tokens[0, 0, list(docid)].tolist()))
    bonus = Planner(constraint).plan(model, [0])
    plain = beam_search(model, [0], constraint, 1, score="raw")[0][0]
    planned = beam_search(
        model, [0], constraint, 1, score="raw", look_ahead=lambda q, p, s: 1e3 * bonus(q, p, s)
    )[0][0]
    assert tuple(planned.tokens[:-1]) == best
    assert planned.score > plain.score


def test_documents_that_a_filter_hides_change_no_score() -> None:
    model, constraint = random_markov(1, 10, 5), constraint_of(DOCIDS)
    bonus = Planner(constraint).plan(model, [0])
    found = beam_search(
        model, [0], constraint, len(DOCIDS), score="raw", filters=[[2, 5, 6]], look_ahead=bonus
    )[0]
    every = beam_search(model, [0], constraint, len(DOCIDS), score="raw")[0]
    assert found == [one for one in every if set(one.documents) <= {2, 5, 6}]
