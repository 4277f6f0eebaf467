"""A full-text index over token ids: which tokens may come next after an n-gram, how often, and where.

Knows integers only: numpy in and out, no text, no model.
"""

from __future__ import annotations

from fm_index.container import ArtefactError
from fm_index.index import FMIndex, Profile
from fm_index.sharded import ShardedFMIndex

__all__ = ["ArtefactError", "FMIndex", "Profile", "ShardedFMIndex"]
