"""Filter expressions: which passages a condition on their fields lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.corpus.where.evaluation import matching_rows

__all__ = ["matching_rows"]

__getattr__ = lazy_names(__name__, {"evaluation": "matching_rows"})
