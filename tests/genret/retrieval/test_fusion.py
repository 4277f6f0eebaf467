"""Several runs as one."""

from __future__ import annotations

import pytest
from floats import DOUBLE, assert_close

from genret.errors import UsageError
from genret.retrieval.fusion import fuse_runs

NGRAMS = {"q": [("a", 10.0), ("b", 6.0), ("c", 2.0)], "r": [("x", 1.0)]}
DOCIDS = {"q": [("c", -1.0), ("d", -2.0)]}


def test_a_weighted_sum_of_scaled_scores() -> None:
    fused = fuse_runs([NGRAMS, DOCIDS], [1.0, 0.5])
    assert fused == {"q": [("a", 1.0), ("b", 0.5), ("c", 0.5), ("d", 0.0)], "r": [("x", 1.0)]}
    assert fuse_runs([NGRAMS, DOCIDS], depth=1)["q"] == [("a", 1.0)]


def test_equal_scores_stand_in_the_order_of_ids_whatever_the_order_of_the_runs() -> None:
    runs = [{"q": [("b", 1.0)]}, {"q": [("a", 1.0)]}]
    assert fuse_runs(runs) == fuse_runs(runs[::-1]) == {"q": [("a", 1.0), ("b", 1.0)]}


def test_equal_scores_stand_in_the_order_of_the_corpus_where_it_is_given() -> None:
    runs = [{"q": [("b", 1.0), ("c", 0.5)]}, {"q": [("a", 1.0)]}]
    fused = fuse_runs(runs, method="reciprocal", passage_ids=["c", "b", "a"])
    assert [name for name, _ in fused["q"]] == ["b", "a", "c"]


def test_reciprocal_ranks() -> None:
    fused = dict(fuse_runs([NGRAMS, DOCIDS], method="reciprocal")["q"])
    assert_close(fused, {"c": 1 / 63 + 1 / 61, "a": 1 / 61, "b": 1 / 62, "d": 1 / 62}, relative=DOUBLE)
    assert [name for name, _ in fuse_runs([NGRAMS, DOCIDS], method="reciprocal")["q"]] == ["c", "a", "b", "d"]


def test_a_query_without_hits_stays() -> None:
    assert fuse_runs([{"q": []}, {}]) == {"q": []}


def test_refusals() -> None:
    with pytest.raises(UsageError, match="a weight for each"):
        fuse_runs([NGRAMS], [1.0, 2.0])
    with pytest.raises(UsageError, match="expected runs"):
        fuse_runs([])
