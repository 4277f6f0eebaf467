"""The service for a long time: kills at any moment lose nothing, and 20,000 requests leave nothing behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import httpx2
import pytest
from answering import QUERIES, model, numbers, search
from test_serve_command import process

from genret.retrieval.from_folder import load_retriever

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]

KILLS = int(os.environ.get("GENRET_KILLS", "100"))
REQUESTS, WARM = 20_000, 2_000
# Less than a tenth of one answer a request: what is kept of answers, or of requests, is more.
LEAST_LEAK = 256


def test_kills_at_any_moment_leave_a_folder_that_is_served(tmp_path: Path) -> None:
    folder, moments = tmp_path / "model", random.Random(7)
    model().save_pretrained(folder)
    begin = time.monotonic()
    with process(folder):
        starting = time.monotonic() - begin
    files = listing(folder)
    for _ in range(KILLS):
        command = [sys.executable, "-m", "genret", "serve", str(folder), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            time.sleep(moments.uniform(0, 1.5 * starting))
            running.kill()
        assert listing(folder) == files
    library = load_retriever(folder)
    with process(folder) as (_, address), httpx2.Client(base_url=address, timeout=60) as client:
        (result,) = search(client, query=QUERIES[0], k=5)["results"]
        hits = library.search(QUERIES[0], 5)
        assert [row[:2] for row in numbers(result["hits"])] == [(hit.passage_id, hit.score) for hit in hits]


def test_memory_and_descriptors_stay_over_many_requests(tmp_path: Path) -> None:
    model().save_pretrained(tmp_path / "model")
    with process(tmp_path / "model") as (running, address):
        seen = []
        with httpx2.Client(base_url=address, timeout=60) as client:
            for number, query in enumerate(islice(cycle(QUERIES), REQUESTS)):
                if number in (WARM, REQUESTS - 1):
                    seen.append((resident(running.pid), descriptors(running.pid)))
                match number % 4:
                    case 0:
                        client.get("/", params={"q": query}).raise_for_status()
                    case 1:
                        assert client.post("/search", json={"query": query, "k": 0}).status_code == 422
                    case _:
                        search(client, query=query, k=5, text=True, matches=True)
    (memory, files), (later, files_later) = seen
    sys.stdout.write(
        f"after {WARM:,} requests {memory:,} bytes, {files} files; after {REQUESTS:,} {later:,}, {files_later}\n"
    )
    assert later - memory < LEAST_LEAK * (REQUESTS - WARM)
    assert files_later <= files


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file, its size and when it was written."""
    found = (path for path in sorted(folder.parent.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def resident(process_id: int) -> int:
    """Bytes in memory."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(process_id: int) -> int:
    """Open files and sockets."""
    return len(os.listdir(f"/proc/{process_id}/fd"))
