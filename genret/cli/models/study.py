"""`genret study`: a grid of training runs over growing corpora, as resumable jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.job_options import RayAddress, ShardOf, Workers, executor_of
from genret.cli.output import check_output, emit, notice

if TYPE_CHECKING:
    from genret.jobs.job import Executor

__all__ = ["register"]

Config = Annotated[Path, typer.Argument(help="YAML file of the study; see configs/studies/.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Replace values: seeds=[0,1].")
]
Only = Annotated[
    str,
    typer.Option(help="Run only jobs whose name matches, such as '10k-*'; the report shows all finished."),
]
Figure = Annotated[
    Path | None, typer.Option(help="Also draw the first metric against corpus size (.png, .svg).")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Write the table here, not to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing table and figure.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("study")(study)


def study(
    config: Config,
    overrides: Overrides = None,
    only: Only = "*",
    figure: Figure = None,
    output: Output = None,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Run every job of the grid that CONFIG describes, skip finished ones, and print a table of all.

    A job that was interrupted goes on when the command is given again. With --shard, --workers or --ray jobs are done
    at the same time, in one OUTPUT that all see.
    """
    check_output(output, overwrite)
    check_output(figure, overwrite, text=False)
    from genret.config import load_config
    from genret.study import Study, run_study

    described = load_config(Study, config, overrides or [])
    report = run_study(described, only, notice, _executor(shard, workers, ray))
    if figure is not None:
        report.draw(described.metrics[0], figure)
    emit(report.table().markdown(), output)
    if report.missing:
        typer.echo(f"{report.missing} jobs of this study are not finished.", err=True)


def _executor(shard: str | None, workers: int | None, ray: str | None) -> Executor:
    """Who does the jobs.

    Raises:
        UsageError: torchrun started this process: its ranks would take each training for one that they share.
    """
    from genret.errors import UsageError

    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError(
            "a study's jobs are shared with --workers, --shard or --ray, not by torchrun, whose ranks would train each "
            "job together; start it without."
        )
    return executor_of(shard, workers, ray)
