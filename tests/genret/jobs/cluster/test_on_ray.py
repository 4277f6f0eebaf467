"""A Ray cluster of three nodes on this machine does a job: the same bytes as one process, whatever is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray
from counting import (
    EXPECTED,
    POSITIONS,
    SIZE,
    Counting,
    begun,
    counting_job,
    killed_and_started_again,
    result,
)
from every_job import JOBS, long_job
from ray.cluster_utils import Cluster

from genret.errors import InputError, UsageError
from genret.jobs.on_ray import OnRay
from genret.jobs.resumable import Parts
from genret.retrieval.docids import GenerativeRetriever

PARTS = len(Parts(POSITIONS, SIZE))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that does no work, and two nodes; tests that lose one add one."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(3):
        found.add_node(num_cpus=1)
    found.wait_for_nodes()
    yield found
    found.shutdown()


def test_three_nodes_do_each_part_once(cluster: Cluster, tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log"))
    OnRay(cluster.address).run(job)
    assert result(job) == EXPECTED
    assert begun(tmp_path / "log") == dict.fromkeys(range(PARTS), 1)
    assert not ray.is_initialized()


@contextmanager
def losing_a_node(cluster: Cluster, begun: Callable[[], bool]) -> Iterator[None]:
    """Kill a node as soon as the job has begun; afterwards there are three again."""

    def kill() -> None:
        while not begun() and not over.is_set():
            time.sleep(0.02)
        cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)

    over, killer = threading.Event(), threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()


def test_a_node_killed_in_the_middle(cluster: Cluster, tmp_path: Path) -> None:
    """What it had is done by another; nothing else is done twice."""
    log = tmp_path / "log"
    job = counting_job(tmp_path / "job", Counting(log, seconds=0.5))
    with losing_a_node(cluster, lambda: bool(begun(log))):
        OnRay(cluster.address).run(job)
    assert result(job) == EXPECTED
    times = begun(log)
    assert times.keys() == set(range(PARTS))
    # The node had one actor, and that one part.
    assert sum(times.values()) <= PARTS + 1


def test_an_actor_that_its_part_kills(cluster: Cluster, tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log", deadly=5, times=1))
    OnRay(cluster.address).run(job)
    assert result(job) == EXPECTED
    assert begun(tmp_path / "log") == {part: 2 if part == 5 else 1 for part in range(PARTS)}


def test_what_the_work_raises_is_raised_here(cluster: Cluster, tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log", broken=5))
    with pytest.raises(InputError, match=r"^part 5 cannot be done$"):
        OnRay(cluster.address).run(job)
    assert not ray.is_initialized()


def test_a_killed_driver_started_again(cluster: Cluster, tmp_path: Path) -> None:
    # The cluster ends the actors of a driver that is gone.
    killed_and_started_again(
        tmp_path, OnRay(cluster.address), seconds=0.3, until=5, settling=5, logs=tmp_path
    )


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1:x", "nowhere.invalid:6379"])
def test_no_cluster_at_the_address(address: str, tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log"))
    with pytest.raises(UsageError, match=f"--ray {address}: no cluster there"):
        OnRay(address).run(job)


@pytest.mark.parametrize("name", JOBS)
def test_every_job_on_a_cluster_that_loses_a_node_equals_one_process(
    name: str,
    cluster: Cluster,
    tiny_retriever: GenerativeRetriever,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = long_job(name, tmp_path, tiny_retriever)
    job.run(monkeypatch, tmp_path / "one")
    job.run(monkeypatch, tmp_path / "ray", "--ray", cluster.address)

    def written() -> bool:
        return any(tmp_path.glob("lost*/**/part-*"))

    with losing_a_node(cluster, written):
        job.run(monkeypatch, tmp_path / "lost", "--ray", cluster.address)
    for kind in ("ray", "lost"):
        assert job.contents(tmp_path / kind) == job.contents(tmp_path / "one") != {}
