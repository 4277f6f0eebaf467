"""Runs scored against whatever kind of gold file is named: judgements, a KILT task, or questions with answers.

Knows how files are read and which metrics go with them; everything that can be refused is refused before a run is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genret.corpus import (
    Judgements,
    PassageStore,
    Run,
    read_judgements,
    read_questions,
    read_run,
    read_store,
)
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.documents.judged import counting
from genret.corpus.documents.pieces import MARK
from genret.corpus.formats import kilt as kilt_files
from genret.corpus.formats import registry
from genret.corpus.formats.datafile import show
from genret.corpus.formats.runs import Ties
from genret.corpus.identical import identical_hits, without_identical
from genret.errors import UsageError
from genret.evaluation import kilt_metrics as kilt_scores
from genret.evaluation.answer_accuracy import evaluate_answers
from genret.evaluation.metrics import DEFAULT_METRICS, Evaluation, evaluate, parse_metric, seen_queries

__all__ = ["Gold"]

ANSWER_DEPTHS = (1, 5, 20, 100)
ANSWER_METRIC = re.compile(r"answer@([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Gold:
    """What runs are scored against.

    Attributes:
        path: judgements, a KILT task, or questions with answers.
        split: of a folder's judgements.
        metrics: their names; None for the usual ones of this kind.
        kilt: score as KILT does: pages, paragraphs, or answers.
        answers_in: score by answers in the texts of this corpus.
        trained_on: which queries are seen: those with a passage that these judgements (a file, or a split) have too.
        ties: the order of a TREC run's equal scores, see `read_run`.
        drop_identical: leave out hits with the query's own id.
        pieces: the passages that were searched: where judgements are of documents that these are pieces of, each counts
            once, at its best piece.

    Raises:
        UsageError: two of these do not go together, or a metric is not one of this kind.
    """

    path: Path
    split: str | None = None
    metrics: tuple[str, ...] | None = None
    kilt: Literal["page", "paragraph", "answers"] | None = None
    answers_in: Path | None = None
    trained_on: str | None = None
    ties: Ties = "trec"
    drop_identical: bool = False
    pieces: PassageStore | None = None

    def __post_init__(self) -> None:
        judged = self.kilt is None and self.answers_in is None
        if self.kilt is not None and self.answers_in is not None:
            raise UsageError("--kilt and --answers-in are two ways to score; choose one.")
        if self.split is not None and not judged:
            raise UsageError("--split does not go with --kilt or --answers-in: their files are one split.")
        if self.pieces is not None and not judged:
            raise UsageError("--pieces-in goes with judgements, not with --kilt or --answers-in.")
        if self.drop_identical and not judged:
            raise UsageError("--drop-identical-ids goes with judgements, not with --kilt or --answers-in.")
        if self.trained_on is not None and (self.answers_in is not None or self.kilt == "answers"):
            raise UsageError("--trained-on tells passages apart, which answers do not have.")
        self._check_metrics()

    def score(self, run: Path, notice: Callable[[str], None] = lambda line: None) -> Evaluation:
        """One run's values for every query of the gold file; `notice` receives what a user should know of them."""
        if self.kilt is not None:
            return self._score_as_kilt(run, notice)
        if self.answers_in is not None:
            return self._score_answers(run, self.answers_in)
        judged = read_judgements(self.path, self.split)
        hits = read_run(run, self.ties)
        if self.drop_identical:
            hits = {query_id: without_identical(query_id, own) for query_id, own in hits.items()}
        elif count := identical_hits(hits, judged):
            notice(
                f"{run}: {count:,} of {len(judged):,} queries have a hit with their own id, not judged relevant. If "
                "these queries are passages themselves (ArguAna, Quora), BEIR leaves such hits out: "
                "--drop-identical-ids."
            )
        if self.pieces is None:
            if found := _in_pieces(hits, judged):
                notice(
                    f"{run}: its hits are pieces of what is judged, such as {show(found)}: --pieces-in MODEL counts documents."
                )
            return evaluate(hits, judged, self.metrics or DEFAULT_METRICS)
        counted = counting(judged, self.pieces)
        return evaluate(counted.counted(hits), counted.judgements, self.metrics or DEFAULT_METRICS)

    def parts(self, name: str, evaluation: Evaluation) -> dict[str, Evaluation]:
        """The evaluation, and where training judgements are given its seen and its unseen queries."""
        if self.trained_on is None:
            return {name: evaluation}
        seen = seen_queries(self._judgements(self.path, self.split), self._trained(self.trained_on))
        unseen = set(evaluation.query_ids) - seen
        return {
            name: evaluation,
            f"{name}, seen": evaluation.part(seen),
            f"{name}, unseen": evaluation.part(unseen),
        }

    def _check_metrics(self) -> None:
        if self.kilt == "answers" and self.metrics:
            raise UsageError(
                f"--kilt answers has a fixed list of metrics: {', '.join(kilt_scores.ANSWER_METRICS)}."
            )
        parse: Callable[[str], object] = (
            kilt_scores.parse_metric if self.kilt else _depth if self.answers_in else parse_metric
        )
        for name in self.metrics or ():
            parse(name)

    def _trained(self, named: str) -> Judgements:
        if Path(named).exists():
            return self._judgements(Path(named), None)
        return self._judgements(self.path, named)

    def _judgements(self, path: Path, split: str | None) -> Judgements:
        if self.kilt is None:
            return read_judgements(path, split)
        return kilt_files.judgements(registry.open_file(path), self._level)

    @property
    def _level(self) -> kilt_files.Level:
        return "paragraph" if self.kilt == "paragraph" else "page"

    def _score_as_kilt(self, path: Path, notice: Callable[[str], None]) -> Evaluation:
        file, gold = registry.open_file(path), list(kilt_files.lines(registry.open_file(self.path)))
        if self.kilt == "answers":
            return kilt_scores.evaluate_kilt_answers(kilt_files.lines(file), gold)
        is_run = not registry.is_json(file) or not {"genret-run", "dpr-run"}.isdisjoint(
            registry.fitting(file)
        )
        guesses = (
            kilt_scores.guesses_of_run(read_run(path, self.ties), self._level)
            if is_run
            else kilt_scores.guesses_of_lines(kilt_files.lines(file), self._level)
        )
        lacking = sum(not ids for ids in guesses.values())
        if self.kilt == "paragraph" and lacking == len(guesses):
            notice(
                f"{path}: no guess names a paragraph (start_paragraph_id and end_paragraph_id), so that every value is 0; "
                "--kilt page scores pages."
            )
        return kilt_scores.evaluate_kilt(guesses, gold, self.metrics or kilt_scores.KILT_METRICS, self._level)

    def _score_answers(self, run: Path, corpus: Path) -> Evaluation:
        depths = tuple(map(_depth, self.metrics)) if self.metrics else ANSWER_DEPTHS
        passages = read_store(corpus, CorpusOptions(skip_empty=True))
        return evaluate_answers(read_run(run, self.ties), read_questions(self.path), passages, depths)


def _in_pieces(run: Run, judged: Judgements) -> str | None:
    """A hit whose id is a judged one and more behind a mark, where no hit is judged itself."""
    known = {one for grades in judged.values() for one in grades}
    found = {passage_id for hits in run.values() for passage_id, _ in hits}
    if not known.isdisjoint(found):
        return None
    return next((one for one in sorted(found) if one.rpartition(MARK)[0] in known), None)


def _depth(metric: str) -> int:
    match = ANSWER_METRIC.fullmatch(metric)
    if match is None:
        raise UsageError(f"{show(metric)} is no metric of answers; expected answer@k, such as answer@20.")
    return int(match[1])
