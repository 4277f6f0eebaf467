"""The published vectors, and arguments: dtypes, shapes and ranges are checked, and the messages name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fm_index import FMIndex

DOCUMENTS = [[10, 11, 12, 2], [10, 13, 12, 2], [14, 15, 16, 17, 13, 14, 99, 2]]


@pytest.fixture(params=["fast", "compact"])
def index(request: pytest.FixtureRequest) -> FMIndex:
    return FMIndex.from_documents(DOCUMENTS, vocab_size=100, profile=request.param)


@pytest.mark.parametrize(
    ("ngram", "count", "documents", "following"),
    [
        ([10], 2, [0, 1], [11, 13]),
        ([12], 2, [0, 1], [2]),
        ([13], 2, [1, 2], [12, 14]),
        ([14], 2, [2], [15, 99]),
        ([10, 11], 1, [0], [12]),
        ([13, 14], 1, [2], [99]),
        ([12, 2], 2, [0, 1], []),
        ([77], 0, [], []),
        ([12, 2, 10], 0, [], []),
    ],
)
def test_vectors(
    index: FMIndex, ngram: list[int], count: int, documents: list[int], following: list[int]
) -> None:
    lo, hi = index.range(ngram)
    assert index.count(ngram) == count
    assert index.documents([lo], [hi])[1].tolist() == documents
    assert index.successors([lo], [hi])[1].tolist() == following


def test_document_start(index: FMIndex) -> None:
    lo, hi = index.document_start()
    offsets, tokens, counts = index.successors([lo], [hi])
    assert (offsets.tolist(), tokens.tolist(), counts.tolist()) == ([0, 2], [10, 14], [2, 1])


def test_frequency_is_occurrences() -> None:
    index = FMIndex.from_documents([[7, 8, 7, 8, 7, 8, 2], [7, 9, 2]])
    assert [index.count(g) for g in ([7, 8], [7], [7, 8, 7])] == [3, 4, 2]
    assert [index.document_frequency(g) for g in ([7, 8], [7])] == [1, 2]


def test_no_phantom_row() -> None:
    documents = [[3, 7, 2], [4, 2], [8, 3, 6, 2], [8, 3, 8, 3, 2], [6, 7, 3, 5, 3, 4, 3, 8, 5, 2]]
    index = FMIndex.from_documents([*documents, [6, 4, 3, 7, 6, 3, 2]])
    assert (index.count([6]), index.count([6, 2])) == (4, 1)


def test_empty_index() -> None:
    for documents in ([], [[]], [[], []]):
        index = FMIndex.from_documents(documents)
        assert index.num_tokens == 0
        assert index.count([]) == len(documents)
        assert index.successors(*np.array([index.document_start()]).T)[0].tolist() == [0, 0]
        index.verify()


def test_results_outlive_the_index_and_each_other(index: FMIndex) -> None:
    first = index.successors([0], [index.num_rows])
    kept = [array.copy() for array in first]
    for _ in range(5):
        index.successors([0, 0], [3, index.num_rows])
    del index
    for array, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda i: i.successors([0], [99]), ValueError, r"lo\[0\], hi\[0\]: expected 0 <= lo <= hi <= 19"),
        (lambda i: i.successors([-1], [3]), ValueError, "lo"),
        (lambda i: i.successors([3], [2]), ValueError, "lo"),
        (lambda i: i.successors([0, 0], [2]), ValueError, "hi: expected length 2, found 1"),
        (lambda i: i.successors([0.5], [2]), TypeError, "lo: expected integers"),
        (lambda i: i.successors([[0]], [[2]]), ValueError, "one dimension"),
        (lambda i: i.step([0], [2], [1, 2]), ValueError, "tokens: expected length 1"),
        (lambda i: i.step([0], [2], ["x"]), TypeError, "tokens: expected integers"),
        (lambda i: i.children([0], [3], [50], [1]), ValueError, "found token 50"),
        (lambda i: i.children([0], [3], [10], [4]), ValueError, "count 4"),
        (lambda i: i.children([0], [3], [10], [-1]), ValueError, "count -1"),
        (lambda i: i.locate([19]), ValueError, r"rows\[0\]: expected 0 to 18, found 19"),
        (lambda i: i.locate([-1]), ValueError, "rows"),
        (lambda i: i.documents_of([2**40]), ValueError, "rows"),
        (lambda i: i.documents([0], [3], -2), ValueError, "limit"),
        (lambda i: i.extract(3), ValueError, "documents"),
        (lambda i: i.extract(-1), ValueError, "documents"),
        (
            lambda i: i.top_successors([0], [3], np.zeros((1, 99), np.float32), 1),
            ValueError,
            "vocab_size 100",
        ),
        (lambda i: i.top_successors([0], [3], np.zeros((2, 100), np.float32), 1), ValueError, "scores"),
        (lambda i: i.top_successors([0], [3], np.zeros((1, 100)), 1), TypeError, "float32"),
        (lambda i: i.top_successors([0], [3], np.zeros((1, 100), np.float32), 0), ValueError, "k: expected"),
        (lambda i: setattr(i, "threads", 0), ValueError, "threads"),
    ],
)
def test_wrong_arguments(index: FMIndex, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(index)


@pytest.mark.parametrize(
    ("tokens", "offsets", "options", "error", "message"),
    [
        ([1.5], [0, 1], {}, TypeError, "tokens: expected integers"),
        ([[1]], [0, 1], {}, ValueError, "one dimension"),
        ([-1], [0, 1], {}, ValueError, r"tokens\[0\]"),
        ([2**31], [0, 1], {}, ValueError, r"tokens\[0\]"),
        ([5], [0, 1], {"vocab_size": 5}, ValueError, "vocab_size 5"),
        ([5], [0, 1], {"vocab_size": 0}, ValueError, "vocab_size"),
        ([5], [0, 1], {"profile": "small"}, ValueError, "profile"),
        ([5], [], {}, ValueError, "offsets"),
        ([5], [1, 1], {}, ValueError, "first to be 0"),
        ([5], [0, 2], {}, ValueError, "number of tokens, 1"),
        ([5], [0, 1, 0, 1], {}, ValueError, r"offsets\[2\]"),
    ],
)
def test_wrong_builds(
    tokens: Any, offsets: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FMIndex.build(tokens, offsets, **options)


def test_scores_that_are_nan_or_infinite(index: FMIndex) -> None:
    scores = np.full((1, 100), np.nan, np.float32)
    scores[0, [13, 14]] = -np.inf, 1
    tokens = index.top_successors([0], [index.num_rows], scores, 3)[1]
    assert tokens.tolist() == [2, 10, 14]


def test_a_build_reports_and_can_be_cancelled() -> None:
    stages: dict[str, float] = {}
    tokens = np.arange(1000) % 7
    FMIndex.build(tokens, [0, 1000], progress=lambda stage, fraction: stages.update({stage: fraction}))
    assert list(stages) == ["reading", "sorting", "writing rows", "writing ranks", "writing contexts"]
    assert all(0 <= fraction <= 1 for fraction in stages.values())

    def cancel(stage: str, fraction: float) -> None:
        if stage == "writing rows":
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        FMIndex.build(tokens, [0, 1000], progress=cancel)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64, np.uint8, np.uint32])
def test_token_dtypes(dtype: type) -> None:
    tokens = np.array([1, 2, 1, 2, 3, 0], dtype)[::-1][::-1]
    index = FMIndex.build(tokens, [0, 3, 6])
    assert index.count([1, 2]) == 1
    assert index.extract(1).tolist() == [2, 3, 0]
