"""`genret.fit(...)`: the command `genret fit` as a function. Knows arguments; the work is the pipeline's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.sources import Place
from genret.fitting.fit_options import FitOptions
from genret.fitting.fit_report import FitReport
from genret.fitting.pipeline import run_fit
from genret.jobs.progress import parse_duration

__all__ = ["fit"]

AnyPath: TypeAlias = "str | os.PathLike[str]"


def fit(
    corpus: Place,
    output: AnyPath,
    *,
    budget: str | float = "30m",
    queries: AnyPath | None = None,
    judgements: AnyPath | None = None,
    test_judgements: AnyPath | None = None,
    encoder: str | None = None,
    seed: int = 0,
    num_beams: int = 100,
    id: str | None = None,
    title: str | None = None,
    text: str | None = None,
    split: str | None = None,
    skip_empty: bool = False,
    overwrite: bool = False,
    announce: Callable[[str], None] = lambda line: None,
) -> FitReport:
    """Train a model that is the index of a corpus, test it beside its baselines, and write its folder.

    Args:
        corpus: whatever `genret.corpus.read_passages` reads: a folder of documents, a BEIR folder, files, several of these.
        output: the model folder to write.
        budget: time for everything: seconds, or text such as "30m", "2h" or "90s".
        queries: queries of the labels; None for those of the corpus folder.
        judgements: which passages answer the training queries; None for those of the corpus folder, where there are any.
        test_judgements: which passages answer the test queries; None for those of the corpus folder, and where there
            are none, examples are held back for the test.
        encoder: name or folder of the frozen sentence encoder; None for the packaged default.
        seed: of docids, examples, parameters and order.
        num_beams: beams of a search, stored with the model.
        id: field of the corpus's records that names a passage; None for the usual names. As `title` and `text`, a path with
            dots leads into objects.
        title: field of its title.
        text: field of its text.
        split: None or "none", "sections", "sentences", "words:100" or "sentences:100": each piece of a text is a passage.
        skip_empty: leave out passages that have neither title nor text.
        overwrite: replace an existing output.
        announce: receives the plan before work begins, and a line for each stage.

    Returns:
        What was measured; its `retriever` is the model, ready to be searched.

    Raises:
        InputError: the inputs cannot be used, a number is beyond its bounds, or the output exists.
        UsageError: the budget is no time, or too short for this corpus.
    """
    settings = FitOptions(
        corpus,
        Path(output),
        queries=_path(queries),
        judgements=_path(judgements),
        test_judgements=_path(test_judgements),
        budget_seconds=parse_duration(budget) if isinstance(budget, str) else budget,
        encoder=encoder,
        seed=seed,
        num_beams=num_beams,
        reading=CorpusOptions(id, title, text, split, skip_empty),
        overwrite=overwrite,
    )
    return run_fit(settings, announce)


def _path(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given)
