"""Serves a model folder in processes that are killed at any moment, while clients ask and the folder is changed.

Run as `serve_kills.py FOLDER KILLS SEED` with tests, tests/genret and tests/genret/serve on the path. Each service is a
fork of this process, which has imported all that serving takes: it starts in a moment, where `genret serve` reads its
modules for seconds. All of them listen on one port, one after the other.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from answering import wait_until
from asking import Asking, found_by_library
from change_kills import change
from changing import QUERIES, docid_model

from genret.artefact import folder_build
from genret.retrieval.from_folder import load_retriever
from genret.serve import serve

# Seconds to the kill, from the start or, of this share of the services, from the first answer.
LONGEST, ASKED = 1.5, 0.75


@contextmanager
def service(folder: Path, port: int) -> Iterator[int]:
    """A process that serves the folder; it is gone at the end."""
    child = os.fork()
    if child == 0:
        serve(folder, port=port, device="cpu", announce=lambda line: None)
        os._exit(0)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError, ChildProcessError):  # it may be gone already
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def killed(folder: Path, port: int, rng: random.Random, expected: dict[str, Any]) -> int:
    """A service that is killed while clients ask and the folder changes; how many answers came before."""
    now = folder_build(folder)
    with service(folder, port) as child, Asking(address(port), QUERIES, dies=True) as clients:
        if rng.random() < ASKED:
            wait_until(lambda: bool(clients.answers), 120)
        killer = threading.Timer(rng.uniform(0, LONGEST), os.kill, (child, signal.SIGKILL))
        killer.start()
        while killer.is_alive():
            change(folder, rng)
            found = found_by_library(folder, QUERIES)
            expected |= found
            (now,) = found
    clients.check(expected)
    assert folder_build(folder) == now
    load_retriever(folder, device="cpu")  # which checks every file
    assert os.listdir(folder.parent) == [folder.name]
    return len(clients.answers)


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def main(folder: Path, kills: int, seed: int) -> None:
    docid_model().save_pretrained(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    rng, expected = random.Random(seed), found_by_library(folder, QUERIES)
    answers = [killed(folder, port, rng, expected) for _ in range(kills)]
    # And one that is asked in peace, on the same port.
    with service(folder, port) as child:
        with Asking(address(port), QUERIES, dies=True) as clients:
            clients.until(lambda answer: True)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    clients.check(expected)
    told = f"{sum(map(bool, answers))} of {kills} had answered, {sum(answers)} times; {len(expected)} generations"
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
