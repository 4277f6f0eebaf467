"""A job's parts on the machines of a Ray cluster: one actor a device holds the model.

Knows Ray. All machines need this library, what the job reads, and its folder, under the same names.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from docid.extras import missing
from genret.errors import UsageError
from genret.jobs.job import Job
from genret.jobs.pool import Event, PartWorker, run_in
from genret.jobs.shards import WHOLE, Shard

__all__ = ["LOCAL", "OnRay"]

# Of a cluster of this machine alone, which ends with the job.
LOCAL = "local"
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class OnRay:
    """A Ray cluster does a share's parts.

    Attributes:
        address: of the cluster, as `ray.init` takes it ("auto": the one that is running here); "local": a new one.
        workers: how many actors; None: one a GPU, or one a machine where there is none.

    Raises:
        UsageError: Ray is not installed.
    """

    address: str = LOCAL
    workers: int | None = None
    share: Shard = WHOLE

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise missing("--ray", "Ray on all machines", extra="ray")

    def run(self, job: Job) -> None:
        import ray

        _check_reachable(self.address)
        with job.ledger.alone(self.share):
            missing = job.ledger.missing(self.share)
            if not missing:
                return
            try:
                ray.init(self.address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError) as error:
                raise _nobody(self.address, error) from error
            try:
                workers, needs = _places(ray, self.workers)
                run_in(_Actors(ray, ray.put(job), needs), job, missing, workers)
            finally:
                ray.shutdown()


def _check_reachable(address: str) -> None:
    """See that something listens at an address of a host and a port; Ray would wait for it for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        try:
            socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()
        except (OSError, ValueError, OverflowError) as error:
            raise _nobody(address, error) from error


def _nobody(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"--ray {address}: no cluster there ({error}); expected HOST:PORT of a head that `ray start --head` began, "
        "auto for the one on this machine, or local for a new one."
    )


def _places(ray: Any, workers: int | None) -> tuple[int, dict[str, float]]:
    """How many actors there are, and what each takes of its machine."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if gpus:
        return workers or gpus, {"num_gpus": 1, "num_cpus": 1}
    if workers:
        return workers, {"num_cpus": 1}
    cpus = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    machines = [count for count in cpus if count >= 1]
    # As many processor cores as the smallest has, so that one actor fills a machine of it.
    return max(len(machines), 1), {"num_cpus": min(machines, default=1)}


@dataclass
class _Actors:
    """The workers of one run, by number, and what they have been asked and not yet answered."""

    ray: Any
    job: Any
    needs: dict[str, float]
    actors: dict[int, Any] = field(default_factory=dict)
    asked: dict[Any, int] = field(default_factory=dict)

    def start(self, worker: int) -> None:
        kind = self.ray.remote(PartWorker)
        self.actors[worker] = actor = kind.options(scheduling_strategy="SPREAD", **self.needs).remote()
        self.asked[actor.ready.remote(self.job)] = worker

    def give(self, worker: int, part: int) -> None:
        self.asked[self.actors[worker].do.remote(part)] = worker

    def wait(self) -> Event:
        (answer,), _ = self.ray.wait(list(self.asked), num_returns=1)
        worker = self.asked.pop(answer)
        try:
            return Event(worker, error=self.ray.get(answer))
        except self.ray.exceptions.RayTaskError as error:
            # It lives, and could not even begin: the job cannot be unpickled there.
            return Event(worker, error=RuntimeError(str(error)))
        except self.ray.exceptions.RayError as error:
            return Event(worker, lost=str(error).splitlines()[0])
