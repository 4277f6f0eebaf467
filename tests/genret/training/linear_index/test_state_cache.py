"""Cached token states: what the encoder gave, found again by content, computed again when damaged."""

from __future__ import annotations

import pytest
import torch
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import InputError
from genret.training.linear_index.state_cache import StateCache


class CountingEncoder:
    """Each letter is a token whose state is its code; counts the texts that it was asked for."""

    dimension = 2

    def __init__(self, fingerprint: str = "one") -> None:
        self.fingerprint = fingerprint
        self.texts = 0

    def token_counts(self, texts, max_length):
        return [len(text[:max_length]) for text in texts]

    def states(self, texts, max_length):
        self.texts += len(texts)
        width = max(len(text[:max_length]) for text in texts)
        states, mask = (
            torch.full((len(texts), width, 2), -7.0),
            torch.zeros(len(texts), width, dtype=torch.bool),
        )
        for row, text in enumerate(texts):
            for place, letter in enumerate(text[:max_length]):
                states[row, place] = torch.tensor([float(ord(letter)), float(place)])
                mask[row, place] = True
        vectors = torch.stack([states[r][mask[r]].mean(0) for r in range(len(texts))])
        return states, mask, vectors


TEXTS = ["bb", "a", "dddd", "ccc", "a"]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=20), st.integers(1, 6), st.data()
)
def test_batches_are_what_the_encoder_gives(tmp_path_factory, texts, keep, data):
    encoder = CountingEncoder()
    cache = StateCache.build(tmp_path_factory.mktemp("cache"), encoder, texts, max_length=6, keep=keep)
    wanted = data.draw(st.lists(st.sampled_from(texts), min_size=1, max_size=8))
    states, mask, vectors = cache.batch(wanted)
    expected_states, expected_mask, expected_vectors = encoder.states(wanted, 6)
    assert torch.equal(mask, expected_mask[:, :keep])
    assert torch.equal(states[mask], expected_states[:, :keep][mask])
    assert torch.equal(states[~mask], torch.zeros_like(states[~mask]))
    assert_close(vectors, expected_vectors, ulps=FORWARD)


def test_the_same_texts_in_any_order_are_encoded_once(tmp_path):
    encoder = CountingEncoder()
    StateCache.build(tmp_path, encoder, TEXTS, max_length=4, keep=4)
    assert encoder.texts == 4
    StateCache.build(tmp_path, encoder, TEXTS[::-1], max_length=4, keep=4)
    assert encoder.texts == 4


@pytest.mark.parametrize("change", ["encoder", "texts", "length", "keep"])
def test_anything_else_is_another_cache(tmp_path, change):
    StateCache.build(tmp_path, CountingEncoder(), TEXTS, max_length=4, keep=4)
    encoder = CountingEncoder("two" if change == "encoder" else "one")
    texts = [*TEXTS, "e"] if change == "texts" else TEXTS
    StateCache.build(
        tmp_path, encoder, texts, max_length=3 if change == "length" else 4, keep=2 if change == "keep" else 4
    )
    assert encoder.texts >= 4
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_cache_is_named_and_computed_again(tmp_path, caplog):
    first = StateCache.build(tmp_path, CountingEncoder(), TEXTS, max_length=4, keep=4)
    expected = first.batch(["ccc"])[0].clone()
    del first
    path = next(tmp_path.iterdir()) / "states.bin"
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    encoder = CountingEncoder()
    again = StateCache.build(tmp_path, encoder, TEXTS, max_length=4, keep=4)
    assert encoder.texts == 4
    assert "damaged" in caplog.text
    assert torch.equal(again.batch(["ccc"])[0], expected)


def test_keeping_no_states_keeps_the_vectors(tmp_path):
    cache = StateCache.build(tmp_path, CountingEncoder(), TEXTS, max_length=4, keep=0)
    states, mask, vectors = cache.batch(["bb", "a"])
    assert states.shape == (2, 0, 2)
    assert mask.shape == (2, 0)
    assert vectors.tolist() == [[98.0, 0.5], [97.0, 0.0]]


def test_an_unknown_text_is_named(tmp_path):
    cache = StateCache.build(tmp_path, CountingEncoder(), TEXTS, max_length=4, keep=4)
    with pytest.raises(InputError, match="'zz' is not among the 4"):
        cache.batch(["a", "zz"])
