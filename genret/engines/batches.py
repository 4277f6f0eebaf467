"""How vLLM keeps its batch: rows that come, go and move (its V1 runner), or slots that requests hold (V2).

Knows these two contracts by their shapes, and needs no vLLM: stand-ins call it as the engine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from genret.engines.asked_constraint import Asked
from genret.engines.constrained_rows import Row, Rows
from genret.engines.masking import keep_legal

__all__ = ["MovingRows", "Slots", "check_parameters"]

# Where an engine that runs ahead has not told a token yet.
UNTOLD = -1
# What masks tokens as well, so that no legal one might be left, and how to say that it is not asked for.
EXCLUSIVE = {
    "min_tokens": 0,
    "bad_words": None,
    "allowed_token_ids": None,
    "structured_outputs": None,
    # These put tokens of their own in the place of the sampled ones.
    "thinking_token_budget": None,
    "trace_decode_token_ids": None,
}


class Parameters(Protocol):
    """Of a request: vLLM's `SamplingParams`."""

    extra_args: dict[str, Any] | None


class BatchUpdate(Protocol):
    """What changed in a V1 batch; to be read in this order.

    Attributes:
        removed: row numbers.
        added: number, parameters, prompt, and the output's list, which grows while the engine generates.
        moved: two numbers, and whether the rows change places or the first comes in the second's.
    """

    removed: Sequence[int]
    added: Sequence[tuple[int, Parameters, list[int] | None, list[int]]]
    moved: Sequence[tuple[int, int, Any]]


class StepLayout(Protocol):
    """The rows of a V2 step; arrays on the device unless they end in `_np`."""

    expanded_idx_mapping: Tensor
    expanded_local_pos: Tensor
    input_ids: Tensor
    pos: Tensor


def check_parameters(parameters: Any) -> Asked | None:
    """What a request asks, if its other arguments leave a legal token.

    Raises:
        InputError: it cannot be read. ValueError: another argument forbids tokens, too.
    """
    asked = Asked.of(parameters.extra_args)
    if asked is None:
        return None
    for name, none in EXCLUSIVE.items():
        given = getattr(parameters, name, none)
        if given != none and given != []:
            raise ValueError(
                f"{name}={given!r:.80}: not possible beside a constraint, as no legal token might be left; leave it out."
            )
    return asked


@dataclass(eq=False)
class _Held:
    """A row of a V1 batch; `taken` of the output's tokens are known to its row; None: none ever will be."""

    row: Row
    prefix: list[int]
    output: list[int]
    taken: int | None = 0


class MovingRows:
    """A V1 batch."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._held: dict[int, _Held] = {}

    def update(self, change: BatchUpdate | None) -> None:
        """Rows that were removed, added and moved, in this order."""
        if change is None:
            return
        for number in change.removed:
            self._drop(number)
        for number, parameters, prompt, output in change.added:
            self._drop(number)
            asked = Asked.of(parameters.extra_args)
            if asked is not None:
                self._held[number] = self._begin(asked, prompt, output)
        for first, second, way in change.moved:
            held = self._held.pop(first, None)
            if getattr(way, "name", way) == "SWAP":
                other = self._held.pop(second, None)
                if other is not None:
                    self._held[first] = other
            else:
                self._drop(second)
            if held is not None:
                self._held[second] = held

    def apply(self, logits: Tensor) -> None:
        """Mask the rows that have a constraint; what was emitted since the last step is read from the outputs."""
        if not self._held:
            return
        numbers, held = zip(*self._held.items(), strict=True)
        self._follow(held)
        places = np.array(numbers, np.int64)
        for legal in self.rows.allowed([one.row for one in held]):
            keep_legal(logits, places, legal)

    def _follow(self, held: Sequence[_Held]) -> None:
        moved, tokens = [], []
        for one in held:
            if one.taken is None:
                continue
            if len(one.output) < one.taken:
                # The engine took tokens back.
                self.rows.again([one.row], [[*one.prefix, *one.output]])
            elif len(one.output) > one.taken:
                fresh = one.output[one.taken :]
                if UNTOLD in fresh:
                    self._blind(one)
                    continue
                moved.append(one.row)
                tokens.append(fresh)
            one.taken = len(one.output)
        self.rows.follow(moved, tokens)

    def _blind(self, held: _Held) -> None:
        self.rows.end(held.row)
        held.row = self.rows.refuse(
            "vLLM schedules ahead and does not tell this processor what it sampled: name it "
            "(--logits-processors genret.engines.vllm:ConstraintProcessor), or start with --no-async-scheduling."
        )
        held.taken = None

    def _begin(self, asked: Asked, prompt: list[int] | None, output: list[int]) -> _Held:
        if asked.prefix and (prompt is None or len(prompt) < asked.prefix):
            row = self.rows.refuse(f"prefix: the prompt has fewer than {asked.prefix} tokens.")
            return _Held(row, [], output, None)
        prefix = [] if prompt is None or not asked.prefix else list(prompt[-asked.prefix :])
        return _Held(self.rows.begin(asked, prefix), prefix, output)

    def _drop(self, number: int) -> None:
        held = self._held.pop(number, None)
        if held is not None:
            self.rows.end(held.row)


class RequestStates(Protocol):
    """What V2 knows of all slots.

    Attributes:
        all_token_ids: `gpu` is int32 [slots, length], prompt and output.
        prompt_len: `np` is int32 [slots].
    """

    all_token_ids: Any
    prompt_len: Any


@dataclass(eq=False)
class _Slot:
    """A slot with a constraint: its docid begins at position `begin`, and `known` tokens of it are known to its row."""

    row: Row
    begin: int
    known: int = 0


class Slots:
    """The slots of V2: a slot's number stays a request's, and a step may score drafted tokens, a row each."""

    def __init__(self, rows: Rows, states: RequestStates) -> None:
        self.rows, self.states = rows, states
        self._held: dict[int, _Slot] = {}

    def add(self, number: int, parameters: Parameters) -> bool:
        """A request takes a slot; whether it has a constraint."""
        before = self._held.pop(number, None)
        if before is not None:
            self.rows.end(before.row)
        asked = Asked.of(parameters.extra_args)
        if asked is None:
            return False
        prompt = int(self.states.prompt_len.np[number])
        if prompt < asked.prefix:
            row = self.rows.refuse(f"prefix: the prompt has fewer than {asked.prefix} tokens.")
            self._held[number] = _Slot(row, 1 << 62)
        else:
            self._held[number] = _Slot(self.rows.begin(asked, []), prompt - asked.prefix)
        return True

    def apply(self, logits: Tensor, layout: StepLayout) -> None:
        """Mask the rows that have a constraint. Waits for the device: what it sampled decides what is legal."""
        if not self._held:
            return
        columns = (layout.expanded_idx_mapping, layout.expanded_local_pos, layout.input_ids, layout.pos)
        slots, depths, tokens, positions = torch.stack([one.long() for one in columns]).cpu().numpy()
        mine = np.isin(slots, list(self._held))
        self._catch_up(*(one[mine & (depths == 0)].tolist() for one in (slots, tokens, positions)))
        drafted: dict[int, int] = {}
        for depth in range(int(depths[mine].max(initial=-1)) + 1):
            places = np.flatnonzero(mine & (depths == depth))
            held = [self._held[slot] for slot in slots[places].tolist()]
            if depth:
                self.rows.follow([one.row for one in held], [[token] for token in tokens[places].tolist()])
                drafted.update(dict.fromkeys(slots[places].tolist(), depth))
            for legal in self.rows.allowed([one.row for one in held]):
                keep_legal(logits, places, legal)
        # Which of the drafts stay is seen from the next step's positions.
        for slot, count in drafted.items():
            self.rows.back(self._held[slot].row, count)

    def _catch_up(self, slots: Sequence[int], tokens: Sequence[int], positions: Sequence[int]) -> None:
        """Walk each slot's row on to the token that stands at its position, the last that is certain."""
        moved, fresh = [], []
        for slot, token, position in zip(slots, tokens, positions, strict=True):
            held = self._held[slot]
            behind = max(0, position + 1 - held.begin)
            if behind < held.known:
                self.rows.again([held.row], [[]])
                held.known = 0
            if behind > held.known:
                moved.append(held.row)
                one = behind == held.known + 1
                fresh.append([token] if one else self._told(slot, held.begin + held.known, position + 1))
            held.known = behind
        self.rows.follow(moved, fresh)

    def _told(self, slot: int, begin: int, end: int) -> list[int]:
        told: list[int] = self.states.all_token_ids.gpu[slot, begin:end].tolist()
        return told
