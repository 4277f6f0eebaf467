"""The addresses of the service, as one ASGI application.

Knows requests and answers; the work is done by `worker` and `generations`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from starlette.types import ASGIApp

from genret.browse.server import HEADERS
from genret.corpus.formats.datafile import show
from genret.serve.answers import Search, hit_answer
from genret.serve.bodies import HealthAnswer, PassageAnswer, QueryAnswer, SearchAnswer, SearchRequest
from genret.serve.checks import check_request
from genret.serve.generations import Generations
from genret.serve.guard import Guard, Rules
from genret.serve.limits import Limits
from genret.serve.measures import Measures
from genret.serve.refusals import Refused, documented, refuse_in_json
from genret.serve.search_page import Asked, search_page
from genret.serve.together import lanes_of
from genret.serve.worker import Task, Worker
from genret.version import __version__

__all__ = ["Service", "make_app"]

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
EVERYWHERE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.MISDIRECTED_REQUEST)


class Service:
    """A model folder, the threads that run its model, and what is counted."""

    def __init__(self, generations: Generations, limits: Limits) -> None:
        self.generations, self.limits = generations, limits
        self.measures = Measures(
            lambda: self.worker.waiting,
            lambda: generations.current.number,
            lambda: generations.fault is not None,
        )
        self.worker = Worker(limits, self.measures.batch, lanes_of(generations.current.retriever))

    async def run(self, task: Task, queries: Sequence[str]) -> Sequence[Any]:
        """What a task makes of queries.

        Raises:
            TimeoutError: not in time. Busy: too many wait. InputError, UsageError: of the task.
        """
        async with asyncio.timeout(self.limits.seconds):
            return await self.worker.run(task, queries)

    async def search(self, request: SearchRequest) -> SearchAnswer:
        """The answer to a search; all of it from the generation that answers now."""
        queries = check_request(request, self.limits)
        generation = self.generations.current
        task = Search(
            generation, request.k, request.beams, request.mode, request.where, request.text, request.matches
        )
        found = await self.run(task, queries)
        results = [
            QueryAnswer(
                query=query,
                hits=[hit_answer(one) for one in hits],
                note=generation.retriever.told_of(query),
            )
            for query, hits in zip(queries, found, strict=True)
        ]
        return SearchAnswer(generation=generation.build, results=results)

    def passage(self, passage_id: str) -> PassageAnswer:
        """One passage.

        Raises:
            Refused: there is none with this id.
        """
        generation = self.generations.current
        passages = generation.retriever.passages
        known: Any = passages
        if passage_id not in known:
            raise Refused(HTTPStatus.NOT_FOUND, f"no passage has the id {show(passage_id)}.")
        found = passages[passages.row(passage_id)]
        return PassageAnswer(
            passage_id=found.passage_id,
            title=found.title,
            text=found.text,
            metadata=dict(found.metadata),
            generation=generation.build,
        )

    def health(self) -> HealthAnswer:
        """What answers now."""
        generation, fault = self.generations.current, self.generations.fault
        return HealthAnswer(
            status="ok" if fault is None else "stale",
            fault=fault,
            generation=generation.build,
            number=generation.number,
            passages=len(generation.retriever.passages),
            kind=generation.retriever.kind,
            batches=generation.together,
            version=__version__,
        )

    def close(self) -> None:
        """Answer what waits, and end all threads."""
        self.generations.close()
        self.worker.close()


def make_app(
    generations: Generations,
    *,
    hosts: Collection[str],
    token: str | None = None,
    limits: Limits | None = None,
) -> ASGIApp:
    """The service of a model folder.

    Args:
        generations: of the folder; closed with the application.
        hosts: see `Rules`.
        token: that requests must show; None: none.
        limits: of requests.
    """
    service = Service(generations, limits or Limits())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="genret",
        version=__version__,
        description="Searches in one model folder. Scores are those of the library, to the bit.",
        lifespan=lifespan,
        docs_url=None,  # it would load a script from elsewhere
        redoc_url=None,
    )
    refuse_in_json(app)
    _searching(app, service)
    _looking(app, service)
    return Guard(app, Rules(hosts, token, service.limits), service.measures.request)


def _searching(app: FastAPI, service: Service) -> None:
    """The addresses that ask the model."""

    @app.post(
        "/search",
        responses=documented(
            *EVERYWHERE,
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.SERVICE_UNAVAILABLE,
            HTTPStatus.GATEWAY_TIMEOUT,
        ),
    )
    async def search(asked: SearchRequest) -> SearchAnswer:
        """The best passages of one query, or of each of many."""
        return await service.search(asked)

    @app.get("/", include_in_schema=False)
    async def page(q: str = "", k: str = "10", where: str = "", trace: str = "") -> HTMLResponse:
        """For people."""
        text, status = await search_page(service, Asked(q, k, where, trace))
        return HTMLResponse(text, int(status), HEADERS)


def _looking(app: FastAPI, service: Service) -> None:
    """The addresses that ask nothing of the model."""

    @app.get("/passages/{passage_id:path}", responses=documented(*EVERYWHERE, HTTPStatus.NOT_FOUND))
    async def passage(passage_id: str) -> PassageAnswer:
        """One passage by its id."""
        return service.passage(passage_id)

    @app.get("/health", responses=documented(HTTPStatus.MISDIRECTED_REQUEST))
    async def health() -> HealthAnswer:
        """Whether the service answers, and with what. Asks for no token."""
        return service.health()

    @app.get("/metrics", response_class=Response, responses=documented(*EVERYWHERE))
    async def metrics() -> Response:
        """Counters in Prometheus' format."""
        return Response(service.measures.text(), media_type=PROMETHEUS)
