"""States of sources: the same whether a text was encoded ahead or now."""

from __future__ import annotations

import torch
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from test_state_cache import CountingEncoder

from genret.training.examples.example import Example
from genret.training.linear_index.source_states import SourceStates

AGAIN, ONCE = ["bb", "a", "dddd", "ccc"], ["abcd", "d", "cc"]
SOURCES = {
    name: [Example(text, (1,), name) for text in texts] for name, texts in (("again", AGAIN), ("once", ONCE))
}


def states(folder, encoder, drawn):
    return SourceStates(folder, encoder, SOURCES, drawn, max_length=4, keep=3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(AGAIN + ONCE), min_size=1, max_size=8))
def test_batches_are_what_the_encoder_gives(tmp_path_factory, wanted):
    encoder = CountingEncoder()
    found = states(tmp_path_factory.mktemp("states"), encoder, {"again": 4, "once": 2})
    given_states, mask, vectors = found.batch(wanted)
    expected_states, expected_mask, expected_vectors = encoder.states(wanted, 4)
    assert torch.equal(mask, expected_mask[:, :3])
    assert torch.equal(given_states[mask], expected_states[:, :3][mask])
    assert not given_states[~mask].any()
    assert_close(vectors, expected_vectors, ulps=FORWARD)


def test_only_a_source_that_is_gone_through_is_encoded_ahead(tmp_path):
    for drawn, ahead in (({"again": 4, "once": 2}, 4), ({"again": 3, "once": 2}, 0), (None, 7)):
        encoder = CountingEncoder()
        found = states(tmp_path / str(ahead), encoder, drawn)
        assert encoder.texts == ahead
        found.batch(["a", "d"])
        assert encoder.texts == ahead + (2 if ahead == 0 else 1 if ahead == 4 else 0)
