"""What an encoder may read together: texts of any lengths, with padding; texts of one length; or each by itself.

Knows token ids and states; knows no architecture. Encoders that mix positions without a mask (Fourier transforms,
convolutions) read padding as text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from genret.errors import InputError
from genret.models.exactness.cases import REFUSALS, draw_tokens, ordinary_tokens, reason, tolerance
from genret.models.exactness.decoding import groups_of
from genret.models.exactness.paths import Company

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["ROWS", "Encode", "by_width", "encode_apart", "padded_width", "prove_encoder"]

_log = logging.getLogger(__name__)
# States [n, S, d] of token ids, int64 [n, S], and which of them are real, bool [n, S].
Encode = Callable[[Tensor, Tensor], Tensor]
Answer = TypeVar("Answer")
# Tokens of the texts that are asked for: two of unlike length, two of one.
_TEXTS = (11, 4, 4)
_CHARACTERS = 128  # of models without a vocabulary: they read code points
_COMPANIES: tuple[tuple[Company, tuple[int, ...], str], ...] = (
    ("padded", (0, 1), ""),
    ("equal", (1, 2), "only those of one length together"),
    ("alone", (1, 1), "one at a time"),
)
# A product of at least so many rows gives each of them the same bits whatever the others are: of fewer, libraries for
# matrices add up in another order (MKL: of fewer than 4, or than 12 where it shares them out among threads).
ROWS = 16
# What was found for models that are alive: another owner of the same one need not ask again.
_found: WeakKeyDictionary[PreTrainedModel, Company] = WeakKeyDictionary()


def encode_apart(encode: Encode, ids: Tensor, mask: Tensor, company: Company) -> Tensor:
    """`encode` of texts padded in any way, so that it sees only what may share a batch; zeros at padding."""
    if company == "padded" or not len(ids):
        return encode(ids, mask)
    states: Tensor | None = None
    for group in groups_of(mask.sum(1).tolist(), company == "alone"):
        mine = torch.zeros_like(mask)
        mine[group] = mask[group]
        shape = (len(group), int(mask[group[0]].sum()))
        part = encode(ids[mine].view(shape), mask[mine].view(shape))
        if states is None:
            states = part.new_zeros(*mask.shape, part.shape[-1])
        states[mine] = part.flatten(0, 1)
    assert states is not None
    return states


def padded_width(length: int) -> int:
    """What a text of `length` tokens is padded to: a step, so that most texts are of one width.

    Attention adds up a row of weights in an order that depends on the row's length: only texts of one width have the
    same bits alone and in company.
    """
    return -(-length // ROWS) * ROWS


def by_width(
    answer: Callable[[list[str]], Iterable[Answer]], texts: Sequence[str], lengths: Sequence[int]
) -> Iterator[Answer]:
    """What `answer` makes of texts, in their order, where it is only given texts that are padded to one width.

    Args:
        lengths: of the texts in tokens.
    """
    found: dict[int, Answer] = {}
    for places in groups_of([padded_width(length) for length in lengths], alone=False):
        found |= zip(places, answer([texts[place] for place in places]), strict=True)
    return (found[place] for place in range(len(texts)))


def prove_encoder(model: PreTrainedModel, encode: Encode, special: Sequence[int]) -> Company:
    """What texts may share with the encoder `model`, whose states `encode` gives: found out once, by encoding three.

    Less than everything is said in the log. A model without weights (on the meta device) is not asked.

    Args:
        special: token ids that no text holds; the first is the padding.

    Raises:
        InputError: the model cannot be run on a text, or does not repeat itself.
    """
    if model.device.type == "meta":
        return "padded"
    if model not in _found:
        _found[model] = _company(model, encode, special)
    return _found[model]


@torch.no_grad()
def _company(model: PreTrainedModel, encode: Encode, special: Sequence[int]) -> Company:
    name, generator = type(model).__name__, torch.Generator().manual_seed(0)
    plain = ordinary_tokens(getattr(model.config, "vocab_size", _CHARACTERS), special)
    texts = [draw_tokens(plain, count, generator) for count in _TEXTS]

    def states(chosen: Sequence[int]) -> list[Tensor]:
        ids = [torch.tensor(texts[text], device=model.device) for text in chosen]
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(one) for one in ids], batch_first=True).bool()
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=special[0])
        return [row[real].float() for row, real in zip(encode(padded, mask), mask, strict=True)]

    try:
        alone = [states([text])[0] for text in range(len(texts))]
    except REFUSALS as error:
        raise InputError(
            f"{name} is not supported as an encoder of texts: it cannot be run on one ({reason(error)})."
        ) from error
    for company, chosen, words in _COMPANIES:
        batches = [chosen] if company != "alone" else [(text,) for text in chosen]
        found = [part for batch in batches for part in states(batch)]
        pairs = zip(found, (alone[text] for text in chosen), strict=True)
        if all(_equal(one, truth, tolerance(model.dtype)) for one, truth in pairs):
            if words:
                _log.warning("%s reads padding as text; texts are encoded %s.", name, words)
            return company
    raise InputError(
        f"{name} is not supported as an encoder of texts: of one and the same it makes something else."
    )


def _equal(found: Tensor, expected: Tensor, deviations: float) -> bool:
    return bool((found - expected).abs().max() <= deviations * expected.std())
