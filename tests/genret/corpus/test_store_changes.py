"""Stores of some rows of others and of more passages, beside those that are built of the same passages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, PassageStore
from genret.errors import InputError

TEXT = st.text("abé東\n", max_size=4)
FIELDS = st.dictionaries(st.sampled_from(["lang", "place"]), st.sampled_from(["en", "de", ""]), max_size=2)
NUMBERS = st.dictionaries(st.just("year"), st.integers(1990, 1992) | st.just(0.5), max_size=1)
BODY = st.tuples(TEXT, TEXT.filter(bool), st.builds(lambda a, b: {**a, **b}, FIELDS, NUMBERS))
BODIES = st.lists(BODY, max_size=8)


def made(bodies: list[tuple[str, str, dict[str, str | float]]], prefix: str) -> list[Passage]:
    return [Passage(f"{prefix}{row}", *body) for row, body in enumerate(bodies)]


@given(BODIES, st.sets(st.integers(0, 7)), BODIES, st.dictionaries(st.integers(0, 7), FIELDS), st.booleans())
@settings(max_examples=60)
def test_it_is_what_build_makes_of_the_same_passages(
    old: list[tuple[str, str, dict[str, str | float]]],
    stay: set[int],
    new: list[tuple[str, str, dict[str, str | float]]],
    labels: dict[int, dict[str, str]],
    save: bool,
) -> None:
    store, fresh = PassageStore.build(made(old, "é")), made(new, "n")
    before = list(store)  # where a number has a fraction, all have
    kept = np.array(sorted(row for row in stay if row < len(before)), np.int64)
    relabelled = {row: before[row]._replace(metadata=labels[row]) for row in kept.tolist() if row in labels}
    expected = PassageStore.build([*(relabelled.get(row, before[row]) for row in kept.tolist()), *fresh])
    with tempfile.TemporaryDirectory() as folder:
        if save:
            store.save(Path(folder) / "before")
            store = PassageStore.load(Path(folder) / "before")
        changed = store.changed(kept, fresh, relabelled)
        changed.save(Path(folder) / "changed")
        expected.save(Path(folder) / "expected")
        assert (Path(folder) / "changed").read_bytes() == (Path(folder) / "expected").read_bytes()
        assert list(PassageStore.load(Path(folder) / "changed")) == list(expected)


def test_what_build_refuses_is_refused() -> None:
    store = PassageStore.build([Passage("a", "", "text", {"year": 1990}), Passage("b", "", "text")])
    rows = np.arange(2)
    with pytest.raises(InputError, match="have one id, 'a'"):
        store.changed(rows, [Passage("a", "", "other")])
    with pytest.raises(InputError, match=r"field 'year': expected a whole number, .* found '1990'"):
        store.changed(rows, [Passage("c", "", "other", {"year": "1990"})])
    with pytest.raises(InputError, match="its title and its text, are empty"):
        store.changed(rows, [Passage("c", "", "")])
