"""How good a run is, how sure that is, and what to compare it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.evaluation.answer_accuracy import evaluate_answers
    from genret.evaluation.baselines import (
        BM25,
        BM25_PLAIN,
        BM25_TUNED,
        HYBRID_WEIGHT,
        Bm25Options,
        FullTexts,
        bm25_run,
        dense_run,
        embed_both,
        hybrid_run,
        nearest_run,
    )
    from genret.evaluation.comparisons import (
        Change,
        PairComparison,
        compare_all,
        draw_runs,
        holm,
        mean_of_runs,
        most_changed,
    )
    from genret.evaluation.equivalents import near_copies, same_page, widened
    from genret.evaluation.gold import Gold
    from genret.evaluation.metrics import DEFAULT_METRICS, Evaluation, evaluate, seen_queries
    from genret.evaluation.result_tables import ResultTable, plain_table, result_table
    from genret.evaluation.significance import Comparison, Interval, compare, interval

__all__ = [
    "BM25",
    "BM25_PLAIN",
    "BM25_TUNED",
    "DEFAULT_METRICS",
    "HYBRID_WEIGHT",
    "Bm25Options",
    "Change",
    "Comparison",
    "Evaluation",
    "FullTexts",
    "Gold",
    "Interval",
    "PairComparison",
    "ResultTable",
    "bm25_run",
    "compare",
    "compare_all",
    "dense_run",
    "draw_runs",
    "embed_both",
    "evaluate",
    "evaluate_answers",
    "holm",
    "hybrid_run",
    "interval",
    "mean_of_runs",
    "most_changed",
    "near_copies",
    "nearest_run",
    "plain_table",
    "result_table",
    "same_page",
    "seen_queries",
    "widened",
]

__getattr__ = lazy_names(
    __name__,
    {
        "answer_accuracy": "evaluate_answers",
        "baselines": (
            "BM25 BM25_PLAIN BM25_TUNED HYBRID_WEIGHT Bm25Options FullTexts bm25_run dense_run embed_both hybrid_run "
            "nearest_run"
        ),
        "comparisons": "Change PairComparison compare_all draw_runs holm mean_of_runs most_changed",
        "equivalents": "near_copies same_page widened",
        "gold": "Gold",
        "metrics": "DEFAULT_METRICS Evaluation evaluate seen_queries",
        "significance": "Comparison Interval compare interval",
        "result_tables": "ResultTable plain_table result_table",
    },
)
