"""Damaged artefacts of every kind end in a sentence, or are right: never in a traceback, a crash or a hang.

`make soak` loads 10,000 of them; here are some hundreds, the same every time.
"""

from __future__ import annotations

from collections import Counter

import pytest
from damage import FIFO
from samples import KINDS
from soak import Bench, Outcome, cases, outcomes

# Kinds that load no neural model take a millisecond each.
NEURAL = {
    "retriever",
    "retriever-words",
    "n-gram-retriever",
    "n-gram-retriever-words",
    "imported-model",
    "checkpoint",
}
QUICK = [name for name in KINDS if name not in NEURAL]
FAILURES = {"traceback", "crash", "hang"}
# A file that stands alone, exchanged as a whole for a whole one, has nothing beside it to disagree with.
WHOLE = "other "


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), list(KINDS))


def failures(found: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in found if outcome.result in FAILURES]


def unnoticed(found: list[Outcome]) -> list[Outcome]:
    """Answers changed by damage that left the checksums as they were, but for whole files exchanged."""
    kept = [outcome for outcome in found if outcome.sums == "kept" and outcome.result == "changed"]
    return [outcome for outcome in kept if not outcome.what.startswith(WHOLE)]


def assert_sound(found: list[Outcome], loads: int) -> None:
    assert len(found) == loads
    assert not failures(found)
    assert not unnoticed(found)
    # The bench damages what it means to: most of it is noticed.
    assert Counter(outcome.result for outcome in found)["refused"] > loads / 3


def test_hundreds_of_damaged_artefacts(bench: Bench) -> None:
    assert_sound(list(outcomes(bench, cases(400, 5, QUICK))), 400)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_damaged_artefacts(bench: Bench, seed: int) -> None:
    assert_sound(list(outcomes(bench, cases(1000, seed, list(KINDS)))), 1000)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "checkpoint"])
def test_a_pipe_in_the_place_of_any_file_is_not_waited_for(bench: Bench, name: str) -> None:
    for file in bench.good[name]:
        # A cache is computed again.
        result, detail = bench.load(name, bench.good[name] | {file: FIFO})
        assert result in ("refused", "right"), (file, detail)
