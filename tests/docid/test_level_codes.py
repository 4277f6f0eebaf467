"""Docids as codes of levels: against a slow twin, for any tokens; and for what docids there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid.errors import InputError
from docid.simultaneous import LevelCodes, SimultaneousScorer, level_codes
from docid.strategies import DocumentFields, Residual
from docid.table import DocidTable


def built(rows: list[list[int]]) -> DocidTable:
    return DocidTable.build([f"d{number}" for number in range(len(rows))], rows)


def slow(rows: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    used = [sorted(set(column)) for column in zip(*rows, strict=True)]
    width = max(map(len, used), default=0)
    codes = [
        [own.index(token) for token in column]
        for own, column in zip(used, zip(*rows, strict=True), strict=True)
    ]
    return codes, [own + [-1] * (width - len(own)) for own in used]


@st.composite
def same_length(draw: st.DrawFn) -> list[list[int]]:
    levels = draw(st.integers(1, 4))
    token = st.integers(0, 2**20 - 1) | st.integers(65_000, 66_000)
    return draw(st.lists(st.lists(token, min_size=levels, max_size=levels), max_size=12))


@given(same_length())
def test_every_document_keeps_its_tokens(rows: list[list[int]]) -> None:
    found = level_codes(built(rows))
    assert found is not None
    codes, tokens = slow(rows)
    assert found.codes.tolist() == codes
    assert found.tokens.tolist() == tokens
    assert found.codes.dtype == np.uint8


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3), min_size=2, max_size=6))
def test_docids_of_unequal_length_have_none(rows: list[list[int]]) -> None:
    assert (level_codes(built(rows)) is None) == (len({len(row) for row in rows}) > 1)


def test_more_than_a_block_of_documents_and_more_than_a_byte_of_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("docid.ragged.CHUNK", 100)
    rows = np.random.default_rng(0).integers(7, 407, (2000, 3))
    found = level_codes(built(rows.tolist()))
    assert found is not None
    assert found.codes.dtype == np.uint16
    assert np.array_equal(np.take_along_axis(found.tokens, found.codes.astype(np.int64), 1).T, rows)


def test_tokens_that_are_too_many_or_too_far_apart_are_no_codes() -> None:
    assert level_codes(built([[5], [5 + 2**20]])) is None
    assert level_codes(built([[5], [5 + 2**20 - 1]])) is not None
    assert level_codes(built([[token] for token in range(2**16)])) is not None
    assert level_codes(built([[token] for token in range(2**16 + 1)])) is None


@pytest.mark.parametrize("shared", [False, True])
def test_residual_docids_bound_to_a_model_and_saved(tmp_path: Path, shared: bool) -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    strategy = Residual(levels=3, codes=16, collisions="next", shared=shared)
    table = strategy.assign(DocumentFields(300, embeddings=vectors))
    with pytest.raises(InputError, match="new tokens without ids"):
        level_codes(table)
    # Ids in any order, as a vocabulary may have had some of the tokens before.
    ids = np.random.default_rng(1).permutation(len(table.new_tokens)) + 70_000
    table.bind(ids.tolist()).save(tmp_path / "table")
    bound = DocidTable.load(tmp_path / "table")
    found = level_codes(bound)
    assert found is not None
    for document in range(300):
        own = [found.tokens[level, code] for level, code in enumerate(found.codes[:, document])]
        assert own == bound.sequence(document).tolist()
    assert_scored_as_the_tokens_are(found, bound)


def assert_scored_as_the_tokens_are(found: LevelCodes, table: DocidTable) -> None:
    logits = np.random.default_rng(2).normal(size=(2, 3, 80_000)).astype(np.float32)
    levels = np.arange(3)[:, None]
    tables = logits[:, levels, found.tokens]
    scores = SimultaneousScorer(found.codes, found.tokens.shape[1]).code_scores(tables)
    for document in range(table.num_documents):
        sums = np.zeros(2, np.float32)
        for level, token in enumerate(table.sequence(document)):
            sums += logits[:, level, token]
        assert np.array_equal(scores[:, document], sums)


def test_no_documents_have_no_levels() -> None:
    found = level_codes(built([]))
    assert found is not None
    assert found.codes.shape == found.tokens.shape == (0, 0)
