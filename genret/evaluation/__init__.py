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
)
from genret.evaluation.embed import default_cache, embed_texts, write_vectors
from genret.evaluation.metrics import DEFAULT_METRICS, Evaluation, evaluate, seen_queries
from genret.evaluation.significance import Comparison, Interval, compare, interval
from genret.evaluation.table import ResultTable, result_table
from genret.evaluation.topk import nearest_rows, top_rows

__all__ = [
    "BM25",
    "BM25_PLAIN",
    "BM25_TUNED",
    "DEFAULT_METRICS",
    "Bm25Settings",
    "Comparison",
    "Evaluation",
    "FullTexts",
    "Interval",
    "ResultTable",
    "bm25_run",
    "compare",
    "default_cache",
    "dense_run",
    "embed_texts",
    "evaluate",
    "evaluate_answers",
    "interval",
    "nearest_rows",
    "result_table",
    "seen_queries",
    "top_rows",
    "write_vectors",
]
