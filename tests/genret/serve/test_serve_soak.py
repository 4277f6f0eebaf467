"""The service for a long time: kills at any moment lose nothing, and 20,000 requests leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import httpx2
import pytest
from answering import QUERIES, model, search, wait_until
from asking import Asking, found_by_library
from changing import QUERIES as CHANGED_QUERIES
from test_serve_command import process

from genret.retrieval.changes import remove_passages
from genret.retrieval.model_folder import change_folder

KILLS = int(os.environ.get("GENRET_KILLS", "100"))
# Bytes of one answer; and less than a tenth of one: what is kept of answers, or of requests, is more.
ANSWER, LEAST_LEAK = 4_096, 256
TESTS = Path(__file__).resolve().parents[2]


def survives(folder: Path, kills: int, seed: int) -> str:
    """What `serve_kills.py` tells at its end; it leaves no file behind but the folder."""
    scratch = folder.parent.parent / "scratch"
    for place in (folder.parent, scratch):
        place.mkdir()
    paths = [
        *map(str, (TESTS / "genret" / "serve", TESTS / "genret", TESTS)),
        os.environ.get("PYTHONPATH", ""),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TMPDIR": str(scratch)}
    command = [
        sys.executable,
        str(Path(__file__).with_name("serve_kills.py")),
        str(folder),
        str(kills),
        str(seed),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder.parent) == [folder.name]
    assert os.listdir(scratch) == []
    return done.stdout


def test_a_killed_service_leaves_a_folder_that_the_next_one_serves(tmp_path: Path) -> None:
    assert "of 2 had answered" in survives(tmp_path / "home" / "model", kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "model"
    sys.stdout.write(survives(folder, KILLS, seed=7))
    with process(folder) as (_, address), Asking(address, CHANGED_QUERIES) as clients:
        clients.until(lambda answer: True)
    clients.check(found_by_library(folder, CHANGED_QUERIES))


def check_flat(folder: Path, requests: int, warm: int, leak: float, changes: int = 0) -> None:
    """After so many requests the service holds no more than after the first of them, also where the folder changes.

    Args:
        leak: bytes a request that are not noticed.
        changes: generations that are published, spread over all requests.
    """
    model().save_pretrained(folder)
    with process(folder) as (running, address), httpx2.Client(base_url=address, timeout=60) as client:
        seen = []
        for number, query in enumerate(islice(cycle(QUERIES), requests)):
            if number in (warm, requests - 1):
                seen.append((resident(running.pid), descriptors(running.pid)))
            if changes and number % (requests // changes) == 0:
                name = f"p{number * changes // requests}"
                change_folder(folder, lambda store, name=name: remove_passages(store, [name]), device="cpu")
                wait_until(lambda name=name: client.get(f"/passages/{name}").status_code == 404)
            match number % 4:
                case 0:
                    client.get("/", params={"q": query}).raise_for_status()
                case 1:
                    assert client.post("/search", json={"query": query, "k": 0}).status_code == 422
                case _:
                    search(client, query=query, k=5, text=True, matches=True)
        assert gone_but_held(running.pid) == []
    (memory, files), (later, files_later) = seen
    sys.stdout.write(
        f"after {warm:,} requests {memory:,} bytes, {files} files; after {requests:,} {later:,}, {files_later}\n"
    )
    assert later - memory < leak * (requests - warm)
    assert files_later <= files


def test_memory_and_descriptors_stay(tmp_path: Path) -> None:
    check_flat(tmp_path / "model", 1_200, 200, ANSWER)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_memory_and_descriptors_stay_over_many_requests_and_generations(tmp_path: Path) -> None:
    check_flat(tmp_path / "model", 20_000, 2_000, LEAST_LEAK, changes=20)


def resident(process_id: int) -> int:
    """Bytes in memory."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(process_id: int) -> int:
    """Open files and sockets."""
    return len(os.listdir(f"/proc/{process_id}/fd"))


def gone_but_held(process_id: int) -> list[str]:
    """Files of earlier generations that are still mapped."""
    lines = Path(f"/proc/{process_id}/maps").read_text().splitlines()
    return [line for line in lines if line.endswith("(deleted)") and ".store" in line]
