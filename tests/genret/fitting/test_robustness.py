"""A model and its baselines on perturbed queries: the same values as when each is asked by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import Passage, Query, read_queries
from genret.corpus.formats.beir import write_passages, write_queries
from genret.evaluation import BM25_TUNED, bm25_run, evaluate
from genret.evaluation.perturbations import LEVELS, perturbed
from genret.fitting.robustness import perturbed_systems
from genret.fitting.systems import MODEL_NAME
from genret.jobs.stages import Stages
from genret.recipes.baseline_runs import BASELINES
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import search_run

QUERIES = [Query("q1", "what river lies near rome"), Query("q2", "walk the mountain"), Query("q3", "run")]
JUDGED = {"q1": {"river.rome": 1}, "q2": {"mountain.walk": 1}, "q3": {"city.run": 1, "river.run": 1}}
SYSTEMS = [MODEL_NAME, *BASELINES[:5]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(passages: list[Passage], tmp_path: Path) -> Path:
    task = tmp_path / "task"
    (task / "qrels").mkdir(parents=True)
    write_passages(task / "corpus.jsonl", passages)
    write_queries(task / "queries.jsonl", QUERIES)
    rows = [f"{query_id}\t{one}\t1\n" for query_id, grades in JUDGED.items() for one in grades]
    (task / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return task


@pytest.mark.parametrize("kind", ["typos", "order", "case"])
def test_each_system_is_asked_as_written_and_twice_perturbed(
    kind: str, tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    metrics = ("hit@3", "recall@2")
    found = perturbed_systems(tiny_retriever, QUERIES, JUDGED, kind, Stages(), seed=4, metrics=metrics)
    assert list(found) == SYSTEMS
    for level, asked in enumerate([QUERIES, *(perturbed(QUERIES, kind, level, 4) for level in LEVELS)]):
        runs = {
            MODEL_NAME: search_run(tiny_retriever, asked, 3),
            "BM25, tuned": bm25_run(passages, asked, 3, BM25_TUNED),
        }
        for name, run in runs.items():
            expected = evaluate(run, JUDGED, metrics)
            assert found[name][level].metrics == metrics
            assert found[name][level].values.tolist() == expected.values.tolist()
    if kind == "case":
        # BM25 and the tiny encoder read small letters alone.
        assert all(
            one.values.tolist() == levels[0].values.tolist() for levels in found.values() for one in levels
        )


def test_the_command_shows_values_and_changes(
    tiny_retriever: GenerativeRetriever,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "model"
    tiny_retriever.save_pretrained(model)
    command = ["eval", model, folder, "--perturb", "typos", "--metric", "hit@1", "--seed", 7]
    assert genret(monkeypatch, *command, "--format", "json") == 0
    first = capsys.readouterr().out
    content = json.loads(first)
    assert [row["name"] for row in content["rows"]] == [
        name + end for name in SYSTEMS for end in ("", ", typos 1", ", typos 2")
    ]
    means = {row["name"]: row["metrics"]["hit@1"]["mean"] for row in content["rows"]}
    for one in content["changes"]:
        change = means[f"{one['name']}, typos {one['level']}"] - means[one["name"]]
        assert round(one["changes"]["hit@1"]["mean"] - change, 9) == 0
    assert len(content["changes"]) == 2 * len(SYSTEMS)
    assert genret(monkeypatch, *command, "--format", "json", "--output", tmp_path / "again") == 0
    assert (tmp_path / "again").read_text() == first
    assert genret(monkeypatch, *command, "--format", "markdown") == 0
    shown = capsys.readouterr().out
    assert "| hybrid, typos 2 | 3 | " in shown
    assert "| change | hit@1 |" in shown
    assert list(read_queries(folder)) == QUERIES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{folder}", "{folder}", "--perturb", "typos", "--kilt", "page"], "--perturb goes with --split"),
        (["{folder}", "{folder}", "--perturb", "typos", "--ties", "file"], "--perturb goes with --split"),
        (
            ["{folder}", "{folder}", "--perturb", "typos", "--drop-identical-ids"],
            "--perturb goes with --split",
        ),
        (
            ["{folder}/queries.jsonl", "{folder}", "--perturb", "order"],
            "expected a model folder and a folder",
        ),
        (["{folder}", "{folder}/qrels/dev.tsv", "--perturb", "case"], "expected a model folder and a folder"),
        (["{folder}", "{folder}", "--perturb", "case", "--metric", "hit@0"], "'hit@0' is not a metric"),
        (["{folder}", "{folder}", "--perturb", "noise"], "noise"),
        (["{folder}", "{folder}", "--seed", "0"], "--seed is the seed of --perturb"),
    ],
)
def test_bad_calls_end_in_a_sentence(
    options: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert genret(monkeypatch, "eval", *(option.format(folder=folder) for option in options)) == 2
    assert message in capsys.readouterr().err
