"""Tests on a Ray cluster of several nodes: `make cluster` runs them, in an environment that has Ray."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The counting job is beside these tests' folder; the nodes of a cluster import it too, and the library.
JOBS, ROOT = (str(Path(__file__).resolve().parents[up]) for up in (1, 4))
sys.path.append(JOBS)
os.environ["PYTHONPATH"] = os.pathsep.join([JOBS, ROOT, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)

# Elsewhere they are not collected at all; there, a Ray that is missing fails.
collect_ignore_glob = [] if os.environ.get("GENRET_CLUSTER") else ["test_*.py"]
