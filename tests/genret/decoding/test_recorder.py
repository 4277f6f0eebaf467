"""Hypotheses of every length, and the scores of given sequences: against a model that fits on paper."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from backbones import bart, llama, t5
from floats import FORWARD, LOGITS, assert_close

from fm_index import FMIndex
from genret.constraint import FMIndexConstraint, NoConstraint
from genret.decoding import Recorded, Rescorer, recorded_beam_search
from genret.models import Backbone
from tests.genret.decoding.markov import EOS, MarkovBackbone, random_markov

DOCUMENTS = [[2, 3, 4, 5, 2, 6], [2, 3, 5, 3], [6, 4, 2, 3]]


def constraint() -> FMIndexConstraint:
    return FMIndexConstraint(FMIndex.from_documents(DOCUMENTS, vocab_size=7), EOS, finishes=False)


def ngrams(length: int) -> set[tuple[int, ...]]:
    found = set()
    for document in DOCUMENTS:
        found |= {tuple(document[i : i + length]) for i in range(len(document) - length + 1)}
    return found


def log_prob(model: MarkovBackbone, query: int, tokens: tuple[int, ...]) -> float:
    table = model.tables[query].log_softmax(-1)
    return float(sum(table[a, b] for a, b in zip((model.vocab_size, *tokens), tokens, strict=False)))


def slow_search(model: MarkovBackbone, query: int, beams: int, length: int) -> set[tuple[int, ...]]:
    """Every step's best 2 * beams n-grams that continue the best `beams` of the step before."""
    live: list[tuple[int, ...]] = [()]
    kept: set[tuple[int, ...]] = set()
    for size in range(1, length + 1):
        grown = [(*one, token) for one, token in product(live, range(7)) if (*one, token) in ngrams(size)]
        grown.sort(key=lambda one: -log_prob(model, query, one))
        kept |= set(grown[: 2 * beams])
        live = grown[:beams]
    return kept


@pytest.mark.parametrize("beams", [1, 2, 50])
def test_every_scored_ngram_is_kept_once_with_its_score(beams: int) -> None:
    model = random_markov(3, 7, 4)
    found = recorded_beam_search(model, [0, 1, 2], constraint(), beams, 4)
    assert len(found) == 3
    for query, kept in enumerate(found):
        tokens = [one.tokens for one in kept]
        assert len(set(tokens)) == len(tokens), "each is reached by one path"
        assert set(tokens) == slow_search(model, query, beams, 4)
        for one in kept:
            assert_close(one.score, log_prob(model, query, one.tokens), ulps=FORWARD, scale=LOGITS)
            assert_close(sum(one.token_scores), one.score, ulps=FORWARD, scale=LOGITS)


def test_scores_are_over_the_whole_vocabulary() -> None:
    """Pitfall 16: not renormalised over the successors, not divided by length."""
    model = random_markov(1, 7, 1)
    only = FMIndexConstraint(FMIndex.from_documents([[2, 3, 4]], vocab_size=7), EOS, finishes=False)
    kept = recorded_beam_search(model, [0], only, 3, 3, prefixes=[[2]])[0]
    assert [one.tokens for one in kept] == [(2,), (2, 3), (2, 3, 4)]
    assert_close(
        [one.score for one in kept],
        [log_prob(model, 0, one.tokens) for one in kept],
        ulps=FORWARD,
        scale=LOGITS,
    )
    assert kept[2].score < kept[1].score < kept[0].score < 0


def test_the_end_token_is_no_part_of_an_ngram() -> None:
    model = random_markov(1, 7, 1)
    ending = FMIndexConstraint(FMIndex.from_documents(DOCUMENTS, vocab_size=7), EOS)
    kept = recorded_beam_search(model, [0], ending, 20, 3)[0]
    assert all(EOS not in one.tokens for one in kept)
    assert {one.tokens for one in kept} == ngrams(1) | ngrams(2) | ngrams(3)


def test_a_search_that_nothing_constrains_records_too() -> None:
    model = random_markov(2, 7, 2)
    kept = recorded_beam_search(model, [0, 1], NoConstraint(7, EOS), 2, 2)
    assert [0 < len(row) <= 8 for row in kept] == [True, True]


@pytest.mark.parametrize("make", [t5, bart, llama], ids=lambda make: make.__name__)
def test_other_queries_of_the_batch_change_nothing(make: type) -> None:
    """Pitfall 23, for n-grams and for given sequences."""
    backbone: Backbone = make()
    texts = ["red", "the quick brown fox jumps over it"]
    documents = [[5, 6, 7, 8, 9], [5, 7, 9, 11], [10, 6, 7]]
    index = FMIndexConstraint(FMIndex.from_documents(documents), backbone.eos_token_id, finishes=False)
    given = [[[5], [6, 7]], [[5, 7, 9], [9], [10, 6]]]
    with torch.inference_mode():
        together = recorded_beam_search(backbone, backbone.encode(texts), index, 3, 3)
        scored = Rescorer(backbone, backbone.encode(texts)).scores(given)
        for place, text in enumerate(texts):
            alone = recorded_beam_search(backbone, backbone.encode([text]), index, 3, 3)[0]
            same(alone, together[place])
            single = Rescorer(backbone, backbone.encode([text])).scores([given[place]])[0]
            assert_close(single, scored[place], ulps=FORWARD, scale=LOGITS)


def same(first: list[Recorded], second: list[Recorded]) -> None:
    assert {one.tokens for one in first} == {one.tokens for one in second}
    scores = {one.tokens: one.score for one in second}
    assert_close(
        [one.score for one in first], [scores[one.tokens] for one in first], ulps=FORWARD, scale=LOGITS
    )


@pytest.mark.parametrize("make", [t5, bart, llama], ids=lambda make: make.__name__)
def test_given_sequences_score_as_teacher_forcing_and_as_the_search_scores_them(make: type) -> None:
    """Pitfall 21: the decoder's start tokens are the backbone's; foreign keys and decoded ones agree."""
    backbone: Backbone = make()
    documents = [[5, 6, 7, 8, 9], [5, 7, 9, 11], [10, 6, 7]]
    index = FMIndexConstraint(FMIndex.from_documents(documents), backbone.eos_token_id, finishes=False)
    with torch.inference_mode():
        encoded = backbone.encode(["a question", "another one"])
        found = recorded_beam_search(backbone, encoded, index, 4, 3)
        rescored = Rescorer(backbone, encoded)
        scores = rescored.scores([[one.tokens for one in row] for row in found])
        targets = torch.tensor([[5, 6, 7], [5, 7, 9]])
        logits = backbone.target_logits(encoded, targets).log_softmax(-1)
    for row, values in zip(found, scores, strict=True):
        assert_close([one.score for one in row], values, ulps=FORWARD, scale=LOGITS)
    forced = logits.gather(2, targets[..., None])[..., 0]
    assert_close(
        [row[0] for row in rescored.scores([[[5, 6, 7]], [[5, 7, 9]]])],
        forced.sum(1).tolist(),
        ulps=FORWARD,
        scale=LOGITS,
    )
    assert_close(rescored.first_tokens.exp().sum(1), torch.ones(2), ulps=FORWARD, scale=LOGITS)


def test_no_sequences_no_scores() -> None:
    model = random_markov(2, 7, 0)
    assert Rescorer(model, [0, 1]).scores([[], []]) == [[], []]
