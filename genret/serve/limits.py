"""What the service takes on at most. Knows numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What a request may ask for, and how much waits.

    Attributes:
        body: bytes of a request's body.
        queries: of one request.
        characters: of one query, and of a condition.
        k: passages of a query.
        beams: of a query.
        waiting: queries that wait for the model; what comes beyond is told to come again.
        seconds: from a request's first byte to its answer.
        batch: queries that are searched together. So many wait for the model while so many are searched: with all of
            them in one batch, clients and model would take turns.
        gather: seconds that a query waits for company, where the model is idle.
        discard: bytes of a body beyond its limit that are read all the same: a client that is still sending would not
            see the answer.
    """

    body: int = 1 << 20
    queries: int = 64
    characters: int = 4_000
    k: int = 1_000
    beams: int = 1_000
    waiting: int = 512
    seconds: float = 30.0
    batch: int = 32
    gather: float = 0.003
    discard: int = 1 << 28
