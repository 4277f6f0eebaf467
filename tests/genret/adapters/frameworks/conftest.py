"""Tests against the frameworks themselves: `make adapters` runs them, in an environment that has all of these."""

from __future__ import annotations

import os

# Elsewhere they are not collected at all; there, a framework that is missing fails.
collect_ignore_glob = [] if os.environ.get("GENRET_FRAMEWORKS") else ["test_*.py"]
