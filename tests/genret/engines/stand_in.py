"""Stand-ins for vLLM's two runners, which keep their batches and call a processor as vLLM 0.32 does, and no model.

Logits are random; each constrained row is checked against walking its tokens from the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from docid import DocidTrie
from genret.constraint import Automaton, TrieAutomaton, build_subset
from genret.engines.asked_constraint import Asked
from genret.engines.batches import MovingRows, Slots
from genret.engines.constrained_rows import Rows
from genret.engines.named_sets import Sets
from genret.errors import InputError

EOS, VOCAB = 1, 37
DRAFTS = 3


class ListedSets(Sets):
    """Sets from lists of docids; `where` is their numbers, with commas between them."""

    def __init__(self, docids: Mapping[str, list[list[int]]]) -> None:
        super().__init__({})
        self.docids = docids
        self.made: dict[Asked, Automaton] = {}

    def automaton(self, asked: Asked, eos: int | None) -> Automaton:
        if asked.constraint not in self.docids:
            raise InputError(f"no set {asked.constraint!r}.")
        key = Asked(asked.constraint, asked.where)
        if key not in self.made:
            trie, subset = DocidTrie.build(self.docids[asked.constraint], EOS), None
            if asked.where is not None:
                subset = build_subset(trie, np.array([int(one) for one in asked.where.split(",") if one]))
            self.made[key] = TrieAutomaton(trie, subset)
        return self.made[key]

    def following(self, asked: Asked, tokens: list[int]) -> list[int]:
        """The slow twin: what may follow, by looking at every docid."""
        docids = self.docids.get(asked.constraint, [])
        if asked.where is not None:
            docids = [docids[int(one)] for one in asked.where.split(",") if one]
        size = len(tokens)
        ended = [[*docid, EOS] for docid in docids]
        return sorted({d[size] for d in ended if d[:size] == tokens and len(d) > size}) or [EOS]


@dataclass
class Request:
    """One request; `blind`: what it asks cannot be served."""

    asked: Asked | None
    prompt: list[int]
    output: list[int] = field(default_factory=list)

    @property
    def parameters(self) -> Any:
        asked = None if self.asked is None else {"genret": vars(self.asked)}
        return SimpleNamespace(extra_args=asked)

    def docid(self, drafts: list[int]) -> list[int]:
        assert self.asked is not None
        begin = len(self.prompt) - self.asked.prefix
        return [*self.prompt, *self.output, *drafts][begin:]


def rows_of(sets: ListedSets) -> Rows:
    return Rows(sets, VOCAB, EOS, lambda line: None, max_rewind=DRAFTS)


def check_row(sets: ListedSets, request: Request, drafts: list[int], before: Tensor, after: Tensor) -> None:
    if request.asked is None:
        assert torch.equal(before, after)
        return
    legal = sets.following(request.asked, request.docid(drafts))
    assert after.isfinite().nonzero()[:, 0].tolist() == legal
    assert torch.equal(before[legal], after[legal])


def random_logits(random: Random, rows: int) -> Tensor:
    return torch.rand(rows, VOCAB, generator=torch.Generator().manual_seed(random.getrandbits(31)))


def choose(logits: Tensor) -> int:
    return int(logits.argmax())


class MovingEngine:
    """As V1: rows without holes, the last ones moved into them; outputs' lists that grow; tokens told late or at once."""

    def __init__(self, sets: ListedSets, random: Random, *, ahead: bool) -> None:
        self.sets, self.random, self.ahead = sets, random, ahead
        self.batch = MovingRows(rows_of(sets))
        self.running: list[Request] = []
        self.waiting: list[Request] = []
        self.untold: list[tuple[Request, int]] = []

    def step(self, fresh: list[Request]) -> None:
        self.waiting += fresh
        removed = sorted(self.random.sample(range(len(self.running)), self._some(len(self.running))))
        rows: dict[int, Request] = dict(enumerate(self.running))
        for number in removed:
            # Done, or preempted: then it comes again, with its output in a new list.
            gone = rows.pop(number)
            if self.random.random() < 0.6:
                self._tell(gone)
                self.waiting.append(Request(gone.asked, gone.prompt, list(gone.output)))
        added, holes = [], list(removed)
        for request in [self.waiting.pop() for _ in range(self._some(len(self.waiting)))]:
            number = holes.pop(0) if holes else max(rows, default=-1) + 1
            if number in rows:
                number = max(rows) + 1
            rows[number] = request
            added.append((number, request.parameters, request.prompt, request.output))
        moved = self._condense(rows) + self._swapped(rows)
        change = SimpleNamespace(
            batch_size=len(rows), removed=sorted(holes, reverse=True), added=added, moved=moved
        )
        self.running = [rows[number] for number in range(len(rows))]
        self.batch.update(change if removed or added or moved else None)
        for request, token in self.untold:
            self._tell(request, token)
        self.untold = []
        self._sample()

    def _sample(self) -> None:
        before = random_logits(self.random, len(self.running))
        after = before.clone()
        self.batch.apply(after)
        for row, request in enumerate(self.running):
            check_row(self.sets, request, [], before[row], after[row])
            if self.random.random() < 0.15:
                continue  # a part of a long prompt: what was sampled is thrown away
            token = choose(after[row])
            request.output.append(-1 if self.ahead else token)
            if self.ahead:
                self.untold.append((request, token))

    def _tell(self, request: Request, token: int | None = None) -> None:
        """Put the token where its place was held."""
        told = [token] if token is not None else [t for r, t in self.untold if r is request]
        if told and request.output and request.output[-1] == -1:
            request.output[-1] = told[0]

    def _condense(self, rows: dict[int, Request]) -> list[tuple[int, int, str]]:
        moved = []
        while rows and max(rows) >= len(rows):
            hole = next(number for number in range(len(rows)) if number not in rows)
            last = max(rows)
            rows[hole] = rows.pop(last)
            moved.append((last, hole, "UNIDIRECTIONAL"))
        return moved

    def _swapped(self, rows: dict[int, Request]) -> list[tuple[int, int, str]]:
        swaps = []
        for _ in range(self._some(2) if len(rows) > 1 else 0):
            first, second = self.random.sample(sorted(rows), 2)
            rows[first], rows[second] = rows[second], rows[first]
            swaps.append((first, second, "SWAP"))
        return swaps

    def _some(self, most: int) -> int:
        return self.random.randint(0, min(most, 3))


class SlotEngine:
    """As V2: slots used again, rows in any order, drafted tokens of which some are taken."""

    def __init__(self, sets: ListedSets, random: Random, slots: int = 5, length: int = 64) -> None:
        self.sets, self.random = sets, random
        self.tokens = torch.full((slots, length), -7, dtype=torch.int32)
        self.prompt_len = np.zeros(slots, np.int32)
        states = SimpleNamespace(
            all_token_ids=SimpleNamespace(gpu=self.tokens), prompt_len=SimpleNamespace(np=self.prompt_len)
        )
        self.batch = Slots(rows_of(sets), states)
        self.held: dict[int, Request] = {}
        self.free = list(range(slots))

    def step(self, fresh: list[Request]) -> None:
        for slot in self.random.sample(sorted(self.held), min(1, len(self.held))):
            if self.random.random() < 0.4:
                gone = self.held.pop(slot)
                self.free.append(slot)
                fresh = [*fresh, Request(gone.asked, gone.prompt, list(gone.output))]
        for request in fresh[: len(self.free)]:
            slot = self.free.pop(self.random.randrange(len(self.free)))
            self.prompt_len[slot] = len(request.prompt)
            assert self.batch.add(slot, request.parameters) == (request.asked is not None)
            self.held[slot] = request
            self._write(slot)
        rows = [
            row for slot in self.random.sample(sorted(self.held), len(self.held)) for row in self._rows(slot)
        ]
        if rows:
            self._score(rows)

    def _rows(self, slot: int) -> list[tuple[int, int, int, int]]:
        """Slot, depth, token and position of a slot's rows; the first is its last certain token's."""
        whole = [*self.held[slot].prompt, *self.held[slot].output]
        if self.random.random() < 0.1:  # a part of its prompt, again or for the first time
            place = self.random.randrange(len(whole))
            return [(slot, 0, whole[place], place)]
        drafts = [self.random.choice([0, 2, 3, EOS]) for _ in range(self.random.randint(0, DRAFTS))]
        begin = len(whole) - 1
        return [(slot, d, token, begin + d) for d, token in enumerate([whole[-1], *drafts])]

    def _score(self, rows: list[tuple[int, int, int, int]]) -> None:
        slots, depths, tokens, positions = torch.tensor(rows).unbind(1)
        layout = SimpleNamespace(
            expanded_idx_mapping=slots.int(),
            expanded_local_pos=depths.int(),
            input_ids=tokens.int(),
            pos=positions,
        )
        before = random_logits(self.random, len(rows))
        after = before.clone()
        self.batch.apply(after, layout)
        for place, (slot, depth, _, position) in enumerate(rows):
            request = self.held[slot]
            whole = len(request.prompt) + len(request.output)
            if depth == 0 and position + 1 < whole:
                continue  # not sampled from
            drafts = [token for s, d, token, _ in rows if s == slot and 0 < d <= depth]
            check_row(self.sets, request, drafts, before[place], after[place])
        self._accept(rows, after)

    def _accept(self, rows: list[tuple[int, int, int, int]], after: Tensor) -> None:
        for slot, request in self.held.items():
            mine = [place for place, row in enumerate(rows) if row[0] == slot]
            whole = len(request.prompt) + len(request.output)
            if rows[mine[0]][3] + 1 < whole:
                continue
            taken = self.random.randint(0, len(mine) - 1)
            # Drafts are taken as far as the masks let them, and a token is sampled behind the last.
            for count, place in enumerate(mine):
                draft = rows[mine[count + 1]][2] if count < taken else None
                if draft is not None and bool(after[place, draft].isfinite()):
                    request.output.append(draft)
                    continue
                request.output.append(choose(after[place]))
                break
            self._write(slot)

    def _write(self, slot: int) -> None:
        whole = [*self.held[slot].prompt, *self.held[slot].output]
        self.tokens[slot, : len(whole)] = torch.tensor(whole, dtype=torch.int32)
