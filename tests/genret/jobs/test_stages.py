from __future__ import annotations

import time

import numpy as np

from genret.jobs.stages import Stages, peak_memory_bytes


def test_each_stage_has_its_time_and_its_own_peak() -> None:
    lines: list[str] = []
    stages = Stages(lines.append)
    with stages.stage("large"):
        block = np.ones(30_000_000)
        block += 1
    del block
    with stages.stage("small"):
        time.sleep(0.05)
    large, small = stages.finished
    assert lines == ["large", "small"]
    assert small.seconds >= 0.05
    assert large.peak_bytes >= small.peak_bytes + 200_000_000
    assert stages.elapsed >= large.seconds + small.seconds


def test_peak_memory_is_that_of_a_real_process() -> None:
    assert 10**7 < peak_memory_bytes() < 10**12
