"""What codes keep of vectors and words of BM25's weight: against naive sums, and what the report says of it."""

from __future__ import annotations

import numpy as np
import pytest
from floats import SINGLE, assert_close
from hypothesis import given
from hypothesis import strategies as st

from docid import DocidTable, InputError
from docid.quality.kept import vectors_kept, words_kept
from docid.quality.report import describe
from docid.quality.report_figure import report_table
from docid.quantisers.quantise import ResidualQuantiser
from docid.ragged import as_ragged
from docid.words import WordSets

VOCABULARY = 7
texts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=9), max_size=12)
docids = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=10)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@given(docids)
def test_each_position_takes_the_mean_of_what_is_left_away(rows: list[list[int]]) -> None:
    points = vectors(len(rows))
    rest, expected = points.astype(np.float64), []
    for position in range(max(map(len, rows))):
        before = rest.copy()
        for number, row in enumerate(rows):
            if len(row) > position:
                same = [
                    n for n, other in enumerate(rows) if other[position : position + 1] == [row[position]]
                ]
                rest[number] = before[number] - before[same].mean(axis=0)
        expected.append(1 - (rest**2).sum() / (points.astype(np.float64) ** 2).sum())
    found = vectors_kept(as_ragged(rows), points)
    # A part of the whole: what is subtracted from it has the whole's error.
    assert_close(np.array(found), np.array(expected), within=SINGLE)


def test_residual_codes_keep_at_least_what_their_quantiser_keeps() -> None:
    points = vectors(400)
    first, all_three = (ResidualQuantiser.fit(points, levels, 8, 0) for levels in (1, 3))
    kept = vectors_kept(as_ragged(all_three.encode(points)), points)
    norm = float((points.astype(np.float64) ** 2).sum()) / len(points)
    # The mean of the very points that have a code is the best that it can stand for, so never worse.
    assert kept[0] >= 1 - first.error(points, first.encode(points)) / norm - SINGLE
    assert sorted(kept) == kept


def slow_share(weights: dict[int, float], kept: set[int]) -> float:
    return sum(weight for token, weight in weights.items() if token in kept) / sum(weights.values())


@given(texts, st.integers(1, 4))
def test_words_keep_a_share_of_the_weight(documents: list[list[int]], limit: int) -> None:
    words = WordSets.choose(as_ragged(documents), VOCABULARY, limit=limit)
    row, token, weight = words.statistics.weights(as_ragged(documents), slice(0, len(documents)))
    found = words_kept(as_ragged(documents), words.statistics, words, limits=(1, limit, 9))
    own = [
        dict(zip(token[row == n].tolist(), weight[row == n].tolist(), strict=True))
        for n in range(len(documents))
    ]
    own = [weights for weights in own if weights]
    for name, size in ("1", 1), (str(limit), limit):
        best = [set(sorted(weights, key=lambda t, w=weights: (-w[t], t))[:size]) for weights in own]  # type: ignore[misc]
        shares = [slow_share(weights, kept) for weights, kept in zip(own, best, strict=True)]
        assert_close(found[name], float(np.mean(shares)) if shares else 1.0, relative=SINGLE)
    assert_close(found["set"], found[str(limit)], relative=SINGLE)
    assert_close(found["9"], 1.0, relative=SINGLE)


def test_sets_that_keep_nothing_are_seen() -> None:
    documents = as_ragged([[1, 2], [3], []])
    words = WordSets.choose(documents, VOCABULARY)
    for gone, expected in ([], 1.0), ([0], 0.5), ([0, 1], 0.0):
        fewer = words.without(np.array(gone, int))
        assert_close(words_kept(documents, words.statistics, fewer)["set"], expected, relative=SINGLE)
    assert "set" not in words_kept(documents, words.statistics)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(InputError, match="found 2 embeddings for 3 documents"):
        vectors_kept(as_ragged([[1], [2], [3]]), vectors(2))
    with pytest.raises(InputError, match="rows 1"):
        vectors_kept(as_ragged([[1], [2]]), np.array([[0.0], [np.nan]]))
    words = WordSets.choose(as_ragged([[1]]), VOCABULARY)
    with pytest.raises(InputError, match="found words of 1 documents and texts of 2"):
        words_kept(as_ragged([[1], [2]]), words.statistics, words)


def test_the_report_has_both_parts_and_says_what_to_mend_first() -> None:
    rows = [[1, 2], [1, 3], [2, 2], [2, 2]]
    table = DocidTable.build(["a", "b", "c", "c"], rows)
    points = vectors(4)
    report = describe(table, vectors=points, words={"set": 0.5, "8": 0.25})
    assert [level.kept for level in report.levels] == vectors_kept(as_ragged(rows), points)
    assert report.to_mend is not None
    text = report_table({"mine": report})
    assert "| words kept (words) | 0.500 (set) / 0.250 (8) |" in text
    assert f"{report.levels[1].kept:.3f} (2)" in text
    assert "\nmine: mend first: the unique share is 0.500" in text
    assert report.json()["to_mend"] == report.to_mend
    unique = describe(DocidTable.build(["a", "b"], [[1], [2]]))
    assert unique.to_mend is None
    assert "mend" not in report_table({"mine": unique})
    assert "| vector kept (levels) | - |" in report_table({"mine": unique})


@pytest.mark.parametrize(("shared", "mend"), [(1, False), (2, True)])
def test_below_nine_in_ten_is_to_be_mended(shared: int, mend: bool) -> None:
    # Of twenty documents two are one bucket, or three are.
    rows = [[max(number, shared)] for number in range(20)]
    report = describe(DocidTable.build([str(row[0]) for row in rows], rows))
    assert (report.to_mend is not None) == mend
