"""The demo from its corpus to the prompt: fit, save, reload, ask, show.

Thin: what is measured comes from the library, what is shown from `genret.demo.pages`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from fm_index.container import atomic_writer
from genret.artefact import MANIFEST
from genret.corpus import Query, read_judgements, read_queries
from genret.demo import page_data, pages
from genret.demo.collection import DemoCollection
from genret.demo.questions import DemoQuestion, judgements_of
from genret.demo.search_steps import steps_of
from genret.errors import InputError
from genret.evaluation import result_table
from genret.fitting import FitOptions, FitReport, run_fit
from genret.fitting.fit_report import stage_table
from genret.fitting.systems import MODEL_NAME, SystemScores, compare_systems
from genret.jobs.stages import Stage, Stages
from genret.recipes.baseline_runs import labelled_rows
from genret.retrieval.docids import GenerativeRetriever
from genret.version import __version__

__all__ = ["DemoOptions", "answer_questions", "ask", "run_demo"]

RECORD = "demo.json"
K = 10
ANSWERS, FAILURES, ANSWER_HITS = 5, 3, 3
STEP_BEAMS = 3
MEASURED = "All of it measured in this run."
REUSED = "The fit as measured when this model was made; the rest in this run."


@dataclass(frozen=True)
class DemoOptions:
    """Where the demo keeps its files, and how long it may train.

    Attributes:
        folder: holds the corpus, the model and a record of what was measured.
        minutes: budget of the fit, from reading the corpus to the comparison.
        retrain: fit again even if the folder holds a model of this corpus.
    """

    folder: Path
    minutes: float
    retrain: bool = False


def run_demo(
    console: Console, collection: DemoCollection, options: DemoOptions, stages: Stages
) -> GenerativeRetriever:
    """Fit unless a model of this corpus is there, reload it, ask it everything, and print what came out.

    `stages` holds what was done before, and announces what is done.

    Raises:
        InputError: the folder holds a model that is not the demo's.
    """
    stored = None if options.retrain else _stored_stages(options.folder, collection)
    console.print(pages.plan_page("What this will do", _plan(collection, options, stored is not None)))
    for message in collection.messages:
        stages.announce(message)
    before = list(stages.finished)
    report = None if stored else _fit(collection, options, stages.announce)
    with stages.stage("load the model"):
        retriever = GenerativeRetriever.from_pretrained(options.folder / "model")
    found = report.comparison if report else _compare(collection, retriever, stages)
    scores = result_table(found.evaluations).rich()
    console.print(pages.scores_page(f"{len(collection.questions)} questions that no training saw", scores))
    with stages.stage("explain searches"):
        for page in _search_pages(retriever, collection, found):
            console.print(page)
    fitted, note = (report.stages, MEASURED) if report else (stored or [], REUSED)
    costs = stage_table([*before, *fitted, *stages.finished[len(before) :]])
    console.print(pages.cost_page(costs, note))
    return retriever


def ask(console: Console, retriever: GenerativeRetriever, read: Callable[[str], str]) -> None:
    """Answer the user's own questions until the input ends."""

    def answer(question: str) -> None:
        console.print(pages.hits_page(page_data.own_answer(retriever, retriever.search(question, K))))

    answer_questions(console, answer, read)


def answer_questions(console: Console, answer: Callable[[str], None], read: Callable[[str], str]) -> None:
    """Call `answer` with each question that `read` gives, until the input ends, and say how long it took."""
    console.print("Ask your own question; Ctrl-D ends.")
    while True:
        try:
            question = read("> ").strip()
        except EOFError:
            console.print()
            return
        if question:
            begin = time.monotonic()
            answer(question)
            console.print(f"[dim]{(time.monotonic() - begin) * 1000:.0f} ms[/dim]")


def _plan(collection: DemoCollection, options: DemoOptions, stored: bool) -> list[tuple[str, str]]:
    passages, questions = len(collection.passages), len(collection.questions)
    taught = "learn from questions how queries are read" if collection.train else "train nothing"
    trained = (
        "nothing: the model of an earlier run is there (--retrain makes a new one)"
        if stored
        else f"give each passage a docid of codes, by its meaning, and of words, in front of a frozen encoder; {taught}; "
        f"at most {options.minutes:g} minutes"
    )
    return [
        (
            "read",
            f"{collection.name}: {passages:,} passages; {questions:,} questions, none of them for training",
        ),
        ("fit", trained),
        ("reload", f"the model from {options.folder / 'model'}, every file checked; seconds"),
        (
            "compare",
            "with the same model untrained, BM25, the dense retriever of the same encoder, and both together",
        ),
        ("show", "scores, one question token by token, answers, failures, time and memory"),
    ]


def _fit(collection: DemoCollection, options: DemoOptions, announce: Callable[[str], None]) -> FitReport:
    model, record = options.folder / "model", options.folder / RECORD
    if model.exists() and not record.exists():
        raise InputError(f"{model} exists and was not made by the demo; choose another folder with --output.")
    if not (model / MANIFEST).exists():
        # Of a demo, as its record says, and incomplete: what nothing else would take for its own.
        shutil.rmtree(model, ignore_errors=True)
    settings = FitOptions(
        corpus=collection.folder,
        output=model,
        judgements=collection.train,
        test_judgements=collection.test,
        budget_seconds=options.minutes * 60,
        overwrite=True,
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    # First without what it took: a fit that ends early leaves a folder that the next one knows for its own.
    _write_record(record, collection)
    report = run_fit(settings, announce)
    _write_record(record, collection, stages=report.stages)
    return report


def _write_record(record: Path, collection: DemoCollection, **more: Any) -> None:
    content = {"version": __version__, "corpus": collection.digest, **more}
    with atomic_writer(record) as file:
        file.write(json.dumps(content, indent=1).encode())


def _compare(collection: DemoCollection, retriever: GenerativeRetriever, stages: Stages) -> SystemScores:
    queries = [Query(one.query_id, one.text) for one in collection.questions]
    judged = judgements_of(collection.questions)
    labelled = _labelled(collection)
    return compare_systems(retriever, collection.passages, queries, judged, stages, K, labelled=labelled)


def _labelled(collection: DemoCollection) -> list[tuple[str, int]]:
    """The training questions with their passages' rows; none without labels."""
    if collection.train is None:
        return []
    texts = {query.query_id: query.text for query in read_queries(collection.folder)}
    ids = [passage.passage_id for passage in collection.passages]
    return labelled_rows(read_judgements(collection.train), texts, ids)


def _stored_stages(folder: Path, collection: DemoCollection) -> list[Stage] | None:
    """What fitting took, if `folder` holds a complete model of this very corpus."""
    try:
        content: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
        stages = [Stage(*one) for one in content["stages"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    complete = (folder / "model" / MANIFEST).is_file()
    same = (content.get("version"), content.get("corpus")) == (__version__, collection.digest)
    return stages if complete and same else None


def _search_pages(
    retriever: GenerativeRetriever, collection: DemoCollection, found: SystemScores
) -> Iterator[RenderableType]:
    """One question token by token, some that were answered, and some that were not."""
    first, beams = collection.questions[0], max(retriever.options.num_beams, K)
    steps = steps_of(retriever.trace(first.text, beams), beams)
    shown = page_data.step_views(retriever, steps, STEP_BEAMS)
    yield pages.steps_page(first.text, shown, len(collection.passages), str(retriever.options.score))
    answered, missed = _split(collection, found)
    answers = [
        page_data.answer(retriever, one, found.hits[one.query_id], ANSWER_HITS)
        for one in page_data.spread(answered, ANSWERS)
    ]
    title = f"{len(answered)} questions have a right passage among the first {K}; {len(answers)} of them"
    yield pages.answers_page(title, answers)
    failures = [
        page_data.failure(retriever, one, found.hits[one.query_id])
        for one in page_data.spread(missed, FAILURES)
    ]
    if failures:
        yield pages.failures_page(f"{len(missed)} questions have none; {len(failures)} of them", failures)


def _split(collection: DemoCollection, found: SystemScores) -> tuple[list[DemoQuestion], list[DemoQuestion]]:
    """The questions with a right passage among the first K, and the others."""
    model = found.evaluations[MODEL_NAME]
    scores = dict(zip(model.query_ids, model.column(f"hit@{K}"), strict=True))
    answered = [one for one in collection.questions if scores[one.query_id] > 0]
    return answered, [one for one in collection.questions if scores[one.query_id] == 0]
