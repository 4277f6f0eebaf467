"""The rows of engines, added, moved, swapped, removed, used again and drafted, against walking from the root."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import EOS, VOCAB, ListedSets, MovingEngine, Request, SlotEngine, rows_of

from genret.engines.asked_constraint import Asked
from genret.engines.batches import MovingRows, check_parameters
from genret.errors import InputError

ALPHABET = [0, 2, 3, 31, 32, 36]
DOCIDS = st.lists(st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=4), max_size=8)


def fresh_requests(sets: ListedSets, random: Random) -> list[Request]:
    """Of every kind: of several sets, filtered, behind a prefix, of a set that is not there, without a constraint."""
    found = []
    for _ in range(random.randint(0, 3)):
        prompt = [random.choice([5, *ALPHABET]) for _ in range(random.randint(1, 4))]
        name = random.choice(["a", "a", "b", "gone"])
        numbers = range(len(sets.docids.get(name, [])))
        where = ",".join(str(n) for n in numbers if random.random() < 0.5) if random.random() < 0.4 else None
        prefix = random.choice([0, 0, 0, 1, len(prompt)])
        asked = None if random.random() < 0.2 else Asked(name, where, prefix)
        found.append(Request(asked, prompt))
    return found


def drive(engine: Any, sets: ListedSets, random: Random) -> None:
    for _ in range(14):
        engine.step(fresh_requests(sets, random))


@pytest.mark.parametrize("ahead", [False, True])
@given(DOCIDS, DOCIDS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_moving_rows(ahead: bool, first: list[list[int]], second: list[list[int]], random: Random) -> None:
    sets = ListedSets({"a": first, "b": second})
    drive(MovingEngine(sets, random, ahead=ahead), sets, random)


@given(DOCIDS, DOCIDS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_slots(first: list[list[int]], second: list[list[int]], random: Random) -> None:
    sets = ListedSets({"a": first, "b": second})
    drive(SlotEngine(sets, random), sets, random)


@pytest.mark.soak
@given(DOCIDS, DOCIDS, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=1000, deadline=None)
def test_both_in_long(first: list[list[int]], second: list[list[int]], ahead: bool, random: Random) -> None:
    sets = ListedSets({"a": first, "b": second})
    drive(MovingEngine(sets, random, ahead=ahead), sets, random)
    drive(SlotEngine(sets, random), sets, random)


def test_many_rows_share_a_long_list() -> None:
    """As at the root of a large set, where a list is a mask and not gathered; and the rows beside it."""
    docids = [[token, 2] for token in range(2, 3000)]
    sets = ListedSets({"wide": docids, "narrow": [[7], [9]]})
    rows = rows_of(sets)
    rows.vocab_size = 4000
    batch = MovingRows(rows)
    added = [
        (number, Request(Asked(name), [5]).parameters, [5], output)
        for number, (name, output) in enumerate([("wide", []), ("narrow", []), ("wide", []), ("wide", [17])])
    ]
    batch.update(SimpleNamespace(removed=[], added=added, moved=[]))
    logits = torch.rand(5, 4000)
    before = logits.clone()
    batch.apply(logits)
    legal = [list(range(2, 3000)), [7, 9], list(range(2, 3000)), [2], list(range(4000))]
    for row, tokens in enumerate(legal):
        assert logits[row].isfinite().nonzero()[:, 0].tolist() == tokens
        assert torch.equal(logits[row, tokens], before[row, tokens])


def test_an_engine_that_tells_no_token_gets_no_docid_and_is_told_why() -> None:
    sets, told = ListedSets({"a": [[2, 3]]}), list[str]()
    rows = rows_of(sets)
    rows.warn = told.append
    batch, output = MovingRows(rows), list[int]()
    change = SimpleNamespace(
        removed=[], added=[(0, Request(Asked("a"), [5]).parameters, [5], output)], moved=[]
    )
    batch.update(change)
    batch.apply(torch.rand(1, VOCAB))
    for _ in range(2):
        output.append(-1)
        logits = torch.rand(1, VOCAB)
        batch.apply(logits)
        assert logits[0].isfinite().nonzero()[:, 0].tolist() == [EOS]
    assert len(told) == 1
    assert "--logits-processors" in told[0]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (None, None),
        ("titles", Asked("titles")),
        ({"constraint": "titles", "where": "year > 2000"}, Asked("titles", "year > 2000")),
        ('{"constraint": "titles", "prefix": 2}', Asked("titles", None, 2)),
    ],
)
def test_what_a_request_asks(given: Any, asked: Asked | None) -> None:
    assert Asked.of(None if given is None else {"genret": given, "other": 1}) == asked


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "constraint"),
        ({"constraint": "a", "wehre": "x"}, "where"),
        ({"constraint": "a", "prefix": -1}, "prefix"),
        ({"constraint": 3}, "constraint"),
        ([1], "expected a constraint's name"),
        ("{", "not JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Asked.of({"genret": given})


@pytest.mark.parametrize(
    "other",
    [
        {"min_tokens": 2},
        {"bad_words": ["x"]},
        {"allowed_token_ids": [3]},
        {"structured_outputs": "x"},
        {"thinking_token_budget": 5},
        {"trace_decode_token_ids": [3]},
    ],
)
def test_what_might_leave_no_legal_token_is_refused(other: dict[str, Any]) -> None:
    given = {"min_tokens": 0, "bad_words": [], "allowed_token_ids": None, "structured_outputs": None, **other}
    with pytest.raises(ValueError, match=next(iter(other))):
        check_parameters(SimpleNamespace(extra_args={"genret": "a"}, **given))
    assert check_parameters(SimpleNamespace(extra_args=None, **given)) is None


def test_tokens_that_the_engine_took_back() -> None:
    """As where vLLM throws away what it computed from a cache that failed to load."""
    batch, output = MovingRows(rows_of(ListedSets({"a": [[2, 3], [4, 5]]}))), list[int]()
    added = [(0, Request(Asked("a"), [9]).parameters, [9], output)]
    batch.update(SimpleNamespace(removed=[], added=added, moved=[]))
    for tokens, legal in [([], [2, 4]), ([2, 3], [EOS]), ([], [2, 4]), ([4], [5])]:
        output[:] = tokens
        logits = torch.zeros(1, VOCAB)
        batch.apply(logits)
        assert logits[0].isfinite().nonzero()[:, 0].tolist() == legal
