"""What the others of a batch change: in one pass over all documents nothing, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_words_and_codes import NAMES, retriever

from genret.models.exactness.company import ROWS, padded_width

# Whatever the instructions, the threads and the kernels: `make portable` asks all of them.
pytestmark = pytest.mark.numeric
# Of one width and of several, from one word to twice as many tokens as the first step of widths has.
WORDS = st.lists(st.sampled_from([*NAMES, "the", "of", "near"]), min_size=1, max_size=2 * ROWS)
PLANS = retriever(mode="plan")


@settings(max_examples=20, deadline=None)
@given(queries=st.lists(WORDS.map(" ".join), min_size=1, max_size=40))
def test_a_query_has_the_same_bits_alone_and_in_company(queries: Sequence[str]) -> None:
    alone = [PLANS.search(query, 7) for query in queries]
    assert PLANS.batch_search(queries, 7) == alone
    assert PLANS.batch_search(queries[::-1], 7)[::-1] == alone


def test_widths_are_steps() -> None:
    assert [padded_width(length) for length in (0, 1, ROWS, ROWS + 1)] == [0, ROWS, ROWS, 2 * ROWS]
