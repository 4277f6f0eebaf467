"""Tests in vLLM itself, on the CPU: `make engines` runs them, in an environment that has it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The helpers of the tests above, for tests run from here alone.
for up in (2, 3):
    sys.path.append(str(Path(__file__).resolve().parents[up]))
# The engine in this process, one gigabyte of cache, and no threads that wait by spinning.
os.environ.update(
    VLLM_ENABLE_V1_MULTIPROCESSING="0",
    VLLM_CPU_KVCACHE_SPACE="1",
    VLLM_NO_USAGE_STATS="1",
    OMP_WAIT_POLICY="passive",
)

# Elsewhere they are not collected at all; there, a vLLM that is missing fails.
collect_ignore_glob = [] if os.environ.get("GENRET_ENGINES") else ["test_*.py"]
