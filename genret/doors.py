"""All doors for guests, in one list (see `genret.plugins`)."""

from __future__ import annotations

from typing import Any

from genret.corpus.formats.registry import FORMAT_DOOR
from genret.docids.strategies import STRATEGY_DOOR
from genret.evaluation.metric import METRIC_DOOR
from genret.models.kinds import BACKBONE_DOOR
from genret.plugins import Door
from genret.retrieval.constraints import CONSTRAINT_DOOR
from genret.training.examples.sources import SOURCE_DOOR
from genret.training.linear_index.teacher import TEACHER_DOOR
from genret.training.losses.loss_kinds import LOSS_DOOR

__all__ = ["DOORS"]

DOORS: tuple[Door[Any], ...] = (
    STRATEGY_DOOR,
    SOURCE_DOOR,
    LOSS_DOOR,
    BACKBONE_DOOR,
    CONSTRAINT_DOOR,
    FORMAT_DOOR,
    TEACHER_DOOR,
    METRIC_DOOR,
)
