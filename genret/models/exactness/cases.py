"""What a backbone is asked at load: sources, the sequences of five beams over them, and what counts as wrong.

Knows token ids; knows no model's inner parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genret.models.positions import lengths_that_matter
from genret.tokenizer.special_ids import special_ids

if TYPE_CHECKING:
    from genret.models.pretrained import PretrainedBackbone
from genret.errors import InputError

__all__ = [
    "BEAMS",
    "REFUSALS",
    "AnsweredCase",
    "Case",
    "cases_of",
    "crossed",
    "draw_tokens",
    "ordinary_tokens",
    "reason",
    "tolerance",
]

# Tokens of the three sources: unlike, so that a batch of them is padded.
_SOURCES = (4, 9, 6)
# The source of each of the five beams.
BEAMS = (0, 0, 1, 1, 2)
# Tokens of a beam: one, one, several, up to three, one; see `walk`.
STREAM = 6
SEVERAL = 2
# What modelling code raises when it is given what it does not expect.
REFUSALS = (
    RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError, AssertionError,
    InputError, UnboundLocalError, ZeroDivisionError,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Sequences to decode.

    Attributes:
        name: what is special about it.
        sources: token ids of three sources of unlike length.
        streams: for each of the five beams (`BEAMS`) the tokens that it takes, in order.
        several: how many tokens are fed together in the middle.
        length: the length that the case crosses, or None.
        special: the special tokens in `streams`.
    """

    name: str
    sources: list[list[int]]
    streams: list[list[int]]
    several: int = SEVERAL
    length: int | None = None
    special: tuple[int, ...] = ()


@dataclass(frozen=True)
class AnsweredCase:
    """A case, and transformers' own logits [T + 1, V] of each of its streams, computed one at a time."""

    case: Case
    truths: list[Tensor]

    @classmethod
    def of(cls, backbone: PretrainedBackbone, case: Case) -> AnsweredCase:
        """Ask the model."""
        beams = zip(BEAMS, case.streams, strict=True)
        return cls(
            case, [backbone.bare_logits(case.sources[source], stream).float() for source, stream in beams]
        )

    @classmethod
    def joined(cls, several: Sequence[AnsweredCase]) -> AnsweredCase:
        """Cases that feed equal numbers of tokens, as one with the sources and streams of all."""
        cases = [one.case for one in several]
        sources = [source for case in cases for source in case.sources]
        streams = [stream for case in cases for stream in case.streams]
        name = ", ".join(case.name for case in cases)
        case = replace(cases[0], name=name, sources=sources, streams=streams)
        return cls(case, [truth for one in several for truth in one.truths])


def crossed(backbone: PretrainedBackbone) -> list[int]:
    """Lengths that matter to the model, ascending, which its sequences may grow beyond."""
    return sorted(
        length for length in lengths_that_matter(backbone.model.config) if length < backbone.longest()
    )


def ordinary_tokens(size: int, special: Sequence[int]) -> list[int]:
    """Some tokens of a vocabulary of `size` that are not special; all where there are no others."""
    return [token for token in range(min(size, 4096)) if token not in special] or list(range(size))


def draw_tokens(tokens: Sequence[int], count: int, generator: torch.Generator) -> list[int]:
    """`count` of `tokens`, drawn with repeats."""
    return [tokens[place] for place in torch.randint(len(tokens), (count,), generator=generator).tolist()]


def cases_of(backbone: PretrainedBackbone) -> list[Case]:
    """The plain case first; then one with special tokens; then one for each length that matters to the model."""
    plain, special = _tokens(backbone)
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> list[int]:
        return draw_tokens(plain, count, generator)

    def case(name: str, sources: tuple[int, ...], several: int = SEVERAL, length: int | None = None) -> Case:
        streams = [draw(STREAM + several) for _ in BEAMS]
        streams[3][0] = streams[2][0]  # one beam whose two continuations share it
        return Case(name, [draw(count) for count in sources], streams, several, length)

    cases = [case("tokens", _SOURCES)]
    marked = case("special tokens", _SOURCES)
    for place, token in enumerate(special):
        marked.streams[place % len(BEAMS)][1 + place // len(BEAMS) % (STREAM - 1)] = token
    cases.append(replace(marked, special=tuple(dict.fromkeys(special))))
    for length in crossed(backbone):
        cases.extend(_crossing(backbone, case, length))
    return cases


def _crossing(backbone: PretrainedBackbone, case: Callable[..., Case], length: int) -> Iterator[Case]:
    """Sequences that grow beyond `length`, next to short ones."""
    name = f"more than {length} tokens"
    if backbone.model.config.is_encoder_decoder:
        yield case(f"sequences of {name}", (length + 3, 4, length + 1), length, length)
    else:
        yield case(f"sequences that grow to {name}", (max(1, length - 3), 4, length + 2), length=length)
        yield case(f"prompts of {name}", (length + 1, length + 4, length + 2), length=length)


def _tokens(backbone: PretrainedBackbone) -> tuple[list[int], list[int]]:
    """Ordinary tokens of source and docids, and those special ones that docids could hold."""
    tables = [part.get_input_embeddings() for part in (backbone.model, backbone.owner)]
    size = min(backbone.vocab_size, *(len(table.weight) for table in tables if table is not None))
    special = [token for token in special_ids(backbone.model, backbone.given_tokenizer) if token < size]
    ordinary = ordinary_tokens(size, special)
    # The padding's once more, at another place: it is the one that models read positions and masks from.
    pad = [backbone.pad_token_id] * 2 if backbone.pad_token_id != backbone.eos_token_id else []
    return ordinary, [*pad, *(token for token in special if token != backbone.eos_token_id)][:20]


def reason(error: Exception) -> str:
    """The beginning of what `error` says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(".")


def tolerance(dtype: torch.dtype) -> float:
    """How far a number computed another way may be off, in standard deviations of such numbers.

    Half of the digits: rounding in tens of layers takes a few bits; a position, a mask or a frequency that is wrong
    changes leading ones. Logits are float32 at best.
    """
    return float(max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps) ** 0.5)
