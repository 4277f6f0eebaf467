"""Beam search on models that fit on paper: what is found, in which order, and what never comes out."""

from __future__ import annotations

import math

import pytest
import torch
from floats import FORWARD, LOGITS, SINGLE, assert_close

from docid.trie import DocidTrie
from genret.constraint import NoConstraint, TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError, UsageError
from tests.genret.decoding.markov import EOS, PAIRS, A, B, C, MarkovBackbone, X, Y, random_markov, two_steps
from tests.genret.decoding.reference import distinct, exhaustive


def trie(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def test_a_narrow_beam_loses_the_best_docid_and_a_wide_one_finds_it() -> None:
    constraint = trie(PAIRS)
    narrow = beam_search(two_steps(), [0], constraint, num_beams=2)[0]
    assert [h.tokens for h in narrow] == [[A, X, EOS], [A, Y, EOS]]
    wide = beam_search(two_steps(), [0], constraint, num_beams=3)[0]
    assert wide[0].tokens == [C, X, EOS]
    assert_close(wide[0].score, math.log(0.2), ulps=FORWARD, scale=LOGITS)
    assert_close(wide[0].token_log_probs, [math.log(0.2), 0, 0], ulps=FORWARD, scale=LOGITS)
    assert wide[0].documents == [5]


def test_fewer_docids_than_beams_give_fewer_results() -> None:
    found = beam_search(random_markov(1, 9, 0), [0], trie([[4, 5], [6]]), num_beams=10)[0]
    assert sorted(h.tokens for h in found) == [[4, 5, EOS], [6, EOS]]


def test_no_docids_give_no_results() -> None:
    constraint = trie([[4]])
    found = beam_search(random_markov(2, 9, 0), [0, 1], constraint, filters=[[], None])
    assert [len(row) for row in found] == [0, 1]
    assert beam_search(random_markov(1, 9, 0), [], constraint) == []
    empty = TrieConstraint(DocidTrie.build([], EOS))
    assert beam_search(random_markov(1, 9, 0), [0], empty) == [[]]


def test_docids_that_begin_other_docids_and_documents_that_share_one() -> None:
    docids = [[4, 5, 6], [4], [4, 5], [4], [7]]
    found = beam_search(random_markov(1, 9, 3), [0], trie(docids), num_beams=9)[0]
    assert {tuple(h.tokens): h.documents for h in found} == distinct(docids, EOS)


def test_an_end_token_takes_no_live_place() -> None:
    """One beam: 4 could end at once with the greatest probability, and its continuation still lives."""
    table = torch.full((1, 9, 8), -20.0)
    table[0, 8, A] = 0.0
    table[0, A, EOS], table[0, A, B] = 2.0, 1.0
    table[0, B, EOS] = 0.0
    found = beam_search(MarkovBackbone(table), [0], trie([[A], [A, B]]), num_beams=2, num_return=2)[0]
    assert [h.tokens for h in found] == [[A, EOS], [A, B, EOS]]
    alone = beam_search(MarkovBackbone(table), [0], trie([[A, B], [A, B, C], [A]]), num_beams=1)[0]
    assert [h.tokens for h in alone] == [[A, EOS]]


def test_a_beam_whose_legal_successors_rank_low_stays_alive() -> None:
    """The whole vocabulary prefers what is illegal; the one docid comes out all the same, with its true score."""
    table = torch.zeros(1, 101, 100)
    table[0, :, 50:] = 9.0
    found = beam_search(MarkovBackbone(table), [0], trie([[3, 4]]), num_beams=3)[0]
    assert [h.tokens for h in found] == [[3, 4, EOS]]
    assert_close(found[0].score, -3 * math.log(50 + 50 * math.exp(9)), relative=SINGLE)


def test_equal_scores_come_in_the_order_of_their_tokens() -> None:
    uniform = MarkovBackbone(torch.zeros(1, 21, 20))
    docids = [[9, 9], [7, 8], [7, 7], [5, 5], [5, 4], [8, 8]]
    found = beam_search(uniform, [0], trie(docids), num_beams=3)[0]
    assert [h.tokens[:-1] for h in found] == [[5, 4], [5, 5], [7, 7]]


@pytest.mark.parametrize("score", ["full", "renormalised", "raw"])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, -0.5])
def test_a_wide_beam_is_exhaustive(score: str, length_penalty: float) -> None:
    docids = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]
    model = random_markov(3, 10, 7)
    for query in range(3):
        found = beam_search(
            model,
            [query],
            trie(docids),
            num_beams=8,
            score=score,
            length_penalty=length_penalty,
            max_length=9,
        )[0]
        sequences = list(distinct(docids, EOS))
        expected = exhaustive(model, lambda n, query=query: [query] * n, sequences, score, length_penalty)
        assert [tuple(h.tokens) for h in found] == [sequence for sequence, _ in expected]
        assert_close([h.score for h in found], [total for _, total in expected], ulps=FORWARD, scale=LOGITS)


def test_a_forced_prefix_holds_from_the_first_step() -> None:
    docids = [[4, 5, 6], [4, 6], [5, 4], [5, 5], [6]]
    model = random_markov(4, 9, 1)
    prefixes = [[4], [], [5, 4], [7]]
    found = beam_search(model, [0, 1, 2, 3], trie(docids), num_beams=5, prefixes=prefixes)
    assert sorted(h.tokens[:-1] for h in found[0]) == [[4, 5, 6], [4, 6]]
    assert len(found[1]) == 5
    assert [h.tokens[:-1] for h in found[2]] == [[5, 4]]
    assert found[3] == []
    free = {tuple(h.tokens): h.score for h in beam_search(model, [0], trie(docids), num_beams=5)[0]}
    assert_close(
        {tuple(h.tokens): h.score for h in found[0]},
        {tokens: value for tokens, value in free.items() if tokens[0] == 4},
        ulps=FORWARD,
        scale=LOGITS,
    )


def test_a_forced_prefix_costs_nothing_when_scores_are_renormalised() -> None:
    found = beam_search(
        random_markov(1, 9, 1), [0], trie([[4, 5], [5, 4]]), num_beams=2, prefixes=[[4]], score="renormalised"
    )[0]
    assert [h.token_log_probs for h in found] == [[0.0, 0.0, 0.0]]


def test_a_filter_shows_a_query_only_its_documents() -> None:
    docids = [[4, 5, 6], [4, 6], [5, 4], [5, 5], [6], [6], [6]]
    model = random_markov(3, 9, 1)
    filters = [[1, 4, 6], None, [3]]
    found = beam_search(model, [0, 1, 2], trie(docids), num_beams=7, filters=filters)
    assert {tuple(h.tokens[:-1]): h.documents for h in found[0]} == {(4, 6): [1], (6,): [4, 6]}
    assert {tuple(h.tokens): h.documents for h in found[1]} == distinct(docids, EOS)
    assert [h.documents for h in found[2]] == [[3]]
    free = {tuple(h.tokens): h.score for h in beam_search(model, [0], trie(docids), num_beams=7)[0]}
    assert_close(
        [h.score for h in found[0]],
        [free[tuple(h.tokens)] for h in found[0]],
        ulps=FORWARD,
        scale=LOGITS,
    )


def test_a_filter_makes_room_in_a_narrow_beam() -> None:
    """Without the filter inside the search the beam would be full of other documents."""
    docids = [[token, 5] for token in range(10, 200)]
    model = random_markov(1, 200, 5)
    ranked = [h.documents[0] for h in beam_search(model, [0], trie(docids), num_beams=190)[0]]
    wanted = ranked[-3:]
    found = beam_search(model, [0], trie(docids), num_beams=3, filters=[wanted])[0]
    assert [h.documents[0] for h in found] == wanted


def test_lengths_are_limited() -> None:
    docids = [[4], [4, 5], [4, 5, 6]]
    model = random_markov(1, 9, 1)
    found = beam_search(model, [0], trie(docids), num_beams=5, min_length=3, max_length=3)[0]
    assert [h.tokens for h in found] == [[4, 5, EOS]]


def test_batches_and_rows_that_finish_early_change_nothing() -> None:
    docids = [[4, 5, 6, 7, 8], [4], [5, 5], [6, 6, 6], [7, 4], [7, 5], [8, 8, 8, 8]]
    model = random_markov(16, 10, 11)
    constraint = trie(docids)
    together = beam_search(model, list(range(16)), constraint, num_beams=3, num_return=2)
    alone = [beam_search(model, [query], constraint, num_beams=3, num_return=2)[0] for query in range(16)]
    assert together == alone


def test_scores_do_not_depend_on_the_tails_of_other_queries() -> None:
    """Bit for bit: query 1 is completed beside a query whose tail is longer, or alone."""
    docids = [[2], [2, 7, 3, 7, 3], [5], [5, 5, 2, 2, 2, 2, 3, 4, 6, 7, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3]]
    constraint = trie(docids)
    filters = [[1], [3]]
    for seed in range(20):
        model = random_markov(2, 8, seed)
        together = beam_search(model, [0, 1], constraint, num_beams=1, filters=filters)
        alone = [beam_search(model, [q], constraint, num_beams=1, filters=[filters[q]])[0] for q in (0, 1)]
        assert together == alone


def test_free_text_is_searched_as_a_full_trie_would_be() -> None:
    """Every sequence of up to 2 tokens as a docid, against no constraint with the same length."""
    vocab = [token for token in range(6) if token != EOS]
    docids = [[a] for a in vocab] + [[a, b] for a in vocab for b in vocab]
    model = random_markov(2, 6, 2)
    limits = {"num_beams": 7, "min_length": 2, "max_length": 3}
    free = beam_search(model, [0, 1], NoConstraint(6, EOS), **limits)
    held = beam_search(model, [0, 1], trie(docids), **limits)
    assert [[(h.tokens, h.score) for h in row] for row in free] == [
        [(h.tokens, h.score) for h in row] for row in held
    ]


def test_no_constraint_ties_are_not_lost() -> None:
    uniform = MarkovBackbone(torch.zeros(1, 13, 12))
    found = beam_search(uniform, [0], NoConstraint(12, EOS), num_beams=3, min_length=2, max_length=2)[0]
    assert [h.tokens for h in found] == [[0, EOS], [2, EOS], [3, EOS]]


def test_a_finished_query_leaves_the_model() -> None:
    """Early stop: the short docid of query 0 is certain, and its long ones are not worth a step."""
    table = torch.full((2, 10, 9), -30.0)
    table[0, 9, 8], table[0, 8, EOS] = 0.0, 0.0
    docids = [[8], *[[4, token, 5, 6, 7] for token in range(2, 8)]]
    model = MarkovBackbone(table[:1])
    found = beam_search(model, [0], trie(docids), num_beams=4, num_return=1)[0]
    assert [h.tokens for h in found] == [[8, EOS]]
    fed = model.fed
    beam_search(model, [0], trie(docids), num_beams=4, num_return=4)
    assert fed <= 2 < model.fed - fed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 0}, "num_beams is 0"),
        ({"num_return": 11}, "num_return is 11; expected 1 to num_beams"),
        ({"score": "best"}, "score is 'best'; expected one of full, renormalised, raw"),
        ({"max_length": 0}, "max_length is 0"),
        ({"prefixes": [[4], [5]]}, "prefixes has 2 entries; expected one for each of the 1 queries"),
        ({"filters": []}, "filters has 0 entries"),
    ],
)
def test_arguments_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        beam_search(random_markov(1, 9, 0), [0], trie([[4]]), **options)


def test_what_cannot_be_searched_is_refused() -> None:
    model = random_markov(1, 9, 0)
    with pytest.raises(InputError, match="document 7 does not exist; expected numbers from 0 to 0"):
        beam_search(model, [0], trie([[4]]), filters=[[7]])
    with pytest.raises(UsageError, match="max_length is missing"):
        beam_search(model, [0], NoConstraint(9, EOS))
    with pytest.raises(UsageError, match="knows no documents"):
        beam_search(model, [0], NoConstraint(9, EOS), filters=[[1]], max_length=3)
    with pytest.raises(InputError, match="docids end with token 3, the model with 1"):
        beam_search(model, [0], TrieConstraint(DocidTrie.build([[4]], 3)))
    with pytest.raises(InputError, match="docids hold token 9, the model has 9 tokens"):
        beam_search(model, [0], trie([[4, 5], [4, 9]]))
    broken = MarkovBackbone(torch.full((1, 10, 9), torch.nan))
    with pytest.raises(FloatingPointError, match="are not numbers"):
        beam_search(broken, [0], trie([[4, 5], [6]]))
