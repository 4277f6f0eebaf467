"""`genret serve`: a model folder over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("serve")(serve)


def serve(
    model: Annotated[
        Path, typer.Argument(help="Model folder; a new generation of it is taken up by itself.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name that requests may call this service by, beside this machine's own."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU if there is one.")
    ] = None,
) -> None:
    """Serve a model over HTTP: searches, passages, health, metrics, and a page for people.

    With GENRET_TOKEN in the environment, requests must show it. SIGTERM ends it, once what was begun is answered.
    """
    from docid.extras import needs

    with needs("the service", "fastapi, uvicorn and prometheus-client", extra="serve"):
        from genret.serve import serve as listen
    listen(
        model,
        host=host,
        port=port,
        allowed=allow_host or (),
        device=device,
        announce=lambda line: typer.echo(line, err=True),
    )
