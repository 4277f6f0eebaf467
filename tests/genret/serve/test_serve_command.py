"""`genret serve` as a process: announced, drained on SIGTERM, mistakes told before any work; docs/serving.md as printed."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from answering import QUERIES, TOKEN, model
from command_line import genret

from genret.serve import listening

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"


@contextmanager
def process(folder: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`genret serve`, and the address that it announces."""
    command = [sys.executable, "-m", "genret", "serve", str(folder), "--port", "0", *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as running:
        try:
            assert running.stderr is not None
            told = running.stderr.readline()
            found = re.search(r"http://\S+:\d+", told)
            assert found is not None, told + running.stderr.read()
            yield running, found[0]
        finally:
            running.kill()


def test_the_guide_runs_as_printed_and_sigterm_ends_it_once_all_is_answered(tmp_path: Path) -> None:
    model(mode="beam").save_pretrained(tmp_path / "MODEL")
    with process(tmp_path / "MODEL", GENRET_TOKEN=TOKEN) as (running, address):
        for line in guide():
            words = shlex.split(
                line.replace("http://127.0.0.1:8000", address).replace("$GENRET_TOKEN", TOKEN)
            )
            done = subprocess.run(
                [words[0], "--silent", "--fail", *words[1:]], capture_output=True, text=True
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            assert done.stdout
        clients = [httpx2.Client(base_url=address, auth=("", TOKEN), timeout=60) for _ in range(5)]
        *asking, watching = clients
        with ThreadPoolExecutor(len(asking)) as pool:
            asked = [pool.submit(one.post, "/search", json={"queries": QUERIES[:2]}) for one in asking]
            while "genret_waiting_queries 6.0" not in watching.get("/metrics").text:
                time.sleep(0.001)
            running.send_signal(signal.SIGTERM)
            assert [one.result().status_code for one in asked] == [200] * len(asking)
        assert running.wait(60) == 0
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(address + "/health")
        for one in clients:
            one.close()


def guide() -> list[str]:
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n", "", block).splitlines()]
    found = [line for line in lines if line.startswith("curl")]
    assert len(found) >= 4
    return found


def test_parts_of_an_answer_do_not_wait_for_one_another() -> None:
    """What is accepted at the port sends at once (no Nagle), as asyncio sees to for sockets that it knows as TCP's."""
    at_once = list[int]()

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted = transport.get_extra_info("socket")
            at_once.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def connect() -> None:
        server = await asyncio.get_running_loop().create_server(
            Accepted, sock=listening._bound("127.0.0.1", 0)
        )
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            while not at_once:
                await asyncio.sleep(0.001)
            writer.close()

    asyncio.run(connect())
    assert at_once[0]


@pytest.mark.parametrize(
    ("arguments", "token", "code", "message"),
    [
        (["{none}"], None, 3, "no such folder"),
        (["{empty}"], None, 4, "genret.json"),
        (["{empty}", "--port", "{taken}"], None, 2, "cannot be used"),
        (["{empty}", "--host", "no.such.host.invalid"], None, 2, "cannot be used"),
        (["{empty}"], "short", 2, "GENRET_TOKEN: expected at least 16"),
        (["{empty}"], "with spaces in between", 2, "GENRET_TOKEN"),
    ],
)
def test_mistakes_end_in_a_sentence(
    arguments: list[str],
    token: str | None,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    if token is not None:
        monkeypatch.setenv("GENRET_TOKEN", token)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {"none": tmp_path / "none", "empty": tmp_path / "empty", "taken": taken.getsockname()[1]}
        options = [] if "--port" in arguments else ["--port", "0"]
        filled = [one.format(**names) for one in [*arguments, *options]]
        assert genret(monkeypatch, "serve", *filled) == code
    assert message in capsys.readouterr().err
