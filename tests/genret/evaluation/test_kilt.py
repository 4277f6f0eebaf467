"""KILT's metrics: cases worked by hand, golden values of the official evaluator, and what is refused.

`kilt_golden.json` holds generated gold and guess lines (ids as numbers and strings, repetitions, missing keys,
several and empty evidence sets) with the numbers that KILT's own evaluator gives for them at both levels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from floats import assert_close

from genret.corpus.formats.kilt import KiltLine
from genret.errors import InputError, UsageError
from genret.evaluation.kilt_metrics import (
    evaluate_kilt,
    evaluate_kilt_answers,
    guesses_of_lines,
    guesses_of_run,
    normalise_answer,
)

# Its numbers were written with twelve decimals.
DIGITS = 1e-12
# ROUGE's F1 has a summand of this size in its denominator, against a division by zero.
ROUGE = 1e-8
GOLDEN = json.loads((Path(__file__).parent / "kilt_golden.json").read_text())


def line(content: dict[str, Any]) -> KiltLine:
    return KiltLine(str(content["id"]), content)


def gold_of(*sets: list[int], line_id: str = "1") -> KiltLine:
    outputs = [{"answer": "x", "provenance": [{"wikipedia_id": page} for page in pages]} for pages in sets]
    return KiltLine(line_id, {"id": line_id, "input": "?", "output": outputs})


@pytest.mark.parametrize(
    ("sets", "guess", "expected"),
    [
        (
            [[1, 2], [5], [7, 9, 11]],
            [2, 5, 7, 33, 1, 9, 44, 88],
            {"Rprec": 0.5, "precision@1": 1, "precision@5": 0.4, "recall@5": 2 / 3, "success_rate@5": 1},
        ),
        ([[1]], [2, 1, 3], {"Rprec": 0, "recall@5": 1, "precision@1": 0, "success_rate@1": 0}),
        ([[1, 2]], [2, 1, 3], {"Rprec": 1, "precision@1": 1}),
        ([[1, 2]], [1, 9, 2], {"Rprec": 0.5, "precision@1": 0, "precision@2": 0.5}),
        ([[1, 2], [1, 3]], [1, 2, 3], {"recall@5": 1, "precision@2": 1}),
        ([[1], [1], [2]], [1], {"recall@5": 0.5}),
        ([[1]], [], {"Rprec": 0, "precision@1": 0, "recall@1": 0, "success_rate@1": 0}),
    ],
)
def test_cases_worked_by_hand(sets: list[list[int]], guess: list[int], expected: dict[str, float]) -> None:
    found = evaluate_kilt({"1": list(map(str, guess))}, [gold_of(*sets)], list(expected))
    assert_close({name: found.mean(name) for name in expected}, expected, within=DIGITS)


@pytest.mark.parametrize("case", range(len(GOLDEN)))
def test_the_official_evaluators_numbers(case: int) -> None:
    gold, guess = ([line(content) for content in GOLDEN[case][name]] for name in ("gold", "guess"))
    for level in ("page", "paragraph"):
        expected = GOLDEN[case]["expected"][level]
        found = evaluate_kilt(guesses_of_lines(guess, level), gold, list(expected), level)
        assert_close({name: found.mean(name) for name in expected}, expected, within=DIGITS)
    expected = GOLDEN[case]["expected"]["answers"]
    found = evaluate_kilt_answers(guess, gold)
    assert_close({name: found.mean(name) for name in expected}, expected, within=DIGITS)


def test_values_are_kept_for_every_line() -> None:
    gold = [gold_of([1], line_id="a"), gold_of([2], line_id="b")]
    found = evaluate_kilt({"b": ["2"], "a": ["2"], "extra": ["1"]}, gold, ["Rprec"])
    assert found.query_ids == ("a", "b")
    assert found.values.tolist() == [[0.0], [1.0]]


def test_a_run_of_paragraphs_is_scored_at_both_levels() -> None:
    run = {"1": [("7#2", 3.0), ("7#4", 2.0), ("8#0", 1.0)]}
    assert guesses_of_run(run, "page") == {"1": ["7", "8"]}
    assert guesses_of_run(run, "paragraph") == {"1": ["7+2+2", "7+4+4", "8+0+0"]}
    piece = {"wikipedia_id": "7", "start_paragraph_id": 4, "end_paragraph_id": "4"}
    gold = [KiltLine("1", {"id": "1", "output": [{"provenance": [piece]}]})]
    page = evaluate_kilt(guesses_of_run(run, "page"), gold, ["Rprec"], "page")
    paragraph = evaluate_kilt(guesses_of_run(run, "paragraph"), gold, ["Rprec", "recall@2"], "paragraph")
    assert page.mean("Rprec") == 1
    assert paragraph.values.tolist() == [[0.0, 1.0]]
    with pytest.raises(InputError, match="passage '7' names no paragraph"):
        guesses_of_run({"1": [("7", 1.0)]}, "paragraph")


def test_missing_lines_are_named() -> None:
    gold = [gold_of([1], line_id=f"l{i}") for i in range(12)]
    with pytest.raises(
        InputError, match=r"11 of 12 gold lines have no guess: 'l0', 'l2', .*'l10', \.\.\.; every line"
    ):
        evaluate_kilt({"l1": ["1"]}, gold)
    guess = line({"id": "l1", "output": [{"answer": "x", "provenance": []}]})
    with pytest.raises(InputError, match="11 of 12 gold lines have no guess"):
        evaluate_kilt_answers([guess], gold)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ([], "guess '1': 0 outputs have a provenance; expected exactly one"),
        ([{"answer": "x"}], "guess '1': 0 outputs have a provenance"),
        ([{"provenance": []}, {"provenance": []}], "guess '1': 2 outputs have a provenance"),
    ],
)
def test_guesses_without_one_provenance_are_refused(output: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        guesses_of_lines([line({"id": 1, "output": output})])


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(InputError, match="no gold line has evidence"):
        evaluate_kilt({"1": []}, [KiltLine("1", {"id": "1", "input": "x"})])
    with pytest.raises(UsageError, match="'hit@1' is not a KILT metric; expected Rprec, precision@k"):
        evaluate_kilt({"1": []}, [gold_of([1])], ["hit@1"])
    with pytest.raises(InputError, match="expected exactly one output, with an answer"):
        evaluate_kilt_answers([line({"id": 1, "output": [{"provenance": []}]})], [gold_of([1])])
    unanswered = KiltLine("1", {"id": "1", "output": [{"answer": " ", "provenance": []}]})
    guess = line({"id": 1, "output": [{"answer": "x"}]})
    with pytest.raises(InputError, match="gold '1': it has no answer"):
        evaluate_kilt_answers([guess], [unanswered])


def test_answers_are_normalised_and_empty_ones_score_nothing() -> None:
    gold = KiltLine(
        "1", {"id": "1", "output": [{"answer": "The Cat, sat"}, {"provenance": [{"wikipedia_id": 1}]}]}
    )

    def values(answer: str, page: int) -> list[float]:
        output = {"answer": answer, "provenance": [{"wikipedia_id": page}]}
        return evaluate_kilt_answers([line({"id": 1, "output": [output]})], [gold]).values[0].tolist()

    assert normalise_answer(" The  Cat, sat. ") == "cat sat"
    assert_close(values("a cat sat", 1), [0, 1, 1, 1 / 3, 0, 1, 1, 1 / 3], within=ROUGE)
    assert_close(values("The Cat, sat", 2), [1, 1, 1, 1, 0, 0, 0, 0], within=ROUGE)
    assert values("cat ran", 1) == [0, 0, 0.5, 0, 0, 0, 0.5, 0]
    assert values("  ", 1) == [0] * 8
