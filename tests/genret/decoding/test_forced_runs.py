"""Runs of tokens without a choice: the same results as step by step, in fewer passes of the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import (
    Hypothesis,
    beam_search,
    diverse_beam_search,
    greedy_search,
    sample_without_replacement,
    traced_beam_search,
)
from tests.genret.decoding.markov import EOS, MarkovBackbone, MarkovState, random_markov

ADDRESS = [2, 3, 4, 5]
LINKS = [[*ADDRESS, 6, 7, 7, 2], [*ADDRESS, 6, 7, 7, 3], [*ADDRESS, 8, 7, 7, 4, 4], [*ADDRESS, 8, 7, 7, 5, 6]]


class Passes(MarkovBackbone):
    """Remembers how many tokens a row took in each pass."""

    def __init__(self, tables: torch.Tensor) -> None:
        super().__init__(tables)
        self.widths: list[int] = []

    def step(
        self, state: MarkovState, tokens: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, MarkovState]:
        self.widths.append(1 if tokens.dim() == 1 else tokens.shape[1])
        return super().step(state, tokens, lengths)


def trie(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def listed(found: list[list[Hypothesis]]) -> list[list[tuple[list[int], float, list[float], list[int]]]]:
    return [[(h.tokens, h.score, h.token_log_probs, h.documents) for h in row] for row in found]


def test_a_run_is_one_pass() -> None:
    """The address is 4 tokens, a run of 2 follows the choice behind it, and then the tails."""
    model = Passes(random_markov(2, 9, 0).tables)
    beam_search(model, [0, 1], trie(LINKS), num_beams=4)
    assert model.widths == [4, 3, 2]


@pytest.mark.parametrize(("options", "longest"), [({}, 4), ({"max_length": 4}, 3), ({"max_length": 2}, 1)])
def test_a_run_ends_at_the_greatest_length(options: dict[str, Any], longest: int) -> None:
    model = Passes(random_markov(1, 9, 0).tables)
    found = beam_search(model, [0], trie(LINKS), num_beams=4, **options)
    assert max(model.widths) == longest
    assert [bool(row) for row in found] == [not options]


def test_a_run_stops_before_a_docid_that_ends() -> None:
    found = beam_search(random_markov(1, 9, 0), [0], trie([[2, 3], [2, 3, 4, 5, 6], [2, 3, 4, 5, 7]]))
    assert sorted(h.tokens for h in found[0]) == [[2, 3, EOS], [2, 3, 4, 5, 6, EOS], [2, 3, 4, 5, 7, EOS]]


def test_a_run_stops_before_a_beam_ends_whose_docid_is_the_only_one_left() -> None:
    """One beam has one completion, the other has one token before its next choice: both have one successor."""
    docids = [[4, 5], [6, 7, 8, 2], [6, 7, 8, 3]]
    found = beam_search(random_markov(1, 9, 0), [0], trie(docids), num_beams=3)
    assert sorted(h.tokens for h in found[0]) == [[*docid, EOS] for docid in docids]


def test_a_filter_that_leaves_one_way_is_obeyed_on_it() -> None:
    found = beam_search(random_markov(1, 9, 0), [0], trie(LINKS), num_beams=4, filters=[[3]])
    assert [h.documents for h in found[0]] == [[3]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_runs_change_nothing(data: st.DataObject) -> None:
    """Against the traced search, which goes step by step."""
    token = st.integers(2, 4)
    run = st.lists(token, min_size=1, max_size=4)
    address, middle = data.draw(run), data.draw(run)
    heads = data.draw(st.lists(run, min_size=1, max_size=4))
    ends = data.draw(st.lists(st.lists(token, max_size=3), min_size=1, max_size=4))
    constraint = trie([[*address, *head, *middle, *end] for head in heads for end in ends])
    model = random_markov(3, 6, data.draw(st.integers(0, 10**6)))
    options: dict[str, Any] = {
        "num_beams": data.draw(st.integers(1, 4)),
        "score": data.draw(st.sampled_from(["full", "raw", "renormalised"])),
        "max_length": data.draw(st.one_of(st.none(), st.integers(3, 12))),
        "filters": data.draw(st.sampled_from([None, [[0], None, [0]]])),
    }
    stepwise, _ = traced_beam_search(model, [0, 1, 2], constraint, **options)
    found = beam_search(model, [0, 1, 2], constraint, **options)
    for mine, theirs in zip(listed(found), listed(stepwise), strict=True):
        assert [row[0] for row in mine] == [row[0] for row in theirs]
        for (_, score, log_probs, documents), (_, their_score, their_log_probs, their_documents) in zip(
            mine, theirs, strict=True
        ):
            assert_close(score, their_score, ulps=FORWARD, scale=LOGITS)
            assert_close(log_probs, their_log_probs, ulps=FORWARD, scale=LOGITS)
            assert documents == their_documents


def test_the_family_takes_runs_too() -> None:
    """Nothing is chosen in a run, so that groups, draws and walks end where all docids are found, or one."""
    for search in (diverse_beam_search, sample_without_replacement):
        model = Passes(random_markov(1, 9, 3).tables)
        found = search(model, [0], trie(LINKS), 20)
        assert sorted(h.documents for h in found[0]) == [[0], [1], [2], [3]]
        assert max(model.widths) == 4
    assert len(greedy_search(random_markov(1, 9, 3), [0], trie(LINKS))[0]) == 1
