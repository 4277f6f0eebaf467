"""What cannot be answered: each time a status that fits, and one sentence in JSON; never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from answering import answering, model


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    place = tmp_path_factory.mktemp("served") / "model"
    model().save_pretrained(place)
    with answering(place) as found:
        yield found


JSON = {"Content-Type": "application/json"}
BODIES: dict[str, tuple[Any, int, str]] = {
    "no object": ([1, 2], 422, "the body"),
    "no query": ({}, 422, "query"),
    "both": ({"query": "river", "queries": ["city"]}, 422, "not both"),
    "no queries": ({"queries": []}, 422, "at least one"),
    "too many queries": ({"queries": ["river"] * 65}, 422, "at most 64"),
    "a number as query": ({"query": 5}, 422, "query: expected a valid string; found 5"),
    "a number among queries": ({"queries": ["river", 5]}, 422, "queries.1"),
    "an empty query": ({"query": ""}, 422, "query: empty"),
    "a blank one among queries": ({"queries": ["river", " \t"]}, 422, "queries.1: empty"),
    "a query of a megabyte": ({"query": "river " * 174_000}, 422, "at most 4,000 characters"),
    "k is 0": ({"query": "river", "k": 0}, 422, "k: "),
    "k is negative": ({"query": "river", "k": -3}, 422, "k: "),
    "k is huge": ({"query": "river", "k": 10**30}, 422, "at most 1,000"),
    "k is a text": ({"query": "river", "k": "5"}, 422, "k: expected a valid integer"),
    "k is a fraction": ({"query": "river", "k": 2.5}, 422, "k: "),
    "k is true": ({"query": "river", "k": True}, 422, "k: "),
    "beams are too many": ({"query": "river", "beams": 1 << 40}, 422, "at most 1,000"),
    "an unknown mode": ({"query": "river", "mode": "fast"}, 422, "'beam', 'plan' or 'both'"),
    "an unknown field": ({"query": "river", "depth": 5}, 422, "depth: no such field"),
    "text is a text": ({"query": "river", "text": "yes"}, 422, "text: "),
    "an unknown column": ({"query": "river", "where": "colour = 1"}, 422, "colour"),
    "a condition that is none": ({"query": "river", "where": "number <> 3 3"}, 422, "column"),
    "a condition of wrong type": ({"query": "river", "where": 'number = "three"'}, 422, "number"),
    "an empty condition": ({"query": "river", "where": ""}, 422, "where: empty"),
    "a deep condition": ({"query": "river", "where": "(" * 3_900}, 422, ""),
}
RAW: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"query=river", 400, "no JSON"),
    "an empty body": (b"", 422, "the body"),
    "half a body": (b'{"query": "riv', 400, "no JSON"),
    "not a number": (b'{"query": "river", "k": NaN}', 422, "k: "),
    "infinity": (b'{"query": "river", "k": Infinity}', 422, "k: "),
    "a lone surrogate": (b'{"query": "river \\ud800"}', 422, "query"),
    "a lone surrogate as a field": (b'{"query": "river", "\\udfff": 1}', 422, "\\udfff"),
    "no UTF-8": (b'{"query": "river \xff"}', 400, "UTF-8"),
    "deeply nested": (b"[" * 500_000, 400, ""),
    "a long number": (b'{"query": "river", "k": ' + b"9" * 5_000 + b"}", 400, ""),
    "two megabytes": (b'{"query": "' + b"x" * (2 << 20) + b'"}', 413, "1,048,576 bytes"),
    "a hundred megabytes": (b"x" * 100_000_000, 413, "1,048,576 bytes"),
}


def check(response: httpx2.Response, status: int, part: str) -> None:
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer) == ["error"]
    assert part in answer["error"]
    assert answer["error"].endswith(".")
    assert len(answer["error"]) < 600


@pytest.mark.parametrize("case", BODIES)
def test_values_that_cannot_be_used(client: httpx2.Client, case: str) -> None:
    body, status, part = BODIES[case]
    check(client.post("/search", json=body), status, part)


@pytest.mark.parametrize("case", RAW)
def test_bodies_that_cannot_be_read(client: httpx2.Client, case: str) -> None:
    body, status, part = RAW[case]
    check(client.post("/search", content=body, headers=JSON), status, part)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "part"),
    [
        ("GET", "/nowhere", {}, 404, "nothing at this address"),
        ("GET", "/passages/unknown", {}, 404, "no passage has the id 'unknown'"),
        ("GET", "/passages/p1%00", {}, 404, "no passage"),
        ("GET", "/passages/%ff%fe", {}, 404, "no passage"),
        ("GET", "/passages/" + "a" * 30_000, {}, 404, "no passage"),
        ("GET", "/passages/", {}, 404, "no passage"),
        ("GET", "/search", {}, 405, "does not take this method"),
        ("DELETE", "/passages/p1", {}, 405, "does not take this method"),
        ("GET", "/health", {"Host": "evil.example"}, 421, "evil.example"),
        ("GET", "/", {"Host": "127.0.0.1.evil.example:80"}, 421, "--allow-host"),
        ("GET", "/", {"Host": ""}, 421, "--allow-host"),
        ("POST", "/search", {"Content-Type": "text/plain"}, 415, "application/json"),
        ("POST", "/search", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ],
)  # fmt: skip
def test_requests_that_lead_nowhere(
    client: httpx2.Client, method: str, path: str, headers: dict[str, str], status: int, part: str
) -> None:
    content = b'{"query": "river"}' if method == "POST" else None
    check(client.request(method, path, headers=headers, content=content), status, part)


def test_a_chunked_body_is_bounded_too(client: httpx2.Client) -> None:
    parts = (b"x" * 65_536 for _ in range(64))
    check(client.post("/search", content=parts, headers=JSON), 413, "1,048,576 bytes")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ({"q": "river", "k": "many"}, 422, "expected a whole number"),
        ({"q": "river", "k": "10000000000"}, 422, "expected a whole number"),
        ({"q": "river", "k": "2000"}, 422, "at most 1,000"),
        ({"q": "x" * 5_000}, 422, "at most 4,000"),
        ({"q": " "}, 422, "empty"),
        ({"q": "river", "where": "colour = 1"}, 422, "colour"),
        ({"q": "river", "trace": "unknown"}, 422, "unknown"),
    ],
)
def test_the_page_says_what_is_wrong(
    client: httpx2.Client, asked: dict[str, str], status: int, part: str
) -> None:
    response = client.get("/", params=asked)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    alert = response.text.split('role="alert">')[1].split("</p>")[0]
    assert part in alert


def test_the_service_lives_on(client: httpx2.Client) -> None:
    assert client.post("/search", json={"query": "river \0 near"}).status_code == 200
    assert 'status="500"' not in client.get("/metrics").text
