"""The whole recipe on a corpus of a few words: a model folder, figures for every system, and no work left behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from floats import close
from rich.console import Console
from tiny_sentence_encoder import WORDS, write_encoder

from genret.errors import InputError, UsageError
from genret.fit import FitOptions, fit, pipeline
from genret.fit.fit_report import rich_report
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.retrieval.docids import GenerativeRetriever
from genret.vectors import embedding

NOUNS = [word for word in WORDS if word.isalpha()]
SYSTEMS = ["the model", "the same, untrained", "random weights", "BM25", "BM25, tuned", "dense, same encoder"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "a corpus"
    folder.mkdir()
    rows = []
    for number in range(64):
        first, second = NOUNS[number % 8], NOUNS[number // 8 % len(NOUNS)]
        sentences = (
            "the {0} {2} over {1} .",
            "a quick dog {2} jump over the {0} .",
            "lazy {1} fox {2} over a {0} .",
        )
        text = " ".join(sentence.format(first, second, f"w{number}") for sentence in sentences)
        rows.append({"_id": f"p{number}", "title": f"{first} {second}", "text": text})
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def settings(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FitOptions:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pipeline, "MAX_STEPS_UNLABELLED", 40)
    encoder = write_encoder(tmp_path / "encoder")
    return FitOptions(
        corpus, tmp_path / "out" / "model", encoder=str(encoder), budget_seconds=60, num_beams=20
    )


def test_fit_writes_a_model_and_measures_every_system(settings: FitOptions) -> None:
    lines: list[str] = []
    report = fit(settings, lines.append)
    assert list(report.comparison.evaluations) == SYSTEMS
    assert all(len(one.query_ids) == 6 for one in report.comparison.evaluations.values())
    assert report.comparison.evaluations["BM25"].mean("hit@10") > 0
    hits = GenerativeRetriever.from_pretrained(settings.output).search("the lazy fox", k=5)
    assert len(hits) == 5
    assert any("64 passages; no labels" in line for line in lines)
    assert [line for line in lines if line in {stage.name for stage in report.stages}] == [
        s.name for s in report.stages
    ]
    assert [path.name for path in settings.output.parent.iterdir()] == ["model"]
    console = Console(record=True, width=120)
    console.print(rich_report(report))
    assert "train the codebooks" in console.export_text()


def test_labels_make_a_query_map_and_every_fit_a_network(
    settings: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = {f"q{row}": f"{NOUNS[row % 8]} w{row}" for row in range(64)}
    lines = (json.dumps({"_id": name, "text": text}) for name, text in queries.items())
    (settings.corpus / "queries.jsonl").write_text("\n".join(lines))
    judgements = settings.corpus / "train.tsv"
    judgements.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\tp{n}\t1\n" for n in range(64)))
    monkeypatch.setattr(pipeline, "MAX_STEPS", 40)
    monkeypatch.setattr(pipeline, "LEAST_MAPPED", 58)
    report = fit(replace(settings, judgements=judgements))
    assert report.test_name == "judged queries held back from training"
    assert len(report.comparison.evaluations["the model"].query_ids) == 6
    assert {"fit the query map", "solve for the docid network"} <= {stage.name for stage in report.stages}
    retriever: Any = GenerativeRetriever.from_pretrained(settings.output)
    decoder = retriever.backbone.model.decoder
    learned = decoder.condition.weight
    assert not close(learned, torch.eye(len(learned)), within=1e-3)
    assert decoder.docid.out.weight.shape[1] == 32  # a unit for two passages
    assert decoder.docid.out.weight.abs().sum() > 0


def test_what_a_fit_holds_is_neither_written_nor_loaded_again(
    settings: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    load, compare = SentenceEncoder.load, pipeline.compare_systems
    hashed: list[int] = []
    key = embedding._key

    def counted(encoder: Any, texts: Any, max_length: int) -> str:
        hashed.append(len(texts))
        return key(encoder, texts, max_length)

    def look(*arguments: Any, **options: Any) -> object:
        (work,) = settings.output.parent.glob(".model.*.fit")
        assert {path.name for path in work.iterdir()} == {"codebook"}
        return compare(*arguments, **options)

    monkeypatch.setattr(SentenceEncoder, "load", lambda *name: loaded.append(name) or load(*name))
    monkeypatch.setattr(embedding, "_key", counted)
    monkeypatch.setattr(pipeline, "compare_systems", look)
    fit(settings)
    # The second time as a part of the saved model, which is loaded to see that it is whole.
    assert loaded[0] == (settings.encoder,)
    assert settings.encoder not in [name for given in loaded[1:] for name in given]
    assert hashed.count(64) == 1


def test_an_interrupted_fit_goes_on(settings: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "compare_systems", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(settings)
    (work,) = settings.output.parent.glob(".model.*.fit")
    metrics = work / "codebook" / "metrics.jsonl"
    before = metrics.read_text()
    with pytest.raises(InputError, match="exists already"):
        fit(settings)
    seen = {}

    def look(*arguments: object, **options: object) -> object:
        seen["metrics"] = metrics.read_text()
        return compare(*arguments, **options)

    compare = pipeline.compare_systems
    monkeypatch.setattr(pipeline, "compare_systems", look)
    again = FitOptions(**{**vars(settings), "overwrite": True})
    monkeypatch.setattr(pipeline, "_work_folder", lambda *_: work)
    fit(again)
    assert seen["metrics"].startswith(before)
    assert '"kind": "resumed"' in seen["metrics"]
    assert not work.exists()


@pytest.mark.parametrize(("seconds", "minutes"), [(10.0, 18), (0.7, 2)])
def test_a_budget_that_is_too_short_names_one_that_is_not(
    settings: FitOptions, monkeypatch: pytest.MonkeyPatch, seconds: float, minutes: int
) -> None:
    """Passages that take too long, and passages that leave too little for a sentence of each."""
    monkeypatch.setattr("genret.fit.budget._seconds_per_passage", lambda *_: seconds)
    with pytest.raises(UsageError, match=f"too much of a budget of 1m 00s; allow at least {minutes} minutes"):
        fit(settings)


def test_passages_too_short_to_hold_back_are_fitted_untested(settings: FitOptions) -> None:
    rows = [{"_id": f"p{number}", "title": "", "text": f"the {noun}"} for number, noun in enumerate(NOUNS)]
    (settings.corpus / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = fit(settings)
    assert report.comparison.evaluations == {}
    assert GenerativeRetriever.from_pretrained(settings.output).search("the fox", k=2)
    console = Console(record=True, width=120)
    console.print(rich_report(report))
    assert "Not tested" in console.export_text()
