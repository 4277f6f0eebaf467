"""A run in the place of an earlier one: the earlier is kept until the new one has ended well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from genret.errors import InputError
from genret.recipes.run_folder import LAST, MODEL, run_folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    finish(tmp_path / "run", "old")
    return tmp_path / "run"


def finish(run: Path, model: str) -> None:
    (run / MODEL).mkdir(parents=True)
    (run / MODEL / "genret.json").write_text(model)
    (run / "docids.trie").write_text(model)


def model(run: Path) -> str:
    return (run / MODEL / "genret.json").read_text()


def begin(run: Path, *files: str) -> None:
    """As far as a run comes that is killed."""
    (run / "decoder" / "checkpoints").mkdir(parents=True)
    for name in files:
        (run / "decoder" / name).write_text("{}")


def fail(run: Path, error: Exception, *files: str) -> None:
    begin(run, *files)
    raise error


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_run_that_ends_well_takes_the_place(run: Path) -> None:
    with run_folder(run, overwrite=True):
        assert not run.exists()
        finish(run, "new")
    assert model(run) == "new"
    assert everything(run.parent) == {"run/model/genret.json", "run/docids.trie"}


def test_a_run_that_fails_at_once_leaves_what_there_was(run: Path) -> None:
    with pytest.raises(InputError, match="no such corpus"), run_folder(run, overwrite=True):
        fail(run, InputError("no such corpus"))
    assert model(run) == "old"
    assert everything(run.parent) == {"run/model/genret.json", "run/docids.trie"}


def test_a_run_that_fails_later_is_gone_on_with(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError), run_folder(run, overwrite=True):
        fail(run, RuntimeError(), "metrics.jsonl")
    assert "is kept as" in caplog.text
    assert model(run.with_name(".run.replaced")) == "old"
    with run_folder(run, resume=True):
        assert (run / "decoder" / "metrics.jsonl").is_file()
        finish(run, "new")
    assert model(run) == "new"
    assert not run.with_name(".run.replaced").exists()


@pytest.mark.parametrize("left", [lambda run: None, begin])
def test_a_run_that_was_killed_has_lost_nothing(run: Path, left: Callable[[Path], None]) -> None:
    run.rename(run.with_name(".run.replaced"))  # as far as the killed one came, and `left`
    left(run)
    with pytest.raises(InputError, match="no such corpus"), run_folder(run, overwrite=True):
        raise InputError("no such corpus")
    assert model(run) == "old"


def test_what_no_run_has_written_is_not_replaced(run: Path) -> None:
    with pytest.raises(InputError, match="exists already; pass --resume"), run_folder(run):
        raise AssertionError("the work began")
    (run / "corpus.jsonl").write_text("dear")
    with pytest.raises(InputError, match=r"holds corpus\.jsonl"), run_folder(run, overwrite=True):
        raise AssertionError("the work began")
    assert (run / "corpus.jsonl").read_text() == "dear"
    assert model(run) == "old"


def test_going_on_makes_the_end_anew(run: Path) -> None:
    (run / LAST).mkdir()
    with run_folder(run, resume=True):
        assert not (run / LAST).exists()
    assert model(run) == "old"
