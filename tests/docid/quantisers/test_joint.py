"""Codes chosen by what errors do to scores, and vectors of all levels that are learned together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from floats import DOUBLE, FORWARD, SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.quantisers import joint
from docid.quantisers.joint import JointQuantiser, score_metric
from docid.quantisers.quantise import ResidualQuantiser
from docid.strategies import DocumentFields, Residual, load_strategy
from fm_index.container import ArtefactError


def unlike(count: int, seed: int = 0, dimensions: int = 12) -> np.ndarray:
    """Vectors that differ sixteen times as much along the first direction as along the last."""
    spread = np.geomspace(4, 0.25, dimensions)
    return (np.random.default_rng(seed).normal(size=(count, dimensions)) * spread).astype(np.float32)


def learned_by_hand(quantiser: JointQuantiser, points: np.ndarray, rounds: int) -> np.ndarray:
    """Each vector in its turn moves to the mean of what the codes of the other levels leave of its documents."""
    codes = quantiser.encode(points)
    back = np.linalg.inv(quantiser.metric.astype(np.float64))
    found = quantiser.codebooks.astype(np.float64) @ back
    for _ in range(rounds):
        for level in range(codes.shape[1]):
            for code in np.unique(codes[:, level]):
                members = np.flatnonzero(codes[:, level] == code)
                others = [
                    sum(found[other, codes[row, other]] for other in range(codes.shape[1]) if other != level)
                    for row in members
                ]
                found[level, code] = (points[members].astype(np.float64) - others).mean(0)
    return found


def test_vectors_are_those_of_rounds_by_hand() -> None:
    points = unlike(120)
    quantiser = JointQuantiser.learn(points, 3, 6, 0)
    expected = learned_by_hand(quantiser, points, joint.ROUNDS)
    # What is left over is rounded in each of the rounds, for each of the levels.
    assert_close(quantiser.vectors, expected, ulps=FORWARD, scale=float(np.abs(points).max()))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 60),
    st.integers(1, 4),
    st.integers(2, 9),
    st.integers(0, 99),
    st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_no_round_adds_error(count: int, levels: int, codes: int, seed: int, scale: float) -> None:
    points = unlike(count, seed, dimensions=5) * np.float32(scale)
    errors = []
    with pytest.MonkeyPatch.context() as patch:
        for rounds in (0, 1, 4):
            patch.setattr(joint, "ROUNDS", rounds)
            quantiser = JointQuantiser.learn(points, levels, codes, 0)
            errors.append(quantiser.error(points, quantiser.encode(points)))
    assert np.isfinite(errors).all()
    slack = SINGLE * float(np.square(points, dtype=np.float64).sum(1).mean())
    assert errors[1] <= errors[0] + slack
    assert errors[2] <= errors[1] + slack


def test_the_metric_is_the_root_of_the_shrunk_covariance() -> None:
    points = unlike(500)
    metric = score_metric(points, np.arange(500)).astype(np.float64)
    covariance = np.cov(points.T.astype(np.float64), bias=True)
    mean = float(np.trace(covariance)) / len(covariance)
    expected = (covariance / mean + joint.FLOOR * np.eye(len(covariance))) / (1 + joint.FLOOR)
    # The metric is rounded to float32.
    assert_close(metric @ metric, expected, within=SINGLE * float(np.abs(expected).max()))
    assert_close(metric, metric.T, within=DOUBLE)


@pytest.mark.parametrize("points", [np.ones((4, 3), np.float32), np.zeros((1, 3), np.float32)])
def test_vectors_that_are_all_alike_have_no_metric(points: np.ndarray) -> None:
    np.testing.assert_array_equal(score_metric(points, np.arange(len(points))), np.eye(3, dtype=np.float32))
    quantiser = JointQuantiser.learn(points, 2, 2, 0)
    np.testing.assert_array_equal(quantiser.decode(quantiser.encode(points)), points)


def test_scores_err_less_than_with_residual_codes() -> None:
    """Of queries that differ as documents do, with the same levels and codes."""
    points, queries = unlike(2000), unlike(200, seed=1)
    errors = []
    for quantiser in (ResidualQuantiser.fit(points, 4, 16, 0), JointQuantiser.learn(points, 4, 16, 0)):
        left = points - quantiser.decode(quantiser.encode(points))
        errors.append(float(np.square(queries @ left.T, dtype=np.float64).mean()))
    assert errors[1] < 0.8 * errors[0]


def test_a_sample_serves_where_documents_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors are learned from the sample alone, whatever the other documents are."""
    points = unlike(900)
    monkeypatch.setattr(joint, "SAMPLE", 300)
    rows = joint._sample(900, 0)
    assert len(np.unique(rows)) == 300
    assert (np.diff(rows) > 0).all()
    of_sample, of_all = (
        joint._learned(JointQuantiser.learn(points, 4, 8, 0), points, chosen)
        for chosen in (rows, np.arange(900))
    )
    np.testing.assert_array_equal(
        of_sample, joint._learned(JointQuantiser.learn(points, 4, 8, 0), points[rows], np.arange(300))
    )
    assert not np.array_equal(of_sample, of_all)


def test_a_strategy_keeps_its_vectors_and_their_metric(tmp_path: Path) -> None:
    points = unlike(90)
    strategy = Residual(levels=3, codes=5)
    strategy.assign(DocumentFields(90, embeddings=points))
    strategy.save(tmp_path / "strategy")
    again = load_strategy(tmp_path / "strategy")
    assert isinstance(again, Residual)
    ours, theirs = strategy.quantiser(), again.quantiser()
    np.testing.assert_array_equal(ours.encode(points), theirs.encode(points))
    np.testing.assert_array_equal(ours.code_vectors, theirs.code_vectors)
    assert not np.array_equal(theirs.code_vectors, theirs.codebooks)


def test_a_strategy_of_before_stands_for_its_codebooks(tmp_path: Path) -> None:
    points = unlike(90)
    strategy = Residual(levels=3, codes=5)
    strategy.assign(DocumentFields(90, embeddings=points))
    state = strategy.state or {}
    strategy.state = {name: state[name] for name in ("codebooks", "biases", "kept")}
    strategy.save(tmp_path / "before")
    again = load_strategy(tmp_path / "before")
    assert isinstance(again, Residual)
    np.testing.assert_array_equal(again.quantiser().code_vectors, state["codebooks"])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("vectors", np.ones((3, 5, 11), np.float32), "one finite vector a code"),
        ("vectors", np.full((3, 5, 12), np.nan, np.float32), "one finite vector a code"),
        ("metric", np.eye(11, dtype=np.float32), "its metric is not a square"),
        ("metric", np.full((12, 12), np.inf, np.float32), "its metric is not a square"),
        ("metric", None, "its codebooks are missing"),
    ],
)
def test_damaged_vectors_are_named(tmp_path: Path, name: str, array: np.ndarray | None, message: str) -> None:
    strategy = Residual(levels=3, codes=5)
    strategy.assign(DocumentFields(90, embeddings=unlike(90)))
    state = {key: one for key, one in (strategy.state or {}).items() if key != name}
    strategy.state = state if array is None else {**state, name: array}
    strategy.save(tmp_path / "strategy")
    with pytest.raises(ArtefactError, match=message):
        load_strategy(tmp_path / "strategy")
