from __future__ import annotations

import io

import pytest

from genret.jobs import progress as progress_module
from genret.jobs.progress import LogProgress, format_duration, progress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (3.21, "3.2s"), (75, "1m 15s"), (3600, "1h 00m"), (7260, "2h 01m")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_log_line_tells_rate_and_time_left() -> None:
    report = LogProgress(100, "embedding", "passages", io.StringIO())
    report.started -= 10.0
    report.done = 25
    report.note("loss 1.5")
    line = report.line()
    assert "25/100 passages" in line
    assert "2.5 passages/s" in line
    assert "30.0s left" in line
    assert line.endswith("loss 1.5")


def test_nothing_is_written_for_short_work(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(3, "work") as report:
        for _ in range(3):
            report.advance()
    assert report.done == 3
    assert capsys.readouterr() == ("", "")


def test_of_two_only_the_outer_one_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "LOG_INTERVAL_SECONDS", 0.0)
    with progress(2, "outer") as outer, progress(2, "inner") as inner:
        inner.advance()
        outer.advance()
    with progress(2, "later") as report:
        report.advance()
    shown = capsys.readouterr().err
    assert [word for word in ("outer", "inner", "later") if word in shown] == ["outer", "later"]
    assert (inner.done, outer.done) == (1, 1)
