"""The options of every command whose work can be shared, and who then does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genret.jobs.job import Executor

__all__ = ["PartsPlace", "RayAddress", "ShardOf", "Workers", "executor_of", "say_left"]

ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do part I (from 0) of N of the work; auto: this task of a Slurm array.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Processes that share the work; with --ray, actors.", min=1, max=1024),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Share the work on a Ray cluster: its address, auto, or local for a new one.",
    ),
]

PartsPlace = Annotated[
    str | None,
    typer.Option(
        "--parts",
        metavar="PLACE",
        help="Where the parts lie until all are there: a folder, or a URL such as s3://bucket/job; default: in OUTPUT where that is the folder of the job, of vectors in --cache, else OUTPUT.parts.",
    ),
]


def say_left(parts: object) -> None:
    """Say that a job is not complete: other calls have its other parts."""
    typer.echo(f"{parts}: the other shards' parts are missing yet.", err=True)


def executor_of(shard: str | None, workers: int | None, ray: str | None) -> Executor:
    """Who does the work: this process, processes of this machine, or a Ray cluster; under torchrun, each its share.

    Raises:
        UsageError: the share is none.
    """
    from genret.jobs.job import Here
    from genret.jobs.on_ray import OnRay
    from genret.jobs.shards import WHOLE, Shard
    from genret.jobs.worker_processes import WorkerProcesses

    share = Shard.of_process(WHOLE if shard is None else Shard.parse(shard))
    if ray is not None:
        return OnRay(ray, workers, share)
    return Here(share) if workers is None else WorkerProcesses(workers, share)
