"""Results served page by page on this machine only, by the standard library's server.

Knows addresses and query strings; listens on 127.0.0.1, answers GET only, and to no other host name, so that no
other page in the same browser can read it.
"""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from genret.browse.page import page
from genret.browse.results import FILTERS, Filter, Results

__all__ = ["make_server"]

ADDRESS = "127.0.0.1"
PER_PAGE = 50
HOSTS = frozenset([ADDRESS, "localhost"])
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_server(results: Results, port: int = 0) -> ThreadingHTTPServer:
    """A server that is bound and not yet started; port 0 takes a free one."""

    class Handler(_Handler):
        shown = results

    return ThreadingHTTPServer((ADDRESS, port), Handler)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    shown: Results

    def do_GET(self) -> None:
        """`/?filter=missed&text=word&page=2`."""
        address = urlsplit(self.path)
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in HOSTS or address.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        asked = {name: values[-1] for name, values in parse_qs(address.query).items()}
        body = _page(self.shown, asked).encode()
        self.send_response(HTTPStatus.OK)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line a request helps nobody."""


def _page(results: Results, asked: dict[str, str]) -> str:
    chosen: Filter = next((one for one in FILTERS if one == asked.get("filter")), "all")
    text = asked.get("text", "")
    number = asked.get("page", "1")
    place = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    begin = (place - 1) * PER_PAGE
    found = list(islice(results.queries(chosen, text), begin, begin + PER_PAGE + 1))
    shown = found[:PER_PAGE]
    summary = f"queries {begin + 1:,} to {begin + len(shown):,}" if shown else "no such query"
    more = len(found) > PER_PAGE
    links = [(place - 1, "previous")] * (place > 1) + [(place + 1, "next")] * more
    controls = {"filters": FILTERS, "chosen": chosen, "text": text, "links": links}
    return page("served", results.names, summary, shown, **controls)
