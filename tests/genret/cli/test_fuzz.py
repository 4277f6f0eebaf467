"""Whatever a user gives: an exit code that is known, a sentence, no traceback, an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import World, fuzz, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    with pytest.MonkeyPatch.context() as patch:
        folder: Path = tmp_path_factory.mktemp("fuzz")
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("COLUMNS", "300")
        patch.chdir(folder)
        yield make_world(folder)


def test_odd_command_lines_and_configurations_end_in_a_sentence(world: World) -> None:
    complaints = fuzz(world, seed=1, first=0, count=150)
    assert not complaints, "\n\n".join(complaints)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_three_thousand_of_them(world: World) -> None:
    complaints = fuzz(world, seed=2, first=0, count=3000)
    assert not complaints, "\n\n".join(complaints)
