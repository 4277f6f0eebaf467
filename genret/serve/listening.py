"""The service on a port: bound, announced, drained at its end.

Knows sockets and signals.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Collection
from http import HTTPStatus
from pathlib import Path
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genret.errors import UsageError
from genret.serve.generations import Generations
from genret.serve.limits import Limits
from genret.serve.refusals import Refused, refusal
from genret.serve.service import make_app

__all__ = ["TOKEN", "serve"]

TOKEN = "GENRET_TOKEN"
LOCAL = frozenset(["127.0.0.1", "localhost", "[::1]"])
# What is shorter can be guessed.
LEAST_TOKEN = 16


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allowed: Collection[str] = (),
    device: str | None = None,
    limits: Limits | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve a model folder until SIGTERM or SIGINT; requests that were begun are answered before it returns.

    Args:
        folder: of either kind of model; watched for new generations.
        host: address to listen on.
        port: 0 takes a free one.
        allowed: host names beside this machine's own and `host` that requests may name.
        device: of the model.
        limits: of requests.
        announce: told the address, once it answers.

    Raises:
        InputError, ArtefactError: the folder holds no model. UsageError: the port or the token cannot be used.
    """
    token = _token()
    listening = _bound(host, port)
    with listening:
        hosts = {*LOCAL, *(name.lower() for name in allowed), _named(host)}
        generations = Generations(folder, device)
        limits = limits or Limits()
        app = make_app(generations, hosts=hosts, token=token, limits=limits)
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # Every request has its answer by then.
            timeout_graceful_shutdown=round(limits.seconds) + 5,
        )
        generations.watch()
        if token is None and host not in ("127.0.0.1", "::1", "localhost"):
            announce(f"{host} may be reached from elsewhere, and no token is asked for: set {TOKEN}.")
        address = f"http://{_named(host)}:{listening.getsockname()[1]}/"
        _Server(config, lambda: announce(f"{address} (end with Ctrl-C)")).run_on(listening)


class _Server(uvicorn.Server):
    """Announces that it answers, and returns when a signal has ended it."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = started

    def run_on(self, listening: socket.socket) -> None:
        """Serve until a signal."""
        # Uvicorn raises the signal again once it has shut down, for whoever handled it before: nobody, here.
        before = {number: signal.signal(number, _nothing) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            asyncio.run(self.serve([listening]))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and tell of it."""
        await super().startup(sockets)
        if self.started:
            self._told()


class _Protocol(H11Protocol):
    """What is no HTTP is refused as everything is: in JSON."""

    def send_400_response(self, msg: str) -> None:
        """The answer to what cannot be read."""
        told = "the request is no HTTP, or its address and headers are longer than 64 KiB; send queries in a body."
        response = refusal(Refused(HTTPStatus.BAD_REQUEST, told))
        headers = [*response.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _nothing(number: int, frame: FrameType | None) -> None:
    """What a signal does that uvicorn has obeyed."""


def _token() -> str | None:
    token = os.environ.get(TOKEN)
    if token is None:
        return None
    if not token.isascii() or not token.isprintable() or " " in token or len(token) < LEAST_TOKEN:
        raise UsageError(
            f"{TOKEN}: expected at least {LEAST_TOKEN} letters, digits and signs of ASCII without spaces; unset it for a "
            "service that asks for none."
        )
    return token


def _bound(host: str, port: int) -> socket.socket:
    """A socket with its address, which nobody can connect to yet: a port that is taken is told of before any work."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that it is TCP's, and sends the parts of an answer at once: else the second waits
    # for a client to acknowledge the first, which takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"{host}, port {port}, cannot be used: {error.strerror}; name others with --host and --port."
        ) from error
    return listening


def _named(host: str) -> str:
    """A host as an address and a Host header have it."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host.lower()
