"""The scorer against its naive twin, the published vectors, and what other scorers got wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import naive_scorer
import numpy as np
import pytest
from floats import DOUBLE, SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index import FMIndex, ShardedFMIndex
from fm_index.scoring import Keys, ScoredPassages, ScoringOptions, key_weights, score_passages
from fm_index.weights import log1mexp

DOCUMENTS = [
    [20, 21, 22, 23, 24, 2],
    [20, 30, 31, 32, 2],
    [40, 21, 22, 41, 42, 43, 2],
    [50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 2],
]
# Published to six decimals.
DIGITS = 1e-6
KEYS = Keys.from_ngrams([[21, 22], [20], [22, 41], [50, 51, 52], [22]], [-0.2, -0.5, -0.3, -1.0, -0.1])


@pytest.fixture(params=["fast", "compact", "sharded"])
def index(request: pytest.FixtureRequest) -> FMIndex | ShardedFMIndex:
    if request.param == "sharded":
        return ShardedFMIndex([FMIndex.from_documents(DOCUMENTS[:1]), FMIndex.from_documents(DOCUMENTS[1:])])
    return FMIndex.from_documents(DOCUMENTS, profile=request.param)


def pairs(found: ScoredPassages) -> list[tuple[int, float]]:
    return list(zip(found.passages.tolist(), found.scores.tolist(), strict=True))


def as_keys(keys: list[naive_scorer.Key]) -> Keys:
    return Keys.from_ngrams(
        [key.tokens for key in keys],
        [key.log_prob for key in keys],
        multipliers=np.array([key.multiplier for key in keys]),
        bonuses=np.array([key.bonus for key in keys]),
        at_start=np.array([key.at_start for key in keys], np.bool_),
        unigrams=np.array([key.unigram for key in keys], np.bool_),
    )


# ---- the vectors ------------------------------------------------------------------------------------------


def test_vectors(index: FMIndex | ShardedFMIndex) -> None:
    (found,) = score_passages(index, [KEYS])
    expected = [8.166441, 3.177944, 6.711574, 0.998241, 12.97509]
    assert_close(found.key_weights.weights, expected, within=DIGITS)
    assert found.key_weights.occurrences.tolist() == [2, 2, 1, 1, 2]
    assert found.passages.tolist() == [0, 2, 1, 3]
    assert_close(found.scores, [16.153034, 12.97509, 3.177944, 0.998241], within=DIGITS)


def test_vectors_of_the_best_single_key(index: FMIndex | ShardedFMIndex) -> None:
    (found,) = score_passages(index, [KEYS], ScoringOptions(single_key=1.0))
    assert found.passages.tolist() == [0, 2, 1, 3]
    assert_close(found.scores, [12.97509, 12.97509, 3.177944, 0.998241], within=DIGITS)


def test_matches(index: FMIndex | ShardedFMIndex) -> None:
    (found,) = score_passages(index, [KEYS], matches=True)
    assert found.matches is not None
    assert found.matches.offsets.tolist() == [0, 2, 3, 4, 5]
    assert found.matches.keys.tolist() == [4, 1, 4, 1, 3]
    assert found.matches.starts.tolist() == [2, 0, 2, 0, 0]
    assert found.matches.ends.tolist() == [3, 1, 3, 1, 3]
    assert_close(np.add.reduceat(found.matches.contributions, [0, 2, 3, 4]), found.scores, relative=DOUBLE)
    assert score_passages(index, [KEYS])[0].matches is None


# ---- the twin ---------------------------------------------------------------------------------------------

token = st.integers(0, 4)
ngram = st.lists(token, min_size=1, max_size=4)


@st.composite
def keys_of_a_query(draw: st.DrawFn) -> list[naive_scorer.Key]:
    """Few tokens and few different probabilities, so that overlaps, repetitions and ties are the rule."""
    log_prob = st.sampled_from([-5.0, -2.0, -1.0, -0.5, -0.1, -1e-9])
    plain = st.builds(
        naive_scorer.Key,
        ngram,
        log_prob,
        st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        st.sampled_from([0.0, 0.0, 1.5]),
        st.booleans(),
    )
    single = st.builds(lambda t, lp: naive_scorer.Key([t], lp, unigram=True), token, log_prob)
    return draw(st.lists(st.one_of(plain, plain, single), max_size=12))


options_of_a_run = st.builds(
    ScoringOptions,
    smoothing=st.sampled_from([0.5, 5.0]),
    length_discount=st.sampled_from([0.0, 0.25]),
    alpha=st.sampled_from([1.0, 2.0]),
    beta=st.sampled_from([0.0, 0.8, 1.0]),
    max_occurrences=st.sampled_from([1, 3, 1500]),
    max_candidates=st.sampled_from([1, 3, 1500]),
    single_key=st.sampled_from([0.0, 0.3, 1.0]),
    lm_only=st.booleans(),
    overlaps=st.booleans(),
)


@settings(max_examples=500, deadline=None)
@given(
    parts=st.lists(st.lists(st.lists(token, max_size=12), max_size=4), min_size=1, max_size=3),
    queries=st.lists(keys_of_a_query(), max_size=3),
    options=options_of_a_run,
    compact=st.booleans(),
    data=st.data(),
)
def test_scores_equal_those_of_the_twin(
    parts: list[list[list[int]]],
    queries: list[list[naive_scorer.Key]],
    options: ScoringOptions,
    compact: bool,
    data: st.DataObject,
) -> None:
    documents = [tokens for part in parts for tokens in part]
    shards = [FMIndex.from_documents(part, profile="compact" if compact else "fast") for part in parts]
    index: Any = shards[0] if len(shards) == 1 else ShardedFMIndex(shards)
    removed = frozenset[int]()
    if len(shards) > 1 and documents:
        removed = frozenset(data.draw(st.lists(st.integers(0, len(documents) - 1), max_size=3)))
        index.remove(sorted(removed))
    num_return, threads = data.draw(st.sampled_from([1, 2, 100])), data.draw(st.integers(1, 2))
    batch = [as_keys(query) for query in queries]
    wanted = data.draw(st.none() | st.lists(st.booleans(), min_size=len(documents), max_size=len(documents)))
    only = None if wanted is None else np.array(wanted, np.bool_)
    found = score_passages(
        index, batch, options, num_return=num_return, threads=threads, matches=True, documents=only
    )
    left_out = removed | {row for row, kept in enumerate(wanted or []) if not kept}
    for result, query in zip(found, queries, strict=True):
        expected = naive_scorer.rank(query, documents, options, num_return, left_out, only is not None)
        if wanted is not None:
            assert len(result.passages) == min(num_return, len(documents) - len(left_out))
        check_weights(result, query, documents, options)
        check_ranking(result, expected)


def check_weights(
    result: ScoredPassages,
    query: list[naive_scorer.Key],
    documents: list[list[int]],
    options: ScoringOptions,
) -> None:
    expected = [naive_scorer.weight(key, query, documents, options) for key in query]
    assert result.key_weights.occurrences.tolist() == [count for count, _ in expected]
    assert_close(result.key_weights.weights, [weight for _, weight in expected], relative=DOUBLE)


def check_ranking(result: ScoredPassages, expected: naive_scorer.Found) -> None:
    assert result.passages.tolist() == [d for _, d, _ in expected]
    assert_close(result.scores, [score for score, _, _ in expected], relative=DOUBLE)
    assert result.matches is not None
    assert result.matches.offsets.tolist() == np.cumsum([0, *(len(m) for _, _, m in expected)]).tolist()
    matches = [match for _, _, made in expected for match in made]
    spans = zip(result.matches.keys, result.matches.starts, result.matches.ends, strict=True)
    assert [tuple(map(int, span)) for span in spans] == [(m[0], m[2], m[3]) for m in matches]
    assert_close(result.matches.contributions, [m[1] for m in matches], relative=DOUBLE)


def test_long_passages_and_wide_tokens() -> None:
    """Covers beyond one machine word, candidates that are cut, and token ids beyond 16 bits."""
    random = np.random.default_rng(1)
    documents = [(random.integers(0, 6, 300) + 70_000).tolist() for _ in range(40)]
    query = []
    for _ in range(60):
        tokens, size = documents[random.integers(0, 40)], int(random.integers(1, 90))
        start = int(random.integers(0, 300 - size))
        query.append(naive_scorer.Key(tokens[start : start + size], float(-random.random())))
    options = ScoringOptions(max_candidates=20, max_occurrences=3000)
    (found,) = score_passages(FMIndex.from_documents(documents), [as_keys(query)], options, matches=True)
    check_ranking(found, naive_scorer.rank(query, documents, options, 100))


# ---- what published scorers got wrong ---------------------------------------------------------------------


def test_counts_of_weights_are_occurrences() -> None:
    index = FMIndex.from_documents([[7, 8, 7, 8, 7, 8, 2], [7, 9, 2]])
    (known,) = key_weights(index, [Keys.from_ngrams([[7, 8], [7]], [-1.0, -1.0])])
    assert known.occurrences.tolist() == [3, 4]


def test_a_key_never_matches_across_two_passages() -> None:
    index = FMIndex.from_documents([[1, 2], [3, 4], [2, 3]])
    (found,) = score_passages(index, [Keys.from_ngrams([[2, 3], [4, 2]], [-0.1, -0.1])])
    assert found.passages.tolist() == [2]
    assert found.key_weights.occurrences.tolist() == [1, 0]


def test_the_last_passages_title_is_found() -> None:
    """A key at the start counts there only; the last passage has a start like every other."""
    index = FMIndex.from_documents([[5, 6, 9], [1, 9, 9], [3, 5, 6], [9, 5, 6], [5, 6, 1]])
    keys = Keys.from_ngrams([[5, 6]], [-0.1], at_start=np.ones(1, np.bool_))
    (found,) = score_passages(index, [keys], matches=True)
    assert found.passages.tolist() == [0, 4]
    assert found.key_weights.occurrences.tolist() == [2]
    assert found.matches is not None
    assert found.matches.starts.tolist() == [0, 0]


def test_no_more_passages_than_hold_a_key() -> None:
    (found,) = score_passages(FMIndex.from_documents(DOCUMENTS), [KEYS], num_return=1000)
    assert len(found.passages) == 4
    assert (found.scores > 0).all()


def test_queries_without_keys_or_without_matches() -> None:
    index = FMIndex.from_documents(DOCUMENTS)
    empty, absent = Keys.from_ngrams([], []), Keys.from_ngrams([[99], [-1, 2**40]], [-0.1, -0.1])
    found = score_passages(index, [empty, absent], matches=True)
    assert [pairs(result) for result in found] == [[], []]
    assert found[1].key_weights.weights.tolist() == [0.0, 0.0]
    assert score_passages(index, []) == []
    assert pairs(score_passages(FMIndex.from_documents([]), [KEYS])[0]) == []


def test_length_does_not_change_a_score_unless_asked() -> None:
    """The sum of log-probabilities is not divided by the length behind the caller's back."""
    index = FMIndex.from_documents([[1, 2, 3], [4, 5, 6], [7]] * 3)
    keys = Keys.from_ngrams([[1, 2, 3], [4]], [-0.4, -0.4])
    plain = key_weights(index, [keys])[0].weights
    assert plain[0] == plain[1]
    shorter = key_weights(index, [keys], ScoringOptions(length_discount=0.5))[0].weights
    assert shorter[1] == plain[1]
    halved = replace(keys, log_probs=np.array([-0.1, -0.4]))
    assert shorter[0] == key_weights(index, [halved])[0].weights[0]


def test_probabilities_near_one() -> None:
    """Pitfall 22: log(1 - exp(x)) by its definition is -inf from x = -1e-17 on, and has no correct digit long before."""
    x = np.array([-1e-300, -1e-17, -1e-12, -1e-3, -0.7, -5.0, -800.0])
    expected = [
        math.log(1e-300),
        math.log(1e-17),
        math.log(1e-12),
        -6.908255320633,
        -0.686341,
        -0.00676075,
        0,
    ]
    assert_close(log1mexp(x), expected, relative=SINGLE)
    keys = Keys.from_ngrams([[20], [21], [40]], [0.0, 3e-7, -1e-12])
    weights = key_weights(FMIndex.from_documents(DOCUMENTS), [keys])[0].weights
    assert np.isfinite(weights).all()
    assert (weights > 500).all()


def test_impossible_keys_are_worth_nothing() -> None:
    index = FMIndex.from_documents(DOCUMENTS)
    keys = Keys.from_ngrams([[20], [21]], [-np.inf, -1.0])
    for options in (ScoringOptions(), ScoringOptions(lm_only=True)):
        weights = key_weights(index, [keys], options)[0].weights
        assert weights[0] == 0
        assert 0 < weights[1] < 100


def test_a_query_scores_the_same_in_every_batch() -> None:
    random = np.random.default_rng(3)
    documents = [random.integers(0, 30, random.integers(0, 60)).tolist() for _ in range(300)]
    index = FMIndex.from_documents(documents)
    queries = [
        Keys.from_ngrams(
            [random.integers(0, 30, random.integers(1, 4)).tolist() for _ in range(size)],
            -random.random(size),
        )
        for size in random.integers(0, 60, 20)
    ]
    alone = [pairs(score_passages(index, [query])[0]) for query in queries]
    for threads in (1, 3):
        together = score_passages(index, queries, threads=threads)
        assert [pairs(result) for result in together] == alone
    backwards = score_passages(index, queries[::-1], threads=2)
    assert [pairs(result) for result in backwards] == alone[::-1]


def test_ties_go_by_passage_number() -> None:
    index = FMIndex.from_documents([[9], [1, 2], [1, 2], [3], [1, 2]])
    (found,) = score_passages(index, [Keys.from_ngrams([[1, 2]], [-0.1])], num_return=2)
    assert found.passages.tolist() == [1, 2]


def test_removed_passages_never_come_out() -> None:
    index = ShardedFMIndex([FMIndex.from_documents(DOCUMENTS[:2]), FMIndex.from_documents(DOCUMENTS[2:])])
    before = score_passages(index, [KEYS])[0]
    index.remove([0, 3])
    after = score_passages(index, [KEYS], ScoringOptions(max_candidates=1))[0]
    assert pairs(after) == [pair for pair in pairs(before) if pair[0] == 2]
    assert after.key_weights.occurrences.tolist() == before.key_weights.occurrences.tolist()


def test_nested_keys_in_repetitive_passages() -> None:
    """Every place of the long keys is covered by the best one, however many there are."""
    index = FMIndex.from_documents([[1] * 20_000, [1] * 10_000])
    keys = Keys.from_ngrams([[1] * size for size in (1, 10, 100, 1000, 9999)], [-5.0, -4, -3, -2, -1])
    options = ScoringOptions(max_occurrences=10**6, lm_only=True)
    (found,) = score_passages(index, [keys], options, matches=True)
    assert found.passages.tolist() == [0, 1]
    assert found.matches is not None
    assert found.matches.keys.tolist() == [4, 3, 2, 1, 0, 4, 0]
    assert found.matches.starts.tolist() == [0, 9999, 10_999, 11_099, 11_109, 0, 9999]


# ---- arguments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Keys.from_ngrams([[]], [-1.0]), "at least one token"),
        (lambda: Keys.from_ngrams([[1]], [-1.0, -2.0]), r"log_probs: expected shape \(1,\)"),
        (lambda: Keys.from_ngrams([[1]], [0.5]), "log_probs: expected logarithms of at most 0, found 0.5"),
        (lambda: Keys.from_ngrams([[1]], [math.nan]), "log_probs"),
        (lambda: Keys.from_ngrams([[1]], [-1.0], multipliers=np.array([-1.0])), "multipliers"),
        (lambda: Keys.from_ngrams([[1]], [-1.0], bonuses=np.array([math.inf])), "bonuses"),
        (lambda: Keys.from_ngrams([[1, 2]], [-1.0], unigrams=np.ones(1, np.bool_)), "unigrams"),
        (lambda: Keys(np.array([1]), np.array([0, 2]), np.array([-1.0])), "offsets: expected to lead"),
        (lambda: ScoringOptions(smoothing=0), "smoothing: expected a number above 0, found 0"),
        (lambda: ScoringOptions(length_discount=1), "length_discount"),
        (lambda: ScoringOptions(alpha=math.nan), "alpha"),
        (lambda: ScoringOptions(beta=1.5), "beta: expected 0 to 1, found 1.5"),
        (lambda: ScoringOptions(single_key=-0.1), "single_key"),
        (lambda: ScoringOptions(max_occurrences=0), "max_occurrences"),
        (lambda: ScoringOptions(max_candidates=0), "max_candidates"),
        (lambda: score_passages(FMIndex.from_documents(DOCUMENTS), [KEYS], num_return=0), "num_return"),
        (lambda: score_passages(FMIndex.from_documents(DOCUMENTS), [KEYS], threads=0), "threads"),
        (
            lambda: score_passages(FMIndex.from_documents(DOCUMENTS), [KEYS], documents=np.ones(3, np.bool_)),
            r"documents: expected bool \[4\], found bool \[3\]",
        ),
        (
            lambda: score_passages(FMIndex.from_documents(DOCUMENTS), [KEYS], documents=np.ones(4)),  # type: ignore[arg-type]
            r"documents: expected bool \[4\], found float64 \[4\]",
        ),
    ],
)
def test_wrong_values(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_dtypes() -> None:
    with pytest.raises(TypeError, match="at_start: expected bool"):
        Keys.from_ngrams([[1]], [-1.0], at_start=np.ones(1))
    with pytest.raises(TypeError, match="tokens"):
        Keys(np.array([1.0]), np.array([0, 1]), np.array([-1.0]))
