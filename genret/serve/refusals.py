"""What is refused, with which status, and in which words: every error is a JSON object with one sentence.

Knows exceptions and statuses.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from genret.corpus.formats.datafile import show
from genret.errors import InputError, UsageError
from genret.serve.bodies import ErrorAnswer
from genret.serve.worker import Busy

__all__ = ["Refused", "documented", "refusal", "refuse_in_json", "sentence_of"]

_log = logging.getLogger(__name__)
_WORDS = {
    HTTPStatus.BAD_REQUEST: "the body cannot be read; send JSON in UTF-8, not deeply nested.",
    HTTPStatus.NOT_FOUND: "there is nothing at this address; the addresses are in /openapi.json.",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take this method; the methods are in /openapi.json.",
}
NOT_JSON = "expected a body with the header `Content-Type: application/json`."
_MEANT = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON.",
    HTTPStatus.UNAUTHORIZED: "A token is asked for, and this is none or another one.",
    HTTPStatus.NOT_FOUND: "No passage has this id.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not declared to be JSON.",
    HTTPStatus.MISDIRECTED_REQUEST: "The request was meant for another host.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value cannot be used.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many requests wait; come again after `Retry-After` seconds.",
    HTTPStatus.GATEWAY_TIMEOUT: "There was no answer in time.",
}


class Refused(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, dict(headers or {})


def refusal(error: Refused) -> JSONResponse:
    """The answer to a request that is refused."""
    return JSONResponse({"error": str(error)}, int(error.status), error.headers)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What an address may refuse, for the OpenAPI description."""
    return {int(status): {"model": ErrorAnswer, "description": _MEANT[status]} for status in statuses}


def refuse_in_json(app: FastAPI) -> None:
    """Every exception of `app` becomes a sentence with a status."""

    @app.exception_handler(Refused)
    @app.exception_handler(Busy)
    @app.exception_handler(TimeoutError)
    @app.exception_handler(InputError)
    @app.exception_handler(UsageError)
    @app.exception_handler(RequestValidationError)
    @app.exception_handler(HTTPException)
    @app.exception_handler(Exception)
    async def handle(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, RequestValidationError) and not _declared(request):
            return refusal(Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, NOT_JSON))
        return refusal(sentence_of(error))


def _declared(request: Request) -> bool:
    """Whether a body, where there is to be one, is said to be JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method != "POST" or media == "application/json" or media.endswith("+json")


def sentence_of(error: Exception) -> Refused:
    """What is said of an exception, and with which status."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, InputError | UsageError):
        return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if isinstance(error, Busy):
        waiting = "too many queries wait for the model; come again later."
        return Refused(HTTPStatus.SERVICE_UNAVAILABLE, waiting, {"Retry-After": str(error.seconds)})
    if isinstance(error, TimeoutError):
        late = "there was no answer in time; ask for fewer queries or beams at once, or come again later."
        return Refused(HTTPStatus.GATEWAY_TIMEOUT, late)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return Refused(status, _WORDS.get(status, f"{status.phrase.lower()}."), error.headers)
    _log.error("a request failed by a fault of this program", exc_info=error)
    told = "something went wrong that is a fault of this program, not yours; its log has the details."
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, told)


def _invalid(error: RequestValidationError) -> Refused:
    """The first complaint of a body's model; what was found is quoted so that any character can be sent back."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Refused(
            HTTPStatus.BAD_REQUEST,
            f"the body is no JSON, from its character {first['loc'][-1]} on: {first['ctx']['error']}.",
        )
    place = ".".join(show(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"][1:])
    said = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    if first["type"] == "missing":
        sentence = f"{place or 'the body'}: missing; expected a JSON object, as /openapi.json has it."
    elif first["type"] == "extra_forbidden":
        sentence = f"{place}: no such field; the fields are in /openapi.json."
    elif first["type"] == "value_error":
        sentence = f"{place or 'the body'}: {said}."
    else:
        sentence = f"{place or 'the body'}: expected {said}; found {show(first.get('input'))}."
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
