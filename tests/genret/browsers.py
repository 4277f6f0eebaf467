"""A real web browser, for pages."""

from __future__ import annotations

import shutil

import pytest


def browser() -> str:
    """The program; without one the test is skipped."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(
            f"no web browser here: none of {', '.join(names)} is installed (apt-get install chromium)"
        )
    return found
