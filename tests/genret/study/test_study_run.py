"""A study on a tiny corpus: every job runs once, a killed one goes on, and the report holds what is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import genret
from floats import DOUBLE, assert_close
from studies import write_study

from genret.config import load_config
from genret.corpus import read_judgements, read_run
from genret.errors import InputError
from genret.evaluation import evaluate
from genret.recipes.baseline_runs import BASELINES
from genret.study import Study, run_study
from genret.study.study_report import read_report


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def runs(study: Study) -> dict[str, int]:
    """When each job's run was written."""
    return {
        path.parent.name: path.stat().st_mtime_ns for path in Path(study.output).glob("jobs/*/evaluation.run")
    }


def test_a_study_runs_each_job_once_and_reports_all(tmp_path: Path) -> None:
    study = load_config(Study, write_study(tmp_path, seeds=[0, 1], sizes={"small": {"passages": 12}}))
    with pytest.raises(InputError, match="no job of this study is finished yet"):
        read_report(study)
    part = run_study(study, "*-firstp-*-0")
    assert part.missing == 3
    assert [cell.system for cell in part.cells] == [*BASELINES, "firstp"]
    first = runs(study)
    assert first
    report = run_study(study)
    assert first.items() <= runs(study).items()
    assert report.missing == 0
    assert [(cell.system, len(cell.evaluations)) for cell in report.cells] == [
        *((name, 1) for name in BASELINES), ("labelled", 2), ("firstp", 2),
    ]  # fmt: skip
    jobs = Path(study.output) / "jobs"
    judged = read_judgements(Path(study.output) / "samples" / "small" / "evaluation.tsv")
    means = [
        evaluate(read_run(jobs / f"small-docids-labelled-model-{seed}" / "evaluation.run"), judged).mean(
            "hit@10"
        )
        for seed in (0, 1)
    ]
    assert_close(report.cells[len(BASELINES)].mean.mean("hit@10"), sum(means) / 2, relative=DOUBLE)
    lines = report.table().markdown().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        *(f"12 passages: {name}" for name in BASELINES),
        "12 passages: labelled, 2 seeds", "12 passages: firstp, 2 seeds",
    ]  # fmt: skip


def test_a_killed_job_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_study(tmp_path, representations={"labelled": {}}, sizes={"all": {}})
    study = load_config(Study, path)
    folder = Path(study.output) / "jobs" / "all-docids-labelled-model-0"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("genret.study.study_jobs.search_run", killed)
        with pytest.raises(KeyboardInterrupt):
            run_study(study)
    checkpoints = {
        path: path.stat().st_mtime_ns for path in (folder / "codebook" / "checkpoints").glob("*/*")
    }
    assert checkpoints
    assert not (folder / "evaluation.run").exists()
    run_study(study)
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints
    twin = load_config(Study, path, [f"output={tmp_path / 'twin'}"])
    run_study(twin)
    other = Path(twin.output) / "jobs" / folder.name / "evaluation.run"
    assert (folder / "evaluation.run").read_bytes() == other.read_bytes()


def test_a_job_with_other_settings_is_not_taken_for_this_one(tmp_path: Path) -> None:
    path = write_study(tmp_path, representations={"labelled": {}}, sizes={"small": {"passages": 12}})
    run_study(load_config(Study, path))
    changed = load_config(Study, path, ["models.model.search={num_beams: 11}"])
    with pytest.raises(InputError, match=r"search\.num_beams was 10 and is 11"):
        run_study(changed)


def test_the_command_prints_a_table_and_draws_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_study(tmp_path, representations={"labelled": {}})
    figure = tmp_path / "figure.svg"
    assert genret(monkeypatch, "study", path, "--only", "small-*", "--figure", figure) == 0
    shown = capsys.readouterr()
    assert "12 passages: labelled" in shown.out
    assert "small-docids-labelled-model-0 (1 of 1)" in shown.err
    assert "1 jobs of this study are not finished" in shown.err
    assert "passages" in figure.read_text()
    assert genret(monkeypatch, "study", path, "--only", "none") == 3
    assert "no job is called 'none'" in capsys.readouterr().err
    assert genret(monkeypatch, "study", path, "--figure", figure) == 3
    assert "exists already" in capsys.readouterr().err
