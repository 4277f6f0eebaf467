"""Settings that every test runs under: no network, one thread a process, the same seeds, no haste."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# A busy machine is no fault of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# They start processes of their own, minutes of them; the arithmetic is that of the tests beside them.
LAUNCHERS = ("training/engines", "genret/fitting", "genret/demo", "genret/study")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of files that compare floats."""
    for item in items:
        ours = any(hasattr(getattr(item, "module", None), name) for name in ("assert_close", "close"))
        if ours and not any(folder in item.path.as_posix() for folder in LAUNCHERS):
            item.add_marker("numeric")
