"""A model folder to serve, and a service on a port of its own in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import torch
import uvicorn
from tiny_words_and_codes import NAMES, retriever

from genret.corpus import Passage, PassageStore
from genret.retrieval.docids import GenerativeRetriever, Hit
from genret.serve import Limits, make_app
from genret.serve.generations import Generations

QUERIES = [
    f"{first} {second}" for first in NAMES for second in ("near", "the", "of", "lies near the city of")
]
TOKEN = "a-token-of-twenty-one"


@contextmanager
def cores(number: int) -> Iterator[None]:
    """PyTorch with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def model(name: str = "p", mode: str = "plan") -> GenerativeRetriever:
    """64 passages whose ids begin with `name`; with words, and fields `even` and `number`."""
    found = retriever(mode=mode)
    passages = [
        Passage(f"{name}{row}", passage.title, passage.text, {"even": row % 2 == 0, "number": row})
        for row, passage in enumerate(found.passages)
    ]
    store = PassageStore.build(passages)
    return GenerativeRetriever(found.backbone, found.table, store, words=found.words, options=found.options)


@contextmanager
def answering(
    folder: Path, limits: Limits | None = None, token: str | None = None, every: float = 0.05
) -> Iterator[httpx2.Client]:
    """A client of a service of `folder`, through a socket."""
    generations = Generations(folder)
    generations.watch(every)
    app = make_app(generations, hosts={"127.0.0.1"}, token=token, limits=limits)
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def search(client: httpx2.Client, **asked: Any) -> dict[str, Any]:
    """The answer to a search that succeeds."""
    response = client.post("/search", json=asked)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def numbers(hits: list[Mapping[str, Any]]) -> list[tuple[str, float, float, float]]:
    """What of hits must be the library's, to the bit."""
    return [(hit["passage_id"], hit["score"], hit["code_score"], hit["word_score"]) for hit in hits]


def of_library(hits: list[Hit]) -> list[tuple[str, float, float, float]]:
    """The same of the library's hits."""
    return [(hit.passage_id, hit.score, hit.code_score, hit.word_score) for hit in hits]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Until a condition holds; it fails where that takes too long."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
