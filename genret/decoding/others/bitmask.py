"""Sets of tokens as packed 32-bit words, in the layout and by the names that other decoders use.

Knows token ids and words; knows nothing of docids. Token v is bit v % 32 of word v // 32; a set bit is a legal
token; the bits past the vocabulary's end are zero.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from genret.constraint import Successors
from genret.constraint.ragged_tensors import row_numbers
from genret.errors import UsageError

__all__ = ["allocate_token_bitmask", "apply_token_bitmask_inplace", "fill_next_token_bitmask"]

BITS = 32


def allocate_token_bitmask(batch_size: int, vocab_size: int) -> Tensor:
    """A bitmask in which nothing is legal yet: int32 [batch_size, ceil(vocab_size / 32)], on the CPU."""
    return torch.zeros((batch_size, -(-vocab_size // BITS)), dtype=torch.int32)


def fill_next_token_bitmask(successors: Successors, bitmask: Tensor, vocab_size: int) -> None:
    """Write the legal next tokens of each row of `successors` to the same row of `bitmask`.

    Args:
        successors: of as many rows as `bitmask` has.
        bitmask: int32 [rows, words], as `allocate_token_bitmask` makes it; overwritten.
        vocab_size: how many tokens there are.

    Raises:
        UsageError: the bitmask has another shape or dtype, or a token does not fit into it.
    """
    words = -(-vocab_size // BITS)
    if bitmask.dtype != torch.int32 or bitmask.dim() != 2 or bitmask.shape[1] != words:
        raise UsageError(
            f"bitmask is {bitmask.dtype} {list(bitmask.shape)}; expected torch.int32 [rows, {words}] for a "
            f"vocabulary of {vocab_size}: use allocate_token_bitmask."
        )
    if successors.everything:
        bitmask.copy_(_full(words, vocab_size).to(bitmask.device))
        return
    if len(successors.offsets) - 1 != len(bitmask):
        raise UsageError(
            f"bitmask has {len(bitmask)} rows; expected {len(successors.offsets) - 1}, one a state."
        )
    tokens = successors.tokens
    if len(tokens) and int(tokens.max()) >= vocab_size:
        raise UsageError(f"token {int(tokens.max())} is legal but outside the vocabulary of {vocab_size}.")
    places = row_numbers(successors.offsets, len(tokens)) * words + tokens // BITS
    # Tokens are distinct within a row, so that adding their bits is or-ing them; 64 bits hold the sum.
    sums = torch.zeros(bitmask.numel(), dtype=torch.int64, device=tokens.device)
    sums.index_add_(0, places, torch.ones_like(tokens) << (tokens % BITS))
    bitmask.copy_(_as_int32(sums).view(bitmask.shape))


def apply_token_bitmask_inplace(logits: Tensor, bitmask: Tensor) -> None:
    """Set the logits of illegal tokens to -inf, in place.

    Where the logits are wider than the bitmask, the tokens past its end are illegal (models pad their output
    layers); where the bitmask is wider, its further words are not read. Either way, where they do not belong
    together there is a warning.

    Args:
        logits: float [rows, V].
        bitmask: int32 [rows, words].

    Raises:
        UsageError: the rows differ.
    """
    rows, width = logits.shape
    words = bitmask.shape[1]
    if len(bitmask) != rows:
        raise UsageError(f"bitmask has {len(bitmask)} rows; expected {rows}, as many as the logits.")
    if words != -(-width // BITS):
        warnings.warn(
            f"the bitmask covers {words * BITS} tokens and the logits {width}: tokens past the bitmask's end "
            "are taken as illegal; check that both were made for the same vocabulary.",
            stacklevel=2,
        )
    bits = torch.arange(BITS, dtype=torch.int32, device=logits.device)
    legal = ((bitmask.to(logits.device)[:, :, None] >> bits) & 1).bool().view(rows, -1)[:, :width]
    logits[:, legal.shape[1] :] = -torch.inf
    logits[:, : legal.shape[1]].masked_fill_(~legal, -torch.inf)


def _full(words: int, vocab_size: int) -> Tensor:
    sums = torch.full((words,), (1 << BITS) - 1, dtype=torch.int64)
    if vocab_size % BITS:
        sums[-1] = (1 << vocab_size % BITS) - 1
    return _as_int32(sums)


def _as_int32(words: Tensor) -> Tensor:
    """The same 32 bits, from int64 without a sign."""
    return torch.where(words >= 1 << BITS - 1, words - (1 << BITS), words).to(torch.int32)
