"""A Ray cluster of three nodes on this machine does a job: the same bytes as one process, whatever is lost."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from backbones import BACKBONES
from command_line import genret
from counting import EXPECTED, POSITIONS, SIZE, Counting, begun, counting_job, result
from ray.cluster_utils import Cluster
from tiny_sentence_encoder import write_encoder

from genret.errors import InputError, UsageError
from genret.jobs.job import HERE
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


def test_a_node_killed_in_the_middle(cluster: Cluster, tmp_path: Path) -> None:
    """What it had is done by another; nothing else is done twice."""
    log = tmp_path / "log"
    job = counting_job(tmp_path / "job", Counting(log, seconds=0.5))

    def kill() -> None:
        while not begun(log):
            time.sleep(0.02)
        cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        OnRay(cluster.address).run(job)
    finally:
        killer.join()
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
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


def _drive(address: str, folder: Path) -> None:
    OnRay(address).run(counting_job(folder / "job", Counting(folder / "log", seconds=0.3)))


def test_a_killed_driver_started_again(cluster: Cluster, tmp_path: Path) -> None:
    driver = multiprocessing.get_context("spawn").Process(target=_drive, args=(cluster.address, tmp_path))
    driver.start()
    while len(begun(tmp_path / "log")) < 5:
        assert driver.is_alive()
        time.sleep(0.02)
    driver.kill()
    driver.join()
    # The cluster ends the actors of a driver that is gone; a part that one is at may still come.
    time.sleep(5)
    job = counting_job(tmp_path / "job", Counting(tmp_path / "again"))
    missing = job.ledger.missing()
    assert 0 < len(missing) < PARTS
    OnRay(cluster.address).run(job)
    assert result(job) == EXPECTED
    assert begun(tmp_path / "again") == dict.fromkeys(missing, 1)
    HERE.run(job)
    assert begun(tmp_path / "again") == dict.fromkeys(missing, 1)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1:x", "nowhere.invalid:6379"])
def test_no_cluster_at_the_address(address: str, tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log"))
    with pytest.raises(UsageError, match=f"--ray {address}: no cluster there"):
        OnRay(address).run(job)


def test_batch_on_a_cluster_equals_one_process(
    cluster: Cluster, tiny_retriever: GenerativeRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, queries = tmp_path / "model", tmp_path / "queries.jsonl"
    tiny_retriever.save_pretrained(model)
    rows: list[dict[str, Any]] = [{"_id": f"q{n}", "text": "where lies " * (1 + n % 3)} for n in range(9)]
    queries.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared = ("batch", model, queries, "--chunk", 2, "-k", 3, "-o")
    assert genret(monkeypatch, *shared, tmp_path / "one") == 0
    assert genret(monkeypatch, *shared, tmp_path / "ray", "--ray", cluster.address, "--workers", 2) == 0
    assert (tmp_path / "ray").read_bytes() == (tmp_path / "one").read_bytes()


def contents(place: Path) -> dict[str, bytes]:
    """The results of a command; a manifest, which names each build anew, is none."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return {
        path.relative_to(place).as_posix(): path.read_bytes() for path in files if path.name != "genret.json"
    }


def test_other_jobs_on_a_cluster_equal_those_of_one_process(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, vectors, model, encoder = (tmp_path / name for name in ("c.jsonl", "v.npy", "model", "encoder"))
    words = ("paris", "rome", "river", "city", "mountain")
    rows = [{"_id": f"p{n}", "text": f"{words[n % 5]} lies near the {words[n // 5]}"} for n in range(25)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(vectors, np.random.default_rng(0).normal(size=(25, 8)).astype(np.float32))
    BACKBONES["bart"]().save_pretrained(model)
    write_encoder(encoder)
    quantised = ("--strategy", "residual", "--set", "codes=4", "--set", "levels=3")
    commands: dict[str, tuple[object, ...]] = {
        "queries": ("queries", "generate", corpus, "--model", model, "--kind", "encoder-decoder", "-n", 2),
        "docids": ("docid", "build", corpus, "--embeddings", vectors, *quantised),
        "vectors": ("embed", corpus, "--encoder", encoder),
        "index": ("index", "build", corpus, "--tokenizer", model, "--shard-passages", 7),
    }
    for name, command in commands.items():
        for kind, more in (("one", ()), ("ray", ("--ray", cluster.address))):
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / kind))
            assert genret(monkeypatch, *command, "-o", tmp_path / f"{name}-{kind}", *more) == 0
        assert contents(tmp_path / f"{name}-ray") == contents(tmp_path / f"{name}-one") != {}
