"""Functions run in several processes at once, as a launcher would start them.

The processes are forked from a server that has imported torch and DeepSpeed once, so that a start costs a fraction
of a second.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

import psutil

# Processes that compute nothing for this long, all together, hang: on a busy machine they compute slowly.
IDLE_SECONDS = 240
TIMEOUT_SECONDS = 560
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["torch", "deepspeed", "genret.training.engines.deepspeed_engine", "backbones", "toy"]
)


def run_ranks(size: int, function: Callable[..., Any], *arguments: Any, expect: Any = 0) -> list[Any]:
    """What `function(*arguments)` returned in each of `size` processes, by rank.

    `expect` is the exit code of all of them, or a list of one for each; a process that raises ends with 1.
    """
    port = _free_port()
    queue = _context.SimpleQueue()
    processes = [
        _context.Process(target=_run, args=(rank, size, port, queue, function, arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    _wait(processes)
    codes = [process.exitcode for process in processes]
    wanted = expect if isinstance(expect, list) else [expect] * size
    found: dict[int, Any] = {}
    while not queue.empty():
        rank, value = queue.get()
        found[rank] = value
    assert codes == wanted, f"exit codes {codes}, expected {wanted}; results {found}"
    return [found.get(rank) for rank in range(size)]


def _wait(processes: list[Any]) -> None:
    """Until all have ended; those that hang, or go on for too long, are killed."""
    begun = active = time.monotonic()
    used = 0.0
    while alive := [process for process in processes if process.is_alive()]:
        connection.wait([process.sentinel for process in alive], timeout=1)
        now, seconds = time.monotonic(), sum(map(_processor_seconds, alive))
        if not used - 0.5 <= seconds <= used + 0.5:
            used, active = seconds, now
        if now - active > IDLE_SECONDS or now - begun > TIMEOUT_SECONDS:
            for process in alive:
                process.kill()
    for process in processes:
        process.join()


def _processor_seconds(process: Any) -> float:
    """What a process, or what is left of it, has computed so far."""
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _run(rank: int, size: int, port: int, queue: Any, function: Callable[..., Any], arguments: Any) -> None:
    import torch

    torch.set_num_threads(1)
    if size > 1:
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    try:
        queue.put((rank, function(*arguments)))
        code = 0
    except BaseException as error:  # noqa: BLE001 - reported to the test
        traceback.print_exc()
        queue.put((rank, str(error)))
        code = getattr(error, "exit_code", 1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not waiting for threads of communication that nobody will answer


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file."""
    import json

    return [json.loads(line) for line in path.read_text().splitlines()]
