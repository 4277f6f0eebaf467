"""The service under load, beside the library's own batches on the same machine in the same run.

    python -m benchmarks.serve.load MODEL QUERIES [--seconds 3] [--rounds 7]

QUERIES is a JSON lines file with `text`. Clients are coroutines of this process that ask one query at a time over a
kept connection, as fast as answers come. Library and services live in processes of their own and take turns, the
library before each: what else runs on the machine slows neighbours alike, and a share is of the library's rate a moment
ago. Rates and shares are medians over rounds; times are of all requests.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

CLIENTS = (1, 8, 64)
K = 10


@contextmanager
def process(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """A process that does some work, and what speaks with it; it has said that it is ready."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=work, args=(*arguments, theirs))
    child.start()
    try:
        yield ours
    finally:
        child.terminate()
        child.join()


def library(folder: Path, queries: list[str], asked: Connection) -> None:
    """The library's own batches: as often as it is told for how many seconds, it tells how many queries a second."""
    from genret.retrieval.from_folder import load_retriever

    retriever = load_retriever(folder)
    retriever.batch_search(queries[:32], K)
    asked.send("ready")
    while True:
        seconds: float = asked.recv()
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            done += len(retriever.batch_search(queries[:64], K))
        asked.send(done / (time.perf_counter() - begin))


def service(folder: Path, gathering: bool, told: Connection) -> None:
    """A service that tells its address."""
    from genret.serve import Limits, serve

    limits = Limits() if gathering else Limits(batch=1, gather=0.0)
    serve(folder, port=0, limits=limits, announce=told.send)


async def load(
    address: str, queries: Sequence[str], clients: int, seconds: float
) -> tuple[float, list[float]]:
    """So many clients, each with one query at a time: queries a second, and what each took in seconds."""
    host, port = address.split("/")[2].rsplit(":", 1)
    asked, took = itertools.cycle(queries), []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while (begin := time.perf_counter()) < end:
            body = json.dumps({"query": next(asked), "k": K}).encode()
            head = (
                f"POST /search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert answer.startswith(b"http/1.1 200"), answer
            length = answer.split(b"content-length:")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            took.append(time.perf_counter() - begin)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return len(took) / (time.perf_counter() - begin), took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    queries = [json.loads(line)["text"] for line in options.queries.read_text().splitlines()]
    rates: dict[tuple[str, int], list[float]] = {}
    shares: dict[tuple[str, int], list[float]] = {}
    took: dict[tuple[str, int], list[float]] = {}
    own: list[float] = []
    with ExitStack() as stack:
        batches = stack.enter_context(process(library, options.model, queries))
        batches.recv()
        services = {
            name: stack.enter_context(process(service, options.model, gathering)).recv().split(" ")[0]
            for name, gathering in (("gathering", True), ("one by one", False))
        }
        for address in services.values():
            asyncio.run(load(address, queries, 8, 1.0))
        for _ in range(options.rounds):
            for (name, address), clients in itertools.product(services.items(), CLIENTS):
                batches.send(options.seconds)
                own.append(batches.recv())
                rate, times = asyncio.run(load(address, queries, clients, options.seconds))
                rates.setdefault((name, clients), []).append(rate)
                shares.setdefault((name, clients), []).append(rate / own[-1])
                took.setdefault((name, clients), []).extend(times)
    print(f"load average {os.getloadavg()[0]:.1f}; the library's batches: {median(own):.1f} queries a second")
    print("| | clients | queries/s | of the library's | median ms | 99th percentile ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for (name, clients), found in rates.items():
        share = median(shares[name, clients])
        middle, late = np.percentile(np.array(took[name, clients]) * 1e3, [50, 99])
        print(f"| {name} | {clients} | {median(found):.1f} | {share:.2f} | {middle:.1f} | {late:.1f} |")


if __name__ == "__main__":
    main()
