"""`--where` and metadata as a user meets them: in `genret search`, `genret batch`, pages, and in what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret
from typer.testing import CliRunner, Result

from genret.browse.page import results_page
from genret.browse.results import load_results
from genret.cli.app import app
from genret.corpus import Passage, PassageStore
from genret.errors import ArtefactError, InputError
from genret.retrieval.docids import GenerativeRetriever

QUESTION = "where lies the river near rome"
ODD = "n in (1, 3, 5)"


@pytest.fixture
def model(tiny_retriever: GenerativeRetriever, passages: list[Passage], tmp_path: Path) -> Path:
    store = PassageStore.build(
        one._replace(metadata={"lang": "en", "n": n, **({"first": True} if n == 0 else {})})
        for n, one in enumerate(passages)
    )
    GenerativeRetriever(tiny_retriever.backbone, tiny_retriever.table, store).save_pretrained(
        tmp_path / "model"
    )
    return tmp_path / "model"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def right(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_question(model: Path, passages: list[Passage]) -> None:
    lines = right("search", model, QUESTION, "-k", 9, "--where", ODD).splitlines()
    assert {line.split()[2] for line in lines[::2]} == {passages[n].passage_id for n in (1, 3, 5)}
    assert {line.strip() for line in lines[1::2]} == {f"lang: en, n: {n}" for n in (1, 3, 5)}
    rows = [
        json.loads(line)
        for line in right("search", model, QUESTION, "--json", "--where", "has first").splitlines()
    ]
    assert [row["metadata"] for row in rows] == [{"lang": "en", "n": 0, "first": True}]
    assert (
        right("search", model, QUESTION, "--where", "has first")
        .splitlines()[1]
        .strip()
        .endswith("first: true")
    )
    assert right("search", model, QUESTION, "--where", "n < 0") == ""


def test_a_trace(model: Path, passages: list[Passage]) -> None:
    asked = ("search", model, QUESTION, "--beams", 1, "--gold", passages[3].passage_id)
    assert "returned at rank 1 of 1" in right(*asked, "--where", "n = 3")
    assert "not a docid here" in right(*asked, "--where", "n = 4")


def test_files_of_queries(model: Path, tmp_path: Path, passages: list[Passage]) -> None:
    queries, ids = tmp_path / "queries.jsonl", {passages[n].passage_id for n in (1, 3, 5)}
    queries.write_text("".join(json.dumps({"_id": f"q{n}", "text": QUESTION}) + "\n" for n in range(3)))
    right("search", model, "--queries", queries, "--output", tmp_path / "a.run", "--where", ODD)
    found = {line.split()[2] for line in (tmp_path / "a.run").read_text().splitlines()}
    assert found == ids
    out = tmp_path / "all.jsonl"
    right("batch", model, queries, "-o", out, "--where", ODD, "--chunk", 2)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [{hit["passage_id"] for hit in line["hits"]} for line in lines] == [ids] * 3
    assert all(
        hit["metadata"] == {"lang": "en", "n": hit["metadata"]["n"]} for line in lines for hit in line["hits"]
    )
    assert json.loads((tmp_path / "all.jsonl.plan.json").read_text())["where"] == ODD
    with pytest.raises(InputError):
        run("batch", model, queries, "-o", out, "--where", "n = 1", "--resume")
    page = results_page(load_results([out], {}))
    assert "lang: en, n: 3" in page
    for part in ("0/2", "1/2"):
        right(
            "batch",
            model,
            queries,
            "-o",
            tmp_path / "parts.jsonl",
            "--where",
            ODD,
            "--shard",
            part,
            "--chunk",
            2,
        )
    right("merge", tmp_path / "parts.jsonl")
    assert (tmp_path / "parts.jsonl").read_text() == out.read_text()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("", "the expression is empty"),
        ('n = 1 and langs = "en"', "where, column 11: no field 'langs'; the nearest is 'lang'"),
        ("n = '1'", "where, column 5: 'n' is a whole number"),
        ("lang = en", "where, column 8: expected a value"),
        ("lang = 'en", "where, column 8: the quote"),
        ("(" * 100_000, "the expression has 100,000 characters"),
        ("n = 1 && n = 2", "where, column 7: found '&& n = 2'"),
    ],
)
@pytest.mark.parametrize("command", ["search", "batch"])
def test_wrong_conditions_end_before_the_model_is_loaded(
    model: Path,
    tmp_path: Path,
    condition: str,
    message: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (model / "model.safetensors").write_bytes(b"no model")
    (tmp_path / "queries.jsonl").write_text('{"_id": "a", "text": "b"}\n')
    asked = [QUESTION] if command == "search" else [tmp_path / "queries.jsonl", "-o", tmp_path / "out.jsonl"]
    assert genret(monkeypatch, command, model, *asked, "--where", condition) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "out.jsonl").exists()


def test_what_is_no_model_is_told_as_without_a_condition(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        told = []
        for more in ([], ["--where", "n = 1"]):
            with pytest.raises((InputError, ArtefactError)) as caught:
                run("search", place, QUESTION, *more)
            told.append(str(caught.value))
        assert told[0] == told[1]


def test_a_model_without_metadata(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> None:
    tiny_retriever.save_pretrained(tmp_path / "plain")
    with pytest.raises(InputError, match="these passages have id, title; they were stored without metadata"):
        run("search", tmp_path / "plain", QUESTION, "--where", "year = 2020")
    found = right("search", tmp_path / "plain", QUESTION, "--where", "id starts with 'river.'")
    assert [line.split()[2].split(".")[0] for line in found.splitlines()] == ["river"] * 4
