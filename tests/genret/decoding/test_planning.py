"""Planning ahead against its obvious twin: sums over dictionaries, and the greatest of them by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable
from docid.ragged import as_ragged
from docid.simultaneous import WeightedTokens, level_codes
from docid.trie import DocidTrie
from docid.words import WordSets
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.decoding.planning import AskedQueries, Planner, first_step
from tests.genret.decoding.markov import EOS, MarkovBackbone, Queries, random_markov
from tests.genret.decoding.reference import distinct, step_scores, successors_of

DOCIDS = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]
docid_lists = st.lists(st.lists(st.integers(2, 9), min_size=1, max_size=5), min_size=1, max_size=12)


def constraint_of(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def test_the_first_step_is_made_once_for_all_that_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model, made = random_markov(2, 10, 0), []
    monkeypatch.setattr(
        "genret.decoding.planning.first_step", lambda *given: made.append(given) or first_step(*given)
    )
    asked = AskedQueries(model, Queries([0, 1]))
    assert asked.logits is asked.logits
    assert len(made) == 1


def planner_of(docids: list[list[int]], words: WordSets | None = None) -> Planner:
    """With codes of levels where the docids are of one length."""
    table = DocidTable.build([str(row) for row in range(len(docids))], docids)
    return Planner(constraint_of(docids), len(docids), level_codes(table), words)


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
    bonus = planner_of(docids).plan(first_step(model, Queries([0, 1])))
    for query in range(2):
        expected = bonuses_by_hand(model.tables[query, -1], docids)
        for prefix, value in expected.items():
            state = constraint.start(1, prefixes=[prefix])
            got = bonus(torch.tensor([query]), torch.tensor([prefix]), state)
            assert_close(got.item(), value, ulps=FORWARD, scale=LOGITS)


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_planned_search_is_the_one_by_hand(beams: int) -> None:
    model, constraint = random_markov(4, 10, 11), constraint_of(DOCIDS)
    bonus = planner_of(DOCIDS).plan(first_step(model, Queries(range(4))))
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
    bonus = planner_of(docids).plan(first_step(model, Queries([0])))
    plain = beam_search(model, [0], constraint, 1, score="raw")[0][0]
    planned = beam_search(
        model, [0], constraint, 1, score="raw", look_ahead=lambda q, p, s: 1e3 * bonus(q, p, s)
    )[0][0]
    assert tuple(planned.tokens[:-1]) == best
    assert planned.score > plain.score


def test_documents_that_a_filter_hides_change_no_score() -> None:
    model, constraint = random_markov(1, 10, 5), constraint_of(DOCIDS)
    bonus = planner_of(DOCIDS).plan(first_step(model, Queries([0])))
    found = beam_search(
        model, [0], constraint, len(DOCIDS), score="raw", filters=[[2, 5, 6]], look_ahead=bonus
    )[0]
    every = beam_search(model, [0], constraint, len(DOCIDS), score="raw")[0]
    assert found == [one for one in every if set(one.documents) <= {2, 5, 6}]


# Docids of one length, which are scored as codes of levels, and of any, which are scored leaf by leaf.
either = st.one_of(docid_lists, st.lists(st.lists(st.integers(2, 9), min_size=3, max_size=3), min_size=1))


@settings(max_examples=60, deadline=None)
@given(docids=either, seed=st.integers(0, 1000), data=st.data())
def test_the_best_documents_are_those_of_sums_by_hand(
    docids: list[list[int]], seed: int, data: st.DataObject
) -> None:
    """Codes, words, and documents that are hidden; documents of one docid differ by their words alone."""
    model, count = random_markov(2, 10, seed), len(docids)
    texts = [data.draw(st.lists(st.integers(0, 5), max_size=4)) for _ in docids]
    words = WordSets.choose(as_ragged(texts), 6, limit=3)
    legal = np.array([data.draw(st.booleans()) for _ in docids])
    query = WeightedTokens(
        np.array([0, 2, 3]), np.array([1, 4, 5]), np.array([0.5, 0.25, 2.0], dtype=np.float32)
    )
    planner = planner_of(docids, words)
    found = planner.best(first_step(model, Queries([0, 1])), 3, query, legal)
    shares = words.shares(np.arange(6), np.arange(count)).astype(float)
    for number, asked in enumerate([{1: 0.5, 4: 0.25}, {5: 2.0}]):
        first = model.tables[number, -1]
        scores = [
            sum(float(first[t]) for t in docids[row])
            + sum(weight * shares[word, row] for word, weight in asked.items())
            for row in range(count)
        ]
        best = sorted((row for row in range(count) if legal[row]), key=lambda row: -scores[row])[:3]
        assert_close(found[number].scores, [scores[row] for row in best], ulps=FORWARD, scale=LOGITS)
        chosen = [scores[row] for row in found[number].documents]
        assert_close(chosen, [scores[row] for row in best], ulps=FORWARD, scale=LOGITS)
        assert legal[found[number].documents].all()


@settings(max_examples=30, deadline=None)
@given(docids=either, seed=st.integers(0, 1000), data=st.data())
def test_words_and_hidden_documents_count_below_every_prefix(
    docids: list[list[int]], seed: int, data: st.DataObject
) -> None:
    model, constraint = random_markov(1, 10, seed), constraint_of(docids)
    legal = np.array([data.draw(st.booleans()) for _ in docids])
    words = WordSets.choose(as_ragged([[row % 3] for row in range(len(docids))]), 3)
    query = WeightedTokens(np.array([0, 1]), np.array([1]), np.array([1.5], dtype=np.float32))
    bonus = planner_of(docids, words).plan(first_step(model, Queries([0])), query, legal)
    first = model.tables[0, -1]
    for row, docid in enumerate(docids):
        prefix = tuple(docid[:1])
        below = [
            sum(float(first[t]) for t in other)
            + 1.5 * float(words.shares(query.tokens, np.array([place]))[0, 0])
            for place, other in enumerate(docids)
            if other[0] == docid[0] and legal[place]
        ]
        got = bonus(torch.tensor([0]), torch.tensor([prefix]), constraint.start(1, prefixes=[prefix])).item()
        if below:
            assert_close(got, max(below), ulps=FORWARD, scale=LOGITS)
        else:
            assert got == -np.inf, row


def test_many_queries_are_scored_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, planner = random_markov(5, 10, 3), planner_of([[4, 5], [4, 6], [5, 6]])
    whole = planner.best(first_step(model, Queries(range(5))), 2)
    monkeypatch.setattr("genret.decoding.planning.MOST_SCORES", 7)
    parts = planner.best(first_step(model, Queries(range(5))), 2)
    for one, other in zip(whole, parts, strict=True):
        assert one.documents.tolist() == other.documents.tolist()
        assert one.scores.tolist() == other.scores.tolist()
