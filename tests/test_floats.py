"""Floats are compared by `floats`, and nowhere else: the bound is said and the reason can be looked up."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from floats import assert_close, close

TESTS = Path(__file__).parent
# What libraries offer for the same, each with a default bound of its own.
OTHERS = {
    "approx",
    "allclose",
    "assert_allclose",
    "assert_almost_equal",
    "assert_approx_equal",
    "assert_array_almost_equal",
    "assert_array_almost_equal_nulp",
    "assert_array_max_ulp",
    "assertAlmostEqual",
    "isclose",
}


def imported_names(tree: ast.AST) -> set[str]:
    """What a file imports from `floats`."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "floats"
        for alias in node.names
    }


def raw_comparisons(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each comparison of floats that does not go through `floats`."""
    tree = ast.parse(source)
    ours = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in OTHERS or (alias.name == "assert_close" and node.module != "floats"):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.Attribute) and node.attr in {*OTHERS, "assert_close"}:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name) and node.id == "assert_close" and node.id not in ours:
            yield node.lineno, node.id
        elif isinstance(node, ast.Compare) and any(map(_is_distance, [node.left, *node.comparators])):
            yield node.lineno, "abs() compared"


def _is_distance(node: ast.expr) -> bool:
    """The absolute value of a difference, as the builtin, a method or numpy's function; perhaps its maximum."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"max", "amax", "item", "mean"}:
        return _is_distance(node.func.value)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in {"max", "float"}:
        return any(map(_is_distance, node.args))
    inside = [*node.args, node.func]
    subtracts = any(
        isinstance(one, ast.BinOp) and isinstance(one.op, ast.Sub) for arg in inside for one in ast.walk(arg)
    )
    return name in {"abs", "fabs", "absolute"} and subtracts


def test_every_comparison_of_floats_goes_through_one_helper() -> None:
    faults = [
        f"{path.relative_to(TESTS)}:{line}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        if path.name not in {"floats.py"}
        for line, name in raw_comparisons(path.read_text(encoding="utf-8"))
    ]
    assert not faults, "use floats.assert_close or floats.close:\n" + "\n".join(faults)


@pytest.mark.parametrize(
    "line",
    [
        "assert a == pytest.approx(b)",
        "from pytest import approx",
        "np.testing.assert_allclose(a, b)",
        "torch.testing.assert_close(a, b)",
        "assert_close(a, b)",
        "assert torch.isclose(a, b).all()",
        "assert abs(a - b) < 1e-6",
        "assert (a - b).abs().max() < 1e-6",
        "assert float(np.abs(a - b).max()) <= 1e-6",
        "assert max(abs(a - b), 1) < 1e-6",
    ],
)
def test_a_raw_comparison_is_seen(line: str) -> None:
    assert list(raw_comparisons(line))


@pytest.mark.parametrize("line", ["assert abs(a) < 3", "assert a - b < 3", "from floats import assert_close"])
def test_other_lines_are_left_alone(line: str) -> None:
    assert not list(raw_comparisons(line))


def test_units_are_those_of_the_largest_number() -> None:
    unit = 2.0**-20  # the last place of float32 numbers from 8 to 16
    assert close([9.5 + 2 * unit, 1e-9 + 2 * unit], [9.5, 1e-9], ulps=2)
    assert not close([9.5 + 2 * unit, 1e-9], [9.5, 1e-9], ulps=1)
    assert not close([1.0 + 2 * unit], [1.0], ulps=2)
    assert close([1.0 + 2 * unit], [1.0], ulps=2, scale=9.5)
    assert close(np.float32([9.5]), torch.tensor([9.5]), ulps=0)


def test_relative_bounds_are_those_of_each_number() -> None:
    assert close({"a": 1000.5, "b": 0.0}, {"a": 1000.0, "b": 0.0}, relative=1e-3)
    assert not close([1000.0, 0.5], [1000.0, 0.0], relative=1e-3)
    assert close(0.51, 0.5, within=0.011)
    assert not close(0.52, 0.5, within=0.011)


def test_what_is_no_number_or_of_another_shape_is_never_close() -> None:
    assert close([math.inf, -math.inf], [math.inf, -math.inf], relative=0.1)
    assert not close([math.inf], [-math.inf], within=1e30)
    assert not close([math.nan], [math.nan], within=1e30)
    assert not close([1e300], [math.inf], relative=0.5)
    with pytest.raises(AssertionError, match=r"shapes differ: found \(2,\), expected \(1,\)"):
        assert_close([1.0, 1.0], [1.0], within=1)
    with pytest.raises(AssertionError, match="keys differ: \\['b'\\]"):
        assert_close({"a": 1.0, "b": 1.0}, {"a": 1.0}, within=1)
    with pytest.raises(AssertionError, match=r"1 of 2 numbers .* at b: found 3, expected 1, 2 apart"):
        assert_close({"a": 1.0, "b": 3.0}, {"a": 1.0, "b": 1.0}, within=1)


@pytest.mark.parametrize("bounds", [{}, {"ulps": 1, "within": 1.0}])
def test_one_bound_must_be_said(bounds: dict[str, float]) -> None:
    with pytest.raises(TypeError, match="one bound"):
        assert_close(1.0, 1.0, **bounds)
