"""How good a run is, how sure that is, and what to compare it with."""

from genret.evaluation.answers import evaluate_answers
from genret.evaluation.baselines import (
    BM25,
    BM25_PLAIN,
    BM25_TUNED,
    Bm25Settings,
    FullTexts,
    bm25_run,
    dense_run,
    nearest_run,
)
from genret.evaluation.embed import default_cache, embed_texts, read_vectors, write_vectors
from genret.evaluation.equivalents import near_copies, same_page, widened
from genret.evaluation.metrics import DEFAULT_METRICS, Evaluation, evaluate, seen_queries
from genret.evaluation.several import (
    Change,
    PairComparison,
    compare_all,
    draw_runs,
    holm,
    mean_of_runs,
    most_changed,
)
from genret.evaluation.significance import Comparison, Interval, compare, interval
from genret.evaluation.table import ResultTable, result_table
from genret.evaluation.topk import nearest_rows, top_rows

__all__ = [
    "BM25",
    "BM25_PLAIN",
    "BM25_TUNED",
    "DEFAULT_METRICS",
    "Bm25Settings",
    "Change",
    "Comparison",
    "Evaluation",
    "FullTexts",
    "Interval",
    "PairComparison",
    "ResultTable",
    "bm25_run",
    "compare",
    "compare_all",
    "default_cache",
    "dense_run",
    "draw_runs",
    "embed_texts",
    "evaluate",
    "evaluate_answers",
    "holm",
    "interval",
    "mean_of_runs",
    "most_changed",
    "near_copies",
    "nearest_rows",
    "nearest_run",
    "read_vectors",
    "result_table",
    "same_page",
    "seen_queries",
    "top_rows",
    "widened",
    "write_vectors",
]
