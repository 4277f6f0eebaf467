"""`genret doctor`: what is installed, what device, what is missing."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("doctor")(doctor)


def doctor() -> None:
    """Tell what is installed, on which device work would run, and what is missing."""
    from genret.doctor import run_checks

    missing = False
    for check in run_checks():
        mark = "ok" if not check.advice else ("MISSING" if check.required else "-")
        missing |= bool(check.advice) and check.required
        advice = f"  ({check.advice})" if check.advice else ""
        typer.echo(f"{mark:8}{check.name:22}{check.found}{advice}")
    raise typer.Exit(2 if missing else 0)
