"""The demo on a tiny model with random weights; only the fit is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from genret.corpus import Passage, Query, read_judgements, read_queries
from genret.corpus.formats.beir import write_queries
from genret.demo import walkthrough
from genret.demo.collection import DemoCollection, write_split
from genret.demo.questions import DemoQuestion
from genret.demo.walkthrough import DemoOptions, ask, run_demo
from genret.errors import InputError
from genret.fitting import FitOptions, FitReport
from genret.fitting.systems import compare_systems
from genret.jobs.stages import Stage, Stages
from genret.retrieval.docids import GenerativeRetriever

PLACES = ("river", "city", "mountain", "paris")
THINGS = ("rome", "walk", "read", "run")
# One question, asked once for each of the sixteen passages: ten are among the first ten, six are not.
QUESTIONS = [
    DemoQuestion(f"{place}-{thing}", "what river lies near rome", (f"{place}.{thing}",))
    for place in PLACES
    for thing in THINGS
]


class Fitter:
    """Saves the tiny model in place of training one, and remembers how it was asked."""

    def __init__(self, retriever: GenerativeRetriever) -> None:
        self.retriever, self.calls = retriever, list[FitOptions]()

    def __call__(self, settings: FitOptions, announce: Callable[[str], None]) -> FitReport:
        self.calls.append(settings)
        announce("fitting")
        self.retriever.save_pretrained(settings.output, overwrite=settings.overwrite)
        queries, judgements = (
            list(read_queries(settings.corpus)),
            read_judgements(settings.test_judgements or ""),
        )
        found = compare_systems(self.retriever, self.retriever.passages, queries, judgements, Stages())
        stages = [Stage("train", 61.0, 2 * 2**30)]
        return FitReport(settings.output, self.retriever, ["plan"], stages, "the test queries given", found)


@pytest.fixture
def fitter(tiny_retriever: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fitter:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Fitter(tiny_retriever)
    monkeypatch.setattr(walkthrough, "run_fit", found)
    return found


def made_of(passages: list[Passage], folder: Path, digest: str = "one") -> DemoCollection:
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    write_queries(corpus / "queries.jsonl", (Query(one.query_id, one.text) for one in QUESTIONS))
    test = write_split(corpus, "test", QUESTIONS)
    return DemoCollection(
        "made-up passages", corpus, passages, QUESTIONS, test, None, digest, ["a message [bold]"]
    )


def run(collection: DemoCollection, options: DemoOptions) -> tuple[str, list[str]]:
    console, log = Console(width=110, color_system=None), list[str]()
    stages = Stages(log.append)
    with stages.stage("read it all"):
        pass
    with console.capture() as shown:
        run_demo(console, collection, options, stages)
    return shown.get(), log


def test_every_page_is_shown_from_what_was_measured(
    fitter: Fitter, passages: list[Passage], tmp_path: Path
) -> None:
    collection = made_of(passages, tmp_path)
    shown, log = run(collection, DemoOptions(tmp_path / "demo", minutes=2.5))
    asked = fitter.calls[0]
    assert (asked.budget_seconds, asked.judgements, asked.test_judgements) == (150, None, collection.test)
    assert "2.5 minutes" in shown
    assert "made-up passages: 16 passages; 16 questions, none of them for training" in shown
    assert all(name in shown for name in ("the model", "untrained", "BM25", "dense", "hit@1", "MRR@10"))
    assert "16 passages can be reached" in shown
    assert "what river lies near rome" in shown
    costs = shown[shown.index("Time and memory") :]
    places = [costs.index(name) for name in ("read it all", "train", "1m 01s", "load the model", "explain")]
    assert places == sorted(places)
    assert log[:3] == ["read it all", "a message [bold]", "fitting"]
    answered, missed = (int(line.split()[0]) for line in shown.splitlines() if "questions have" in line)
    assert (answered, missed) == (10, 6)
    assert "by codes alone" in shown


def test_a_model_of_this_corpus_is_used_again(
    fitter: Fitter, passages: list[Passage], tmp_path: Path
) -> None:
    options = DemoOptions(tmp_path / "demo", minutes=1)
    first, _ = run(made_of(passages, tmp_path), options)
    shown, _ = run(made_of(passages, tmp_path), options)
    assert len(fitter.calls) == 1
    assert "the model of an earlier run is there" in shown
    assert "as measured when this model was made" in shown
    assert "1m 01s" in shown
    assert "ask the dense retriever" in shown
    begin, end = "questions that no training saw", "Time and memory"
    assert shown[shown.index(begin) : shown.index(end)] == first[first.index(begin) : first.index(end)]
    run(made_of(passages, tmp_path), DemoOptions(tmp_path / "demo", minutes=1, retrain=True))
    run(made_of(passages, tmp_path, digest="another corpus"), options)
    assert len(fitter.calls) == 3


@pytest.mark.parametrize("damage", ["record", "manifest", "version"])
def test_an_incomplete_or_older_model_is_made_again(
    damage: str, fitter: Fitter, passages: list[Passage], tmp_path: Path
) -> None:
    options = DemoOptions(tmp_path / "demo", minutes=1)
    run(made_of(passages, tmp_path), options)
    record = tmp_path / "demo" / "demo.json"
    if damage == "record":
        record.write_text("{")
    elif damage == "version":
        record.write_text(json.dumps({**json.loads(record.read_text()), "version": "0.0.0"}))
    else:
        (tmp_path / "demo" / "model" / "genret.json").unlink()
    run(made_of(passages, tmp_path), options)
    assert len(fitter.calls) == 2


def test_a_demo_that_was_interrupted_can_be_run_again(
    fitter: Fitter, passages: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = DemoOptions(tmp_path / "demo", minutes=1)

    def interrupted(settings: FitOptions, announce: object) -> FitReport:
        settings.output.mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(walkthrough, "run_fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(made_of(passages, tmp_path), options)
    run(made_of(passages, tmp_path), options)
    assert len(fitter.calls) == 1


def test_a_model_of_somebody_else_is_left_alone(
    fitter: Fitter, passages: list[Passage], tmp_path: Path
) -> None:
    (tmp_path / "demo" / "model").mkdir(parents=True)
    with pytest.raises(InputError, match="not made by the demo"):
        run(made_of(passages, tmp_path), DemoOptions(tmp_path / "demo", minutes=1))
    assert fitter.calls == []


def test_the_prompt_answers_until_the_input_ends(tiny_retriever: GenerativeRetriever) -> None:
    lines = iter(["what river lies near rome", "   "])

    def read(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        ask(console, tiny_retriever, read)
    text = shown.get()
    assert "Ctrl-D" in text
    assert text.count(" ms") == 1
    assert len([line for line in text.splitlines() if line.strip()[:2].strip().isdigit()]) >= 10
