"""The contenders of the decoding benchmarks: our searches, and Hugging Face's `generate` as its users call it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks.decoding.workload import EOS, PAD, Sources
from genret.constraint import Constraint
from genret.decoding import beam_search

LENGTH = 8  # tokens of a docid, end token included
Ranked = list[list[tuple[tuple[int, ...], float]]]


def ours(backbone: Any, sources: Sources, constraint: Constraint, num_beams: int, **options: Any) -> Ranked:
    """Encoding and search."""
    with torch.inference_mode():
        encoded = backbone.encode_ids(sources.input_ids, sources.mask)
    found = beam_search(backbone, encoded, constraint, num_beams, max_length=LENGTH, **options)
    return [[(tuple(h.tokens), h.score) for h in row] for row in found]


def generate(model: Any, sources: Sources, num_beams: int, **options: Any) -> Ranked:
    """`generate` with sums as scores; every query's `num_beams` sequences."""
    output = model.generate(
        sources.input_ids,
        attention_mask=sources.mask,
        num_beams=num_beams,
        num_return_sequences=num_beams,
        max_new_tokens=LENGTH,
        length_penalty=0.0,
        early_stopping="never",
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        **options,
    )
    rows = [tuple(row[1:].tolist()) for row in output.sequences]
    ranked = list(zip(rows, output.sequences_scores.tolist(), strict=True))
    return [ranked[first : first + num_beams] for first in range(0, len(ranked), num_beams)]


def dict_trie(docids: np.ndarray) -> dict[int, Any]:
    """The usual trie of nested dictionaries."""
    root: dict[int, Any] = {}
    for docid in docids.tolist():
        node = root
        for token in docid:
            node = node.setdefault(token, {})
        node[EOS] = {}
    return root


def dict_prefix_function(root: dict[int, Any]) -> Callable[[int, torch.Tensor], list[int]]:
    """`prefix_allowed_tokens_fn` over nested dictionaries, walking the whole prefix as published code does."""

    def allowed(_: int, ids: torch.Tensor) -> list[int]:
        node: dict[int, Any] | None = root
        for token in ids[1:].tolist():
            node = node.get(token) if node else None
        return list(node) if node else [PAD]

    return allowed


def same(left: Ranked, right: Ranked, tolerance: float = 1e-3) -> str:
    """ "identical", or how two results differ; equal scores within rounding may change places."""
    worst, moved = 0.0, 0
    for mine, theirs in zip(left, right, strict=True):
        other = dict(theirs)
        if len(mine) != len(theirs):
            return f"{len(mine)} hypotheses against {len(theirs)}"
        for place, (tokens, score) in enumerate(mine):
            if tokens not in other:
                return f"{tokens} found by one only"
            worst = max(worst, abs(score - other[tokens]))
            moved += theirs[place][0] != tokens
    if worst > tolerance:
        return f"scores differ by {worst:.1e}"
    return f"identical (scores within {worst:.0e}" + (f", {moved} near-ties swapped)" if moved else ")")


@dataclass
class TimedConstraint:
    """Passes everything on to a constraint and adds up the time that it takes."""

    inner: Any
    seconds: float = 0.0
    calls: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return self._timed(found) if callable(found) else found

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begin
                self.calls += 1

        return call

    def counts(self, state: Any) -> Any:
        return self._timed(self.inner.counts)(state)

    def remaining(self, state: Any) -> Any:
        return self._timed(self.inner.remaining)(state)

    def complete(self, state: Any, width: int) -> Any:
        return self._timed(self.inner.complete)(state, width)


@contextmanager
def stopwatch(times: list[float]) -> Any:
    """Append the seconds that the block takes, its work on a GPU included."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else bool
    wait()
    begin = time.perf_counter()
    yield
    wait()
    times.append(time.perf_counter() - begin)
