"""The service under load, beside the library's own batches on the same machine in the same run.

    python -m benchmarks.serve.load MODEL QUERIES [--seconds 10] [--rounds 2]

QUERIES is a JSON lines file with `text`. Clients are coroutines of this process that ask one query at a time over a
kept connection, as fast as answers come; service and library each run in a process of their own, never both at once.
Rounds take turns, and the best of each is reported: what else runs on the machine only ever slows.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

CLIENTS = (1, 8, 64)
K = 10


@dataclass(frozen=True)
class Measured:
    """Queries a second, and what a query took in seconds: [n], none for batches."""

    rate: float
    took: np.ndarray


def library(folder: Path, queries: Sequence[str], seconds: float) -> Measured:
    """The library's own batches."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_library, args=(folder, list(queries), seconds, theirs))
    child.start()
    rate: float = ours.recv()
    child.join()
    return Measured(rate, np.empty(0))


def _library(folder: Path, queries: list[str], seconds: float, told: Connection) -> None:
    from genret.retrieval.from_folder import load_retriever

    retriever = load_retriever(folder)
    retriever.batch_search(queries[:32], K)
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        done += len(retriever.batch_search(queries, K))
    told.send(done / (time.perf_counter() - begin))


@contextmanager
def service(folder: Path, gathering: bool) -> Iterator[int]:
    """The port of a service in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_service, args=(folder, gathering, theirs))
    child.start()
    try:
        address: str = ours.recv()
        yield int(address.split("/")[2].rsplit(":", 1)[1])
    finally:
        child.terminate()
        child.join()


def _service(folder: Path, gathering: bool, told: Connection) -> None:
    from genret.serve import Limits, serve

    limits = Limits() if gathering else Limits(batch=1, gather=0.0)
    serve(folder, port=0, limits=limits, announce=told.send)


async def load(port: int, queries: Sequence[str], clients: int, seconds: float) -> Measured:
    """So many clients, each with one query at a time."""
    asked, took = itertools.cycle(queries), []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begin := time.perf_counter()) < end:
            body = json.dumps({"query": next(asked), "k": K}).encode()
            head = f"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = next(
                int(line[15:])
                for line in answer.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            took.append(time.perf_counter() - begin)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Measured(len(took) / (time.perf_counter() - begin), np.array(took))


def best(runs: Sequence[Measured]) -> Measured:
    """The run with most queries a second."""
    return max(runs, key=lambda one: one.rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    queries = [json.loads(line)["text"] for line in options.queries.read_text().splitlines()]
    runs: dict[tuple[str, int], list[Measured]] = {}
    for _ in range(options.rounds):
        runs.setdefault(("library", 0), []).append(library(options.model, queries, options.seconds))
        for gathering in (True, False):
            with service(options.model, gathering) as port:
                asyncio.run(load(port, queries, 1, 1.0))
                for clients in CLIENTS:
                    name = "gathering" if gathering else "one by one"
                    found = asyncio.run(load(port, queries, clients, options.seconds))
                    runs.setdefault((name, clients), []).append(found)
    own = best(runs["library", 0]).rate
    print(f"load average {os.getloadavg()[0]:.1f}; the library's batches: {own:.1f} queries a second")
    print(
        "| | clients | queries/s | of the library's | median ms | 99th percentile ms |\n| --- "
        + "| ---: " * 5
        + "|"
    )
    for (name, clients), found in runs.items():
        if clients:
            one = best(found)
            median, late = np.percentile(one.took * 1e3, [50, 99])
            print(
                f"| {name} | {clients} | {one.rate:.1f} | {one.rate / own:.2f} | {median:.1f} | {late:.1f} |"
            )


if __name__ == "__main__":
    main()
