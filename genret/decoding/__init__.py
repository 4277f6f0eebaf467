"""Search over a model and a constraint; knows token ids and document numbers, never text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.decoding.batching import search_texts
    from genret.decoding.beam import beam_search, score_all
    from genret.decoding.diverse import diverse_beam_search
    from genret.decoding.recorder import Recorded, recorded_beam_search
    from genret.decoding.rescore import Rescorer
    from genret.decoding.sampling import greedy_search, sample, sample_without_replacement
    from genret.decoding.steps.hypothesis import Hypothesis, Score
    from genret.decoding.trace import GoldStep, Trace, TraceStep, traced_beam_search

__all__ = [
    "GoldStep",
    "Hypothesis",
    "Recorded",
    "Rescorer",
    "Score",
    "Trace",
    "TraceStep",
    "beam_search",
    "diverse_beam_search",
    "greedy_search",
    "recorded_beam_search",
    "sample",
    "sample_without_replacement",
    "score_all",
    "search_texts",
    "traced_beam_search",
]

__getattr__ = lazy_names(
    __name__,
    {
        "batching": "search_texts",
        "beam": "beam_search score_all",
        "diverse": "diverse_beam_search",
        "recorder": "Recorded recorded_beam_search",
        "rescore": "Rescorer",
        "sampling": "greedy_search sample sample_without_replacement",
        "steps.hypothesis": "Hypothesis Score",
        "trace": "GoldStep Trace TraceStep traced_beam_search",
    },
)
