"""Search over a model and a constraint; knows token ids and document numbers, never text."""

from __future__ import annotations

from genret.decoding.beam import beam_search
from genret.decoding.hypothesis import Hypothesis, Score

__all__ = ["Hypothesis", "Score", "beam_search"]
