"""KILT's retrieval and answer metrics, over evidence sets of pages or paragraphs.

F. Petroni et al., "KILT: a Benchmark for Knowledge Intensive Language Tasks", NAACL 2021, section 5, in the exact
form of its leaderboard: ids compared as strings, a guess's repetitions removed before ranking, an evidence set
standing in the ranking where its last piece stands. Every gold line counts; one without a guess is an error.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from genret.corpus import Run
from genret.corpus.formats.datafile import show
from genret.corpus.formats.kilt import KEYS, KiltLine, Level, locate
from genret.errors import InputError, UsageError
from genret.evaluation.metrics import Evaluation
from genret.evaluation.rouge import rouge_l

__all__ = [
    "ANSWER_METRICS",
    "KILT_METRICS",
    "evaluate_kilt",
    "evaluate_kilt_answers",
    "guesses_of_lines",
    "guesses_of_run",
    "parse_metric",
]

KILT_METRICS = ("Rprec", "precision@1", "recall@5", "success_rate@5")
ANSWER_METRICS = (
    "accuracy",
    "em",
    "f1",
    "rougel",
    "KILT-accuracy",
    "KILT-em",
    "KILT-f1",
    "KILT-rougel",
)
METRIC = re.compile(r"(precision|recall|success_rate)@([1-9][0-9]{0,5})")
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
JOIN = "+"

# line id -> ids of pages or paragraphs, best first, without repetitions
Guesses = dict[str, list[str]]


def guesses_of_lines(lines: Iterable[KiltLine], level: Level = "page") -> Guesses:
    """The evidence of a guess file, in its order.

    Raises:
        InputError: a line has not exactly one output with a provenance.
    """
    guesses = {}
    for line in lines:
        outputs = [output for output in line.outputs if output.get("provenance") is not None]
        if len(outputs) != 1:
            raise InputError(
                f"guess {show(line.line_id)}: {len(outputs)} outputs have a provenance; expected exactly one."
            )
        guesses[line.line_id] = _ids(outputs[0], level)
    return guesses


def guesses_of_run(run: Run, level: Level = "page") -> Guesses:
    """The pages, or the paragraphs, of a run's hits, in its order; passage ids are the knowledge source's.

    Raises:
        InputError: at the paragraph level, a passage id names no paragraph.
    """
    return {
        query_id: list(dict.fromkeys(_name(passage_id, level) for passage_id, _ in hits))
        for query_id, hits in run.items()
    }


def evaluate_kilt(
    guesses: Mapping[str, Sequence[str]],
    gold: Iterable[KiltLine],
    metrics: Sequence[str] = KILT_METRICS,
    level: Level = "page",
) -> Evaluation:
    """Score guesses against the evidence sets of gold lines.

    Metrics: `Rprec` (R-precision of the best evidence set), and over the ranking in which each evidence set counts
    once, where its last piece stands: `precision@k`, `recall@k` (of the distinct sets) and `success_rate@k`.

    Raises:
        UsageError: a metric's name is not one of these.
        InputError: a gold line has no guess, or no gold line has evidence.
    """
    measures = [parse_metric(name) for name in metrics]
    lines = list(gold)
    _check_complete(guesses, lines)
    if not any(output.get("provenance") for line in lines for output in line.outputs):
        raise InputError(
            "no gold line has evidence (a provenance); a test file without answers cannot score."
        )
    values = np.zeros((len(lines), len(metrics)))
    for row, line in enumerate(lines):
        ids = list(guesses[line.line_id])
        ranking, sets = _ranking(ids, line, level)
        for column, measure in enumerate(measures):
            values[row, column] = measure(ids, ranking, sets, line, level)
    return Evaluation(tuple(metrics), tuple(line.line_id for line in lines), values)


def evaluate_kilt_answers(guesses: Iterable[KiltLine], gold: Iterable[KiltLine]) -> Evaluation:
    """Score answers: exact (`accuracy`), normalised (`em`), by words (`f1`), by ROUGE-L, and `KILT-` forms of each.

    A `KILT-` form counts only where the guessed pages have an R-precision of 1. An empty answer scores 0.

    Raises:
        InputError: a guess is missing or has not exactly one answer, or a gold line has no answer.
    """
    lines, answers, pages = list(gold), {}, {}
    for guess in guesses:
        if len(guess.outputs) != 1 or guess.outputs[0].get("answer") is None:
            raise InputError(f"guess {show(guess.line_id)}: expected exactly one output, with an answer.")
        answers[guess.line_id] = guess.outputs[0]["answer"].strip()
        pages[guess.line_id] = _ids(guess.outputs[0], "page")
    _check_complete(answers, lines)
    rows = [_answer_values(answers[line.line_id], pages[line.line_id], line) for line in lines]
    return Evaluation(ANSWER_METRICS, tuple(line.line_id for line in lines), np.array(rows))


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces (SQuAD's normalisation)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def _check_complete(guesses: Mapping[str, object], lines: list[KiltLine]) -> None:
    missing = [line.line_id for line in lines if line.line_id not in guesses]
    if missing:
        listed = ", ".join(map(show, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise InputError(
            f"{len(missing):,} of {len(lines):,} gold lines have no guess: {listed}; every line needs one, if with "
            "an empty provenance."
        )


def _ids(output: Mapping[str, Any], level: Level) -> list[str]:
    """The distinct ids of an output's evidence, in order; pieces that lack a key are left out."""
    keys = KEYS[level]
    pieces = [piece for piece in output.get("provenance") or [] if all(key in piece for key in keys)]
    return list(dict.fromkeys(_joined(piece, level) for piece in pieces))


def _joined(piece: Mapping[str, Any], level: Level) -> str:
    return JOIN.join(str(piece[key]).strip() for key in KEYS[level] if key in piece)


def _name(passage_id: str, level: Level) -> str:
    page, first, last = locate(passage_id)
    if level == "page":
        return page
    if first is None:
        raise InputError(f"passage {show(passage_id)} names no paragraph; expected <wikipedia_id>#<number>.")
    return JOIN.join([page, str(first), str(last)])


def _ranking(ids: list[str], line: KiltLine, level: Level) -> tuple[list[bool], int]:
    """Which places of the ranking are complete evidence sets, and how many distinct sets there are.

    A piece that belongs to no set takes a place; a set takes one, where the last found of its pieces stands.
    """
    sets: list[set[str]] = []
    for output in line.outputs:
        if output.get("provenance") is not None:
            evidence = {_joined(piece, level) for piece in output["provenance"]}
            if evidence not in sets:
                sets.append(evidence)
    places = {passage: place for place, passage in enumerate(ids)}
    known = set().union(*sets)
    entries = [(place, -1, False) for passage, place in places.items() if passage not in known]
    for index, evidence in enumerate(sets):
        found = [places[passage] for passage in evidence if passage in places]
        if found:
            entries.append((max(found), index, len(found) == len(evidence)))
    return [complete for _, _, complete in sorted(entries)], len(sets)


Measure = Callable[[list[str], list[bool], int, KiltLine, Level], float]


def parse_metric(name: str) -> Measure:
    """The measure of one of KILT's names.

    Raises:
        UsageError: the name is none of them.
    """
    if name == "Rprec":
        return lambda ids, ranking, sets, line, level: _r_precision(ids, line, level)
    match = METRIC.fullmatch(name)
    if match is None:
        raise UsageError(
            f"{show(name)} is not a KILT metric; expected Rprec, precision@k, recall@k or success_rate@k."
        )
    kind, k = match[1], int(match[2])

    def at_k(ids: list[str], ranking: list[bool], sets: int, line: KiltLine, level: Level) -> float:
        complete = sum(ranking[:k])
        if kind == "recall":
            return complete / sets if sets else 0.0
        return complete / k if kind == "precision" else float(complete > 0)

    return at_k


def _r_precision(ids: list[str], line: KiltLine, level: Level) -> float:
    """The best, over outputs, of the share of an output's R distinct ids among the first R guessed."""
    shares = [0.0]
    for output in line.outputs:
        evidence = _ids(output, level)
        if evidence:
            shares.append(len(set(evidence).intersection(ids[: len(evidence)])) / len(evidence))
    return max(shares)


def _answer_values(answer: str, pages: list[str], line: KiltLine) -> list[float]:
    right = line.answers
    if not right:
        raise InputError(f"gold {show(line.line_id)}: it has no answer to compare with.")
    if not answer:
        return [0.0] * len(ANSWER_METRICS)
    values = [
        float(answer in right),
        float(normalise_answer(answer) in map(normalise_answer, right)),
        max(_f1(answer, one) for one in right),
        max(rouge_l(answer, one) for one in right),
    ]
    complete = _r_precision(pages, line, "page") == 1
    return values + [value if complete else 0.0 for value in values]


def _f1(answer: str, right: str) -> float:
    """The harmonic mean of precision and recall over the two answers' words."""
    guessed, expected = normalise_answer(answer).split(), normalise_answer(right).split()
    common = sum((Counter(guessed) & Counter(expected)).values())
    return 2 * common / (len(guessed) + len(expected)) if common else 0.0
