"""Clients that ask a service without pause, and what the library finds for the same questions: by generation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx2
from answering import search, wait_until

from genret.artefact import folder_build
from genret.retrieval.from_folder import load_retriever

__all__ = ["Answer", "Asking", "K", "found_by_library", "parts"]

K = 5
# What of a hit of either kind of model goes over the wire as the library has it.
PARTS = ("passage_id", "score", "docid", "code_score", "word_score", "text", "metadata")


class Answer(NamedTuple):
    """One query's hits, and the generation that they are of."""

    generation: str
    query: str
    hits: list[dict[str, Any]]


def parts(hit: Any) -> dict[str, Any]:
    """A hit of the library as it must come over the wire."""
    return {name: getattr(hit, name, None) for name in PARTS}


def found_by_library(folder: Path, queries: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By the folder's generation, and by query: what the library finds in it now."""
    retriever = load_retriever(folder, device="cpu")
    found = {query: [parts(hit) for hit in retriever.search(query, K, with_text=True)] for query in queries}
    return {folder_build(folder) or "": found}


class Asking:
    """So many clients at `address`, each on a connection of its own, until the end of the `with` block.

    Args:
        dies: whether the service may begin late and end at any moment: a client then waits for it, ends with it, and what
            it was answered counts.

    Attributes:
        answers: what has come.
    """

    def __init__(self, address: str, queries: Iterable[str], clients: int = 2, *, dies: bool = False) -> None:
        self.answers: list[Answer] = []
        self._address, self._queries, self._dies = address, list(queries), dies
        self._end, self._pool = threading.Event(), ThreadPoolExecutor(clients)
        self._clients = clients
        self._asked: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._asked = [self._pool.submit(self._guarded, number) for number in range(self._clients)]
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._pool.shutdown()
        self._check()

    def until(self, answered: Callable[[Answer], bool], times: int = 8) -> None:
        """Go on until so many more answers have come for which a condition holds."""
        begin = len(self.answers)

        def enough() -> bool:
            self._check()
            return sum(map(answered, self.answers[begin:])) >= times

        wait_until(enough, 120)

    def check(self, expected: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> None:
        """Every answer is, to the bit, the library's of the generation that it names."""
        for generation, query, hits in self.answers:
            assert hits == expected[generation][query], (generation, query)

    def _check(self) -> None:
        for one in self._asked:
            if one.done():
                one.result()

    def _guarded(self, number: int) -> None:
        try:
            self._ask(number)
        except httpx2.TransportError:
            if not self._dies:
                raise

    def _ask(self, number: int) -> None:
        queries = cycle(self._queries[number:] + self._queries[:number])
        with httpx2.Client(base_url=self._address, timeout=60) as client:
            while self._dies and not self._end.is_set() and not _answers(client):
                time.sleep(0.01)
            while not self._end.is_set():
                answer = search(client, queries=[next(queries), next(queries)], k=K, text=True)
                for result in answer["results"]:
                    hits = [{name: hit.get(name) for name in PARTS} for hit in result["hits"]]
                    self.answers.append(Answer(answer["generation"], result["query"], hits))
                time.sleep(0.005)  # so that a busy machine comes to what is asked of it


def _answers(client: httpx2.Client) -> bool:
    """Whether the service has begun."""
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False
