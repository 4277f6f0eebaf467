"""Many queries through a retriever, into a file: in chunks that a killed run goes on from, on one machine or many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.batch.baseline_search import BaselineOptions, LoadBaseline
    from genret.batch.batch_output import Output
    from genret.batch.batch_plan import BatchOptions, BatchPlan, make_plan, model_fingerprint
    from genret.batch.merge import Merged, merge_parts
    from genret.batch.run import batch_run
    from genret.batch.searching import check_passage_ids, found_passage, found_query

__all__ = [
    "BaselineOptions",
    "BatchOptions",
    "BatchPlan",
    "LoadBaseline",
    "Merged",
    "Output",
    "batch_run",
    "check_passage_ids",
    "found_passage",
    "found_query",
    "make_plan",
    "merge_parts",
    "model_fingerprint",
]

__getattr__ = lazy_names(
    __name__,
    {
        "merge": "Merged merge_parts",
        "baseline_search": "BaselineOptions LoadBaseline",
        "batch_output": "Output",
        "batch_plan": "BatchOptions BatchPlan make_plan model_fingerprint",
        "run": "batch_run",
        "searching": "check_passage_ids found_passage found_query",
    },
)
