"""The options that `genret eval` and `genret compare` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genret.corpus import PassageStore

__all__ = [
    "AnswersIn",
    "Kilt",
    "KiltLevel",
    "Metrics",
    "PiecesIn",
    "Split",
    "TiedScores",
    "Ties",
    "TrainedOn",
    "pieces_in",
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
PiecesIn = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="JUDGEMENTS are of documents, and MODEL, a model folder or a corpus, has them in pieces: each document "
        "counts once, at its best piece.",
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


def pieces_in(place: Path | None) -> PassageStore | None:
    """The passages of a model folder, or of a corpus that was written in pieces; None for no place.

    Raises:
        InputError, ArtefactError: they cannot be read.
    """
    from genret.artefact import folder_kind
    from genret.corpus import read_store
    from genret.retrieval import DOCIDS, NGRAMS
    from genret.retrieval.from_folder import load_passages

    if place is None:
        return None
    is_model = place.is_dir() and folder_kind(place) in (DOCIDS, NGRAMS)
    return load_passages(place, verify="header") if is_model else read_store(place)
