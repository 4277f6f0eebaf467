"""How many levels and words a docid has follows from what they cost and what is left."""

from __future__ import annotations

import pytest
from backbones import sentence_encoder

from genret.corpus import Passage
from genret.errors import UsageError
from genret.fitting import budget
from genret.fitting.fit_data import FitData


class Encoder:
    dimension = 16
    tokenizer = sentence_encoder().tokenizer

    def embed(self, texts: list[str]) -> None:
        pass


@pytest.mark.parametrize(("per_level", "levels"), [(0.1, 32), (5.0, 16), (10.0, 8), (20.0, None)])
def test_levels_are_as_many_as_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch, per_level: float, levels: int | None
) -> None:
    monkeypatch.setattr(budget, "_seconds_per_passage", lambda *_: 0.01)
    monkeypatch.setattr(budget, "_seconds_per_level", lambda *_: per_level)
    data = FitData(["passage"] * 1000, ["passage"] * 1000, {}, {}, "")  # type: ignore[arg-type]
    monkeypatch.setattr(budget, "_sample", lambda _: [])
    if levels is None:
        with pytest.raises(UsageError, match="1,000 passages and giving them docids takes about 2m 50s here"):
            budget.make_plan(data, Encoder(), 120)  # type: ignore[arg-type]
        return
    plan = budget.make_plan(data, Encoder(), 120)  # type: ignore[arg-type]
    assert (plan.levels, plan.codes) == (levels, 125)
    assert f"{levels} codes of 125" in plan.lines(data)[2]


@pytest.mark.parametrize(("passages", "words"), [(100, 3), (120, 2), (1000, 1)])
def test_sets_have_the_words_that_memory_holds(
    monkeypatch: pytest.MonkeyPatch, passages: int, words: int
) -> None:
    """Sets of one and of three words: 8 bytes a passage in the mean, 6 of at most two, and 4 of one."""
    monkeypatch.setattr(budget, "WORDS", (1, 2, 3))
    monkeypatch.setattr(budget, "MOST_WORD_BYTES", 801)
    sample = [Passage("a", "", "river river"), Passage("b", "", "near river rome")]
    monkeypatch.setattr(budget, "LEFT_OUT", 0.01)
    assert budget._words(Encoder(), sample, passages) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(("left_out", "words"), [(0.01, 3), (0.3, 2), (0.6, 1)])
def test_sets_have_the_fewest_words_that_leave_out_little(
    monkeypatch: pytest.MonkeyPatch, left_out: float, words: int
) -> None:
    """Of four distinct words sets of two leave out one, sets of one two."""
    monkeypatch.setattr(budget, "WORDS", (1, 2, 3))
    monkeypatch.setattr(budget, "LEFT_OUT", left_out)
    sample = [Passage("a", "", "river river"), Passage("b", "", "near river rome")]
    assert budget._words(Encoder(), sample, 100) == words  # type: ignore[arg-type]
