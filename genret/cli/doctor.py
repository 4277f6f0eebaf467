"""`genret doctor`: what is installed, what device, what is missing; or by which paths a model is decoded."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("doctor")(doctor)


def doctor(
    model: Annotated[
        str | None, typer.Argument(help="A model folder: which shortcuts are exact for it.")
    ] = None,
) -> None:
    """Tell what is installed, on which device work would run, and what is missing; or how MODEL is decoded."""
    from genret.installation import check_model, run_checks

    missing = False
    for check in run_checks() if model is None else check_model(model):
        mark = "ok" if not check.advice else ("MISSING" if check.required else "-")
        missing |= bool(check.advice) and check.required
        advice = f"  ({check.advice})" if check.advice else ""
        typer.echo(f"{mark:8}{check.name:26}{check.found}{advice}")
    raise typer.Exit(2 if missing else 0)
