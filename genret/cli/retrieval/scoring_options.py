"""The options that `genret eval` and `genret compare` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AnswersIn",
    "Kilt",
    "KiltLevel",
    "Metrics",
    "Split",
    "TiedScores",
    "Ties",
    "TrainedOn",
]


class Kilt(StrEnum):
    """What of KILT's files is scored."""

    page = "page"
    paragraph = "paragraph"
    answers = "answers"


class Ties(StrEnum):
    """What comes first of a TREC run's equal scores."""

    trec = "trec"
    file = "file"


Split = Annotated[str | None, typer.Option(help="The split of a folder's judgements.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        help="hit@k, MRR@k, recall@k or nDCG@k (Rprec, precision@k, ... with --kilt, answer@k with --answers-in); "
        "may be repeated."
    ),
]
KiltLevel = Annotated[
    Kilt | None,
    typer.Option(
        "--kilt",
        help="KILT's metrics: JUDGEMENTS is a task file, RUN a guess file or a run of its passages.",
    ),
]
AnswersIn = Annotated[
    Path | None,
    typer.Option(
        metavar="CORPUS",
        help="Answer accuracy: JUDGEMENTS has questions with answers (KILT, DPR), CORPUS the passages' texts.",
    ),
]
TrainedOn = Annotated[
    str | None,
    typer.Option(
        help="Training judgements (with --kilt a task file), a file or a split: seen and unseen passages apart."
    ),
]
TiedScores = Annotated[
    Ties,
    typer.Option(
        "--ties",
        help="Equal scores of a TREC run: trec, as trec_eval, the greater passage id first; file, the earlier line.",
    ),
]
