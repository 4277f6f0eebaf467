"""What stands before every address: who asks whom, with which token, and how much; and the count of what was answered.

Knows ASGI; knows nothing of searches.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genret.serve.limits import Limits
from genret.serve.refusals import Refused, refusal

__all__ = ["Guard", "Rules"]

# Without a token: what orchestrators ask to see whether a service lives.
OPEN = "/health"
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Rules:
    """Who may ask.

    Attributes:
        hosts: names in the Host header that are answered, without port, in lower case: a page of another site whose
            name was made to mean this machine shows its own.
        token: that every request but for /health shows, as a bearer's or, for browsers, as a password; None: anyone.
        limits: how large a body may be, and how long an answer may take.
    """

    hosts: Collection[str]
    token: str | None
    limits: Limits


class Guard:
    """An ASGI application around another.

    Args:
        app: what is guarded.
        rules: for every request.
        count: told the route, the status and the seconds of each.
    """

    def __init__(self, app: ASGIApp, rules: Rules, count: Callable[[str, int, float], None]) -> None:
        self._app, self._rules, self._count = app, rules, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.monotonic(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._guarded(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._count(route, status, time.monotonic() - begin)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check_host(scope)
            self._check_token(scope)
            body = await self._body(scope, receive)
        except Refused as refused:
            await refusal(refused)(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _check_host(self, scope: Scope) -> None:
        named = Headers(scope=scope).get("host", "").lower()
        host = named if named.endswith("]") else named.rsplit(":", 1)[0]
        if host not in self._rules.hosts:
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this service does not answer for the host {ascii(host)[:80]}; start it with --allow-host for each name "
                "that it has.",
            )

    def _check_token(self, scope: Scope) -> None:
        if self._rules.token is None or scope["path"] == OPEN:
            return
        given = _given(Headers(scope=scope).get("authorization", ""))
        if not hmac.compare_digest(given, self._rules.token.encode()):
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "this service asks for a token: send the header `Authorization: Bearer TOKEN`, with what GENRET_TOKEN was "
                "when it was started.",
                {"WWW-Authenticate": 'Basic realm="genret: the token is the password", charset="UTF-8"'},
            )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body, if it is not too large; what is, is read to its end before it is refused, within bounds."""
        if scope["method"] not in METHODS_WITH_BODY:
            return b""
        limits = self._rules.limits
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(limits.seconds):
                while more and size <= limits.discard:
                    message = await receive()
                    part: bytes = message.get("body", b"")
                    size, more = size + len(part), message.get("more_body", False)
                    if size <= limits.body:
                        parts.append(part)
        except TimeoutError as error:
            slow = f"the body did not come within {limits.seconds:g} seconds; send it at once."
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, slow, {"Connection": "close"}) from error
        if size > limits.body:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {limits.body:,} bytes; ask for fewer or shorter queries at once.",
                {"Connection": "close"},
            )
        return b"".join(parts)


def _given(authorization: str) -> bytes:
    """The token in a header: a bearer's, or the password of a browser's form."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
