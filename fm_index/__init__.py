"""A full-text index over token ids: which tokens may come next after an n-gram, how often, and where.

Knows integers only: numpy in and out, no text, no model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fm_index.container import ArtefactError
    from fm_index.full_text_index import FMIndex, Profile
    from fm_index.sharded import ShardedFMIndex

__all__ = ["ArtefactError", "FMIndex", "Profile", "ShardedFMIndex"]

_HOMES = {
    "ArtefactError": "container",
    "FMIndex": "full_text_index",
    "Profile": "full_text_index",
    "ShardedFMIndex": "sharded",
}


def __getattr__(name: str) -> Any:
    # `container` serves docids and passages too, which need no index.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
