"""Packed sets of legal tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import NoConstraint, Successors, TrieConstraint
from genret.decoding.others.bitmask import (
    allocate_token_bitmask,
    apply_token_bitmask_inplace,
    fill_next_token_bitmask,
)
from genret.errors import UsageError


def filled(rows: list[list[int]], vocab_size: int) -> torch.Tensor:
    offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
    tokens = torch.tensor([token for row in rows for token in row], dtype=torch.int64)
    bitmask = torch.full_like(allocate_token_bitmask(len(rows), vocab_size), -7)
    fill_next_token_bitmask(Successors(offsets, tokens), bitmask, vocab_size)
    return bitmask


def test_the_layout_of_the_words() -> None:
    bitmask = filled([[0, 31, 32, 39], []], 40)
    assert bitmask.dtype == torch.int32
    assert bitmask.tolist() == [[-2147483647, 129], [0, 0]]


@given(st.lists(st.sets(st.integers(0, 69)), min_size=1, max_size=4), st.integers(70, 100))
def test_a_mask_keeps_exactly_the_legal_logits(rows: list[set[int]], vocab_size: int) -> None:
    bitmask = filled([sorted(row) for row in rows], vocab_size)
    logits = torch.zeros(len(rows), vocab_size)
    apply_token_bitmask_inplace(logits, bitmask)
    assert [set(row.isfinite().nonzero().squeeze(1).tolist()) for row in logits] == rows


def test_from_a_trie_and_from_no_constraint() -> None:
    constraint = TrieConstraint(DocidTrie.build([[4, 5], [33]], 1))
    bitmask = allocate_token_bitmask(1, 40)
    fill_next_token_bitmask(constraint.successors(constraint.start(1)), bitmask, 40)
    assert bitmask.tolist() == [[16, 2]]
    free = NoConstraint(40, 1)
    fill_next_token_bitmask(free.successors(free.start(1)), bitmask, 40)
    assert bitmask.tolist() == [[-1, 255]]  # tail bits are zero


def test_widths_that_do_not_belong_together_give_a_warning() -> None:
    logits = torch.zeros(1, 70)
    with pytest.warns(UserWarning, match="covers 64 tokens and the logits 70"):
        apply_token_bitmask_inplace(logits, filled([[0, 63]], 64))
    assert logits.isfinite().nonzero()[:, 1].tolist() == [0, 63]
    narrow = torch.zeros(1, 20)
    with pytest.warns(UserWarning, match="covers 64 tokens and the logits 20"):
        apply_token_bitmask_inplace(narrow, filled([[3, 63]], 64))
    assert narrow.isfinite().nonzero()[:, 1].tolist() == [3]


def test_what_does_not_fit_is_refused() -> None:
    successors = Successors(torch.tensor([0, 1]), torch.tensor([40]))
    with pytest.raises(UsageError, match="token 40 is legal but outside the vocabulary of 40"):
        fill_next_token_bitmask(successors, allocate_token_bitmask(1, 40), 40)
    with pytest.raises(UsageError, match=r"expected torch.int32 \[rows, 2\]"):
        fill_next_token_bitmask(successors, torch.zeros(1, 3, dtype=torch.int32), 40)
    with pytest.raises(UsageError, match="bitmask has 2 rows; expected 1"):
        fill_next_token_bitmask(successors, allocate_token_bitmask(2, 60), 60)
    with pytest.raises(UsageError, match="bitmask has 2 rows; expected 1"):
        apply_token_bitmask_inplace(torch.zeros(1, 60), allocate_token_bitmask(2, 60))
