"""Where things that can be computed again are kept. Knows folders only."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["default_cache"]


def default_cache(kind: str = "embeddings") -> Path:
    """`$XDG_CACHE_HOME/genret/<kind>`, or the same below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "genret" / kind
