"""The whole recipe on a corpus of a few words: a model folder, figures for every system, and no work left behind."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from floats import close
from rich.console import Console
from tiny_sentence_encoder import WORDS, write_encoder

import genret
from genret.corpus.corpus_options import CorpusOptions
from genret.errors import InputError, UsageError
from genret.fitting import FitOptions, pipeline, run_fit
from genret.fitting.fit_report import rich_report
from genret.jobs.progress import parse_duration
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import BASELINES
from genret.retrieval.docids import GenerativeRetriever
from genret.training.linear_index.query_side import QuerySide
from genret.vectors import embedding
from genret.words import DEFAULT_WEIGHT

NOUNS = [word for word in WORDS if word.isalpha()]
SYSTEMS = ["the model", "the same, untrained", "random weights", *BASELINES[:5]]


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
    encoder = write_encoder(tmp_path / "encoder")
    return FitOptions(
        corpus, tmp_path / "out" / "model", encoder=str(encoder), budget_seconds=60, num_beams=20
    )


def test_fit_writes_a_model_and_measures_every_system(settings: FitOptions) -> None:
    lines: list[str] = []
    report = run_fit(settings, lines.append)
    assert list(report.comparison.evaluations) == SYSTEMS
    assert all(len(one.query_ids) == 6 for one in report.comparison.evaluations.values())
    assert report.comparison.evaluations["BM25"].mean("hit@10") > 0
    found = GenerativeRetriever.from_pretrained(settings.output)
    assert len(found.search("the lazy fox", k=5)) == 5
    assert found.fitted is not None
    assert found.fitted.encoder == SentenceEncoder.load(settings.encoder).fingerprint
    assert any("64 passages; no labels" in line for line in lines)
    assert [line for line in lines if line in {stage.name for stage in report.stages}] == [
        s.name for s in report.stages
    ]
    assert "nothing is trained" in "\n".join(report.plan)
    assert [path.name for path in settings.output.parent.iterdir()] == ["model"]
    console = Console(record=True, width=120)
    console.print(rich_report(report))
    assert "choose the words" in console.export_text()


@pytest.mark.parametrize(("reads", "kept"), [(True, True), (False, False)])
def test_labels_make_a_query_side_that_is_kept_where_it_ranks_better(
    settings: FitOptions, monkeypatch: pytest.MonkeyPatch, reads: bool, kept: bool
) -> None:
    """Questions for passages on the next noun, which can be learned; and a training that turns everything round."""
    asked = [f"{NOUNS[row % 8]} {NOUNS[row // 8]}" for row in range(64)]
    lines = (json.dumps({"_id": f"q{row}", "text": text}) for row, text in enumerate(asked))
    (settings.corpus / "queries.jsonl").write_text("\n".join(lines))
    judgements = settings.corpus / "train.tsv"
    judgements.write_text(
        "query-id\tcorpus-id\tscore\n"
        + "".join(f"q{n}\tp{(n + 1) % 8 if reads else n}\t1\n" for n in range(64))
    )
    monkeypatch.setattr(pipeline, "LEAST_LABELLED", 58)
    monkeypatch.setattr("genret.recipes.linear_start.ONE_IN", 4)
    # The tiny encoder's vectors are all near-copies of one another.
    monkeypatch.setattr("genret.training.linear_index.query_side.NEAR_COPY", 2.0)
    if not reads:
        turned = QuerySide(-torch.eye(SentenceEncoder.load(settings.encoder).dimension), 20.0, 0.0)
        monkeypatch.setattr("genret.recipes.linear_start.fit_query_side", lambda *_, **__: turned)
    announced: list[str] = []
    report = run_fit(replace(settings, judgements=judgements), announced.append)
    assert report.test_name == "judged queries held back from training"
    assert list(report.comparison.evaluations)[3:] == list(BASELINES)
    assert "learn the query side" in {stage.name for stage in report.stages}
    (note,) = [line for line in announced if "labelled queries kept back" in line]
    assert note.startswith("the query side is trained" if kept else "the query side stays untrained")
    retriever: Any = GenerativeRetriever.from_pretrained(settings.output)
    learned = retriever.backbone.model.decoder.condition.weight
    assert close(learned, torch.eye(len(learned)), within=1e-3) != kept
    assert (retriever.words.weight == DEFAULT_WEIGHT) != kept
    # What words tell of the passages that answer is learned with it.
    assert (retriever.words.factors is not None) == kept


def test_the_first_block_of_the_api_page_runs(settings: FitOptions) -> None:
    """`genret.fit` with the command's options, and the model that it gives and that is loaded."""
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    code = code.replace('"CORPUS"', repr(str(settings.corpus))).replace('"MODEL"', repr(str(settings.output)))
    done: dict[str, Any] = {}
    exec(code.replace('budget="30m"', f'budget="2m", encoder={settings.encoder!r}'), done)
    asked = ["a question", "another one"]
    assert done["report"].folder == settings.output
    assert done["report"].retriever.batch_search(asked, k=5) == [done["first"], done["second"]]
    with pytest.raises(UsageError, match="'soon'"):
        genret.fit(settings.corpus, settings.output, budget="soon")
    with pytest.raises(UsageError, match="at least 30"):
        genret.fit(settings.corpus, settings.output, budget=float("nan"))
    with pytest.raises(InputError, match="seed: expected at least 0, found -1"):
        genret.fit(settings.corpus, settings.output, seed=-1)


def test_genret_fit_has_every_option_of_a_fit_with_its_default() -> None:
    ours = {name: one.default for name, one in inspect.signature(genret.fit).parameters.items()}
    assert parse_duration(ours.pop("budget")) == FitOptions.budget_seconds
    assert callable(ours.pop("announce"))
    theirs = {one.name: one.default for one in (*fields(FitOptions), *fields(CorpusOptions))}
    del theirs["budget_seconds"], theirs["reading"]
    nothing = {MISSING: inspect.Parameter.empty}
    assert ours == {name: nothing.get(default, default) for name, default in theirs.items()}


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
        assert [path.name for path in settings.output.parent.iterdir()] == ["model"]
        return compare(*arguments, **options)

    monkeypatch.setattr(SentenceEncoder, "load", lambda *name: loaded.append(name) or load(*name))
    monkeypatch.setattr(embedding, "_key", counted)
    monkeypatch.setattr(pipeline, "compare_systems", look)
    run_fit(settings)
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
            run_fit(settings)
    with pytest.raises(InputError, match="exists already"):
        run_fit(settings)
    encoded: list[int] = []
    embed = SentenceEncoder.embed

    def counted(encoder: SentenceEncoder, texts: list[str], *rest: Any, **options: Any) -> Any:
        encoded.append(len(texts))
        return embed(encoder, texts, *rest, **options)

    monkeypatch.setattr(SentenceEncoder, "embed", counted)
    report = run_fit(replace(settings, overwrite=True))
    assert max(encoded) < 64  # the passages' vectors are there
    assert report.comparison.evaluations


@pytest.mark.parametrize(("seconds", "minutes"), [(10.0, 13), (0.7, 2)])
def test_a_budget_that_is_too_short_names_one_that_is_not(
    settings: FitOptions, monkeypatch: pytest.MonkeyPatch, seconds: float, minutes: int
) -> None:
    """Passages that take too long, and passages that leave too little for docids."""
    monkeypatch.setattr("genret.fitting.budget._seconds_per_passage", lambda *_: seconds)
    monkeypatch.setattr("genret.fitting.budget._seconds_per_level", lambda *_: 1.6)
    with pytest.raises(UsageError, match=f"too much of a budget of 1m 00s; allow at least {minutes} minutes"):
        run_fit(settings)


def test_passages_too_short_to_hold_back_are_fitted_untested(settings: FitOptions) -> None:
    rows = [{"_id": f"p{number}", "title": "", "text": f"the {noun}"} for number, noun in enumerate(NOUNS)]
    (settings.corpus / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = run_fit(settings)
    assert report.comparison.evaluations == {}
    assert GenerativeRetriever.from_pretrained(settings.output).search("the fox", k=2)
    console = Console(record=True, width=120)
    console.print(rich_report(report))
    assert "Not tested" in console.export_text()
