"""What the service counts, in Prometheus' format. Knows names and numbers."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Measures"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
QUERIES = (1, 2, 4, 8, 16, 32, 64)


class Measures:
    """Counters of one service, in a registry of their own.

    Args:
        waiting: how many queries wait now.
        generation: the number of the generation that answers now.
        stale: whether the folder holds a newer one that cannot be used.
    """

    def __init__(
        self, waiting: Callable[[], int], generation: Callable[[], int], stale: Callable[[], bool]
    ) -> None:
        own = self._registry = CollectorRegistry()
        self.requests = Counter(
            "genret_requests", "Requests that were answered.", ["route", "status"], registry=own
        )
        self.seconds = Histogram(
            "genret_request_seconds",
            "From a request to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=own,
        )
        self.batch_queries = Histogram(
            "genret_batch_queries", "Queries that the model answered together.", buckets=QUERIES, registry=own
        )
        self.batch_seconds = Histogram(
            "genret_batch_seconds", "What a batch took.", buckets=SECONDS, registry=own
        )
        Gauge("genret_waiting_queries", "Queries that wait for the model.", registry=own).set_function(
            waiting
        )
        Gauge(
            "genret_generation", "Which generation of the model answers, from 1.", registry=own
        ).set_function(generation)
        Gauge(
            "genret_stale", "1 where the folder holds a newer generation that cannot be used.", registry=own
        ).set_function(stale)

    def batch(self, queries: int, seconds: float) -> None:
        """The model has answered so many queries together."""
        self.batch_queries.observe(queries)
        self.batch_seconds.observe(seconds)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
