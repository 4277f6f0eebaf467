"""What `genret eval` and `genret compare` share: runs scored against whatever kind of gold file is named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genret.corpus import Judgements
    from genret.evaluation import Evaluation

__all__ = ["AnswersIn", "Gold", "Kilt", "KiltLevel", "Metrics", "Split", "TrainedOn"]


class Kilt(StrEnum):
    """What of KILT's files is scored."""

    page = "page"
    paragraph = "paragraph"
    answers = "answers"


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


@dataclass(frozen=True)
class Gold:
    """What runs are scored against.

    Attributes:
        path: judgements, a KILT task, or questions with answers.
        kilt: score as KILT does.
        answers_in: score by answers in the texts of this corpus.
        trained_on: which queries are seen: those with a passage that these judgements have as well.
    """

    path: Path
    split: str | None = None
    metrics: list[str] | None = None
    kilt: Kilt | None = None
    answers_in: Path | None = None
    trained_on: str | None = None

    def __post_init__(self) -> None:
        from genret.errors import UsageError

        if self.kilt is not None and self.answers_in is not None:
            raise UsageError("--kilt and --answers-in are two ways to score; choose one.")
        if self.split is not None and (self.kilt is not None or self.answers_in is not None):
            raise UsageError("--split does not go with --kilt or --answers-in: their files are one split.")
        if self.trained_on is not None and (self.answers_in is not None or self.kilt is Kilt.answers):
            raise UsageError("--trained-on tells passages apart, which answers do not have.")

    def score(self, run: Path) -> Evaluation:
        """One run's values for every query of the gold file."""
        if self.kilt is not None:
            return self._score_as_kilt(run, self.kilt)
        if self.answers_in is not None:
            return self._score_answers(run, self.answers_in)
        from genret.corpus import read_judgements, read_run
        from genret.evaluation import DEFAULT_METRICS, evaluate

        return evaluate(
            read_run(run), read_judgements(self.path, self.split), tuple(self.metrics or DEFAULT_METRICS)
        )

    def parts(self, name: str, evaluation: Evaluation) -> dict[str, Evaluation]:
        """The evaluation, and where training judgements are given its seen and its unseen queries."""
        from genret.evaluation import seen_queries

        if self.trained_on is None:
            return {name: evaluation}
        seen = seen_queries(self._judgements(self.path, self.split), self._trained(self.trained_on))
        unseen = set(evaluation.query_ids) - seen
        return {
            name: evaluation,
            f"{name}, seen": evaluation.part(seen),
            f"{name}, unseen": evaluation.part(unseen),
        }

    def _trained(self, named: str) -> Judgements:
        return (
            self._judgements(Path(named), None)
            if Path(named).exists()
            else self._judgements(self.path, named)
        )

    def _judgements(self, path: Path, split: str | None) -> Judgements:
        from genret.corpus import read_judgements
        from genret.corpus.formats import kilt, registry

        if self.kilt is None:
            return read_judgements(path, split)
        level: kilt.Level = "page" if self.kilt is Kilt.page else "paragraph"
        return kilt.judgements(registry.open_file(path), level)

    def _score_as_kilt(self, path: Path, what: Kilt) -> Evaluation:
        from genret.corpus import read_run
        from genret.corpus.formats import kilt, registry
        from genret.errors import UsageError
        from genret.evaluation import kilt as scores

        file, gold = registry.open_file(path), list(kilt.lines(registry.open_file(self.path)))
        if what is Kilt.answers:
            if self.metrics:
                raise UsageError(
                    f"--kilt answers has a fixed list of metrics: {', '.join(scores.ANSWER_METRICS)}."
                )
            return scores.evaluate_kilt_answers(kilt.lines(file), gold)
        level: kilt.Level = "page" if what is Kilt.page else "paragraph"
        is_run = not registry.is_json(file) or not {"genret-run", "dpr-run"}.isdisjoint(
            registry.fitting(file)
        )
        guesses = (
            scores.guesses_of_run(read_run(path), level)
            if is_run
            else scores.guesses_of_lines(kilt.lines(file), level)
        )
        return scores.evaluate_kilt(guesses, gold, tuple(self.metrics or scores.KILT_METRICS), level)

    def _score_answers(self, run: Path, corpus: Path) -> Evaluation:
        from genret.corpus import read_questions, read_run, read_store
        from genret.evaluation import evaluate_answers

        passages = read_store(corpus, skip_empty=True)
        depths = {"ks": tuple(map(_depth, self.metrics))} if self.metrics else {}
        return evaluate_answers(read_run(run), read_questions(self.path), passages, **depths)


def _depth(metric: str) -> int:
    from genret.errors import UsageError

    match = re.fullmatch(r"answer@([1-9][0-9]{0,5})", metric)
    if match is None:
        raise UsageError(f"{metric!r} is no metric of answers; expected answer@k, such as answer@20.")
    return int(match[1])
