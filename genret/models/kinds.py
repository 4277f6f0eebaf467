"""Kinds of backbones that guests bring: from a folder to a backbone.

Knows names, folders and options; knows no model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genret.config import Count
from genret.models.backbone import Backbone
from genret.models.shapes import OPTIONS, given_values
from genret.plugins import Door

__all__ = ["BACKBONE_DOOR", "BackboneKind", "check_model_options"]


@dataclass(frozen=True)
class BackboneKind(ABC):
    """How a folder becomes a backbone; a frozen dataclass whose fields are options, each with a default.

    The backbone writes the folder again in its `save_pretrained`, and loads from there: `config.json` names the kind
    under `{"genret": {"kind": ...}}`, by the name of an entry point (`backbone.settings.kind` of one of ours).

    Attributes:
        max_source_tokens: sources are cut to this many tokens; None: as stored, or the model's own default.
    """

    max_source_tokens: Count | None = None

    @abstractmethod
    def load(self, folder: Path, device: torch.device | str, dtype: torch.dtype) -> Backbone:
        """The backbone of a folder in Hugging Face's layout, in evaluation mode."""


BACKBONE_DOOR: Door[BackboneKind] = Door("kind of backbone", {}, BackboneKind, tuple(OPTIONS))


def check_model_options(kind: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the kind of model does not have.

    Raises:
        InputError: there is no such kind, or an option of it cannot be used.
    """
    if kind in OPTIONS:
        given_values(OPTIONS[kind], options, "options")
    else:
        BACKBONE_DOOR.open(kind, "kind")
        BACKBONE_DOOR.make(kind, options, "options")
