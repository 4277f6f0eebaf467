"""How many levels a docid has follows from what they cost and what is left."""

from __future__ import annotations

import pytest

from genret.errors import UsageError
from genret.fitting import budget
from genret.fitting.fit_data import FitData


class Encoder:
    dimension = 16

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
