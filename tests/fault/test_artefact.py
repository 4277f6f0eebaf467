"""Folders that can be trusted: what a kill or a flipped byte leaves behind is never taken for whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fm_index.container import write_container
from fm_index.files import NEW
from genret.artefact import MANIFEST, check_folder, publish_folder, write_manifest
from genret.errors import ArtefactError, InputError

KIND, VERSION = "thing", 2


def publish(target: Path, text: str = "payload", *, overwrite: bool = False, version: int = VERSION) -> None:
    with publish_folder(
        target, kind=KIND, version=version, meta={"text": text}, overwrite=overwrite
    ) as scratch:
        (scratch / "sub").mkdir()
        (scratch / "sub" / "data.txt").write_text(text)


def check(target: Path, **options: bool) -> dict[str, object]:
    return check_folder(target, kind=KIND, version=VERSION, **options)


def test_what_was_published_is_read(tmp_path: Path) -> None:
    publish(tmp_path / "a b")
    assert check(tmp_path / "a b") == {"text": "payload"}
    assert [path.name for path in tmp_path.iterdir()] == ["a b"]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    publish(tmp_path / "x", "old")
    with pytest.raises(InputError, match="--overwrite"):
        publish(tmp_path / "x", "new")
    assert check(tmp_path / "x")["text"] == "old"
    publish(tmp_path / "x", "new", overwrite=True)
    assert check(tmp_path / "x")["text"] == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def fail_half_way(target: Path) -> None:
    with publish_folder(target, kind=KIND, version=1, meta={}, overwrite=True) as scratch:
        (scratch / "data").write_text("half")
        raise RuntimeError("half way")


def test_a_failure_leaves_the_old_folder_and_no_scratch(tmp_path: Path) -> None:
    publish(tmp_path / "x", "old")
    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way(tmp_path / "x")
    assert check(tmp_path / "x")["text"] == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["sub/data.txt", MANIFEST])
def test_every_single_byte_change_is_noticed(tmp_path: Path, name: str) -> None:
    publish(tmp_path / "x")
    path = tmp_path / "x" / name
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(bytes(damaged))
        if name == MANIFEST and _same_json(whole, bytes(damaged)):
            continue  # white space and letter case of an escape carry no content
        with pytest.raises(ArtefactError):
            check(tmp_path / "x")


def _same_json(a: bytes, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def test_each_message_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        check(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ArtefactError, match=r"incomplete: it has no genret\.json"):
        check(tmp_path / "bare")
    publish(tmp_path / "x")
    with pytest.raises(ArtefactError, match="holds a thing, expected a model"):
        check_folder(tmp_path / "x", kind="model", version=1)
    with pytest.raises(ArtefactError, match="newer version of the library"):
        check_folder(tmp_path / "x", kind=KIND, version=1)
    (tmp_path / "x" / "sub" / "data.txt").write_text("short")
    with pytest.raises(ArtefactError, match="5 bytes found, 7 expected"):
        check(tmp_path / "x", verify=False)
    (tmp_path / "x" / "sub" / "data.txt").unlink()
    with pytest.raises(ArtefactError, match="missing"):
        check(tmp_path / "x")


WRITER = """
import sys
from pathlib import Path
from genret.artefact import publish_folder
count = 0
while True:
    count += 1
    with publish_folder(sys.argv[1], kind="thing", version=2, meta={"text": str(count)}, overwrite=True) as scratch:
        for part in range(20):
            (scratch / f"part{part}").write_text(str(count) * 1000)
    print(count, flush=True)
"""


def killed_writer(target: Path, delay: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.031])
def test_a_kill_at_any_moment_loses_nothing_complete(tmp_path: Path, delay: float) -> None:
    assert_survives(tmp_path, delay)


@pytest.mark.soak
@pytest.mark.parametrize("moment", range(50))
def test_many_kills_lose_nothing_complete(tmp_path: Path, moment: int) -> None:
    assert_survives(tmp_path, moment * 0.0017)


def assert_survives(tmp_path: Path, delay: float) -> None:
    target = tmp_path / "x"
    killed_writer(target, delay)
    candidates = [target, *tmp_path.glob(".x.*.old/old"), *tmp_path.glob(".x.*.tmp")]
    complete = [path for path in candidates if path.is_dir() and (path / MANIFEST).is_file()]
    assert complete
    if target.exists():
        check(target)
    else:
        check(complete[0])


def test_the_next_build_clears_what_killed_ones_left(tmp_path: Path) -> None:
    target = tmp_path / "x"
    for delay in (0.0, 0.011, 0.023, 0.037):
        killed_writer(target, delay)
    publish(target, "after", overwrite=True)
    # One that was killed before it held its folder leaves it, empty: nobody can tell it from one that is about to.
    left = [path for path in tmp_path.iterdir() if path.suffix != NEW or any(path.iterdir())]
    assert left == [target]
    assert check(target)["text"] == "after"


def test_what_a_living_build_is_writing_stays(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "x", kind=KIND, version=VERSION, meta={}) as first:
        (first / "half").write_text("written")
        publish(tmp_path / "x", "second")
        assert (first / "half").read_text() == "written"
        shutil.rmtree(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x" / "half").is_file()


def test_what_was_moved_aside_and_not_replaced_comes_back(tmp_path: Path) -> None:
    publish(tmp_path / "x", "old")
    aside = tmp_path / ".x.abcdefgh.old"
    aside.mkdir()
    (tmp_path / "x").rename(aside / "old")
    with pytest.raises(InputError, match="exists already"):
        publish(tmp_path / "x", "new")
    assert check(tmp_path / "x")["text"] == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_files_of_two_builds_do_not_mix(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        with publish_folder(tmp_path / name, kind=KIND, version=VERSION, meta={}) as scratch:
            write_container(
                scratch / "part", kind="part", version=1, meta={}, arrays={"n": np.array([value])}
            )
    manifest = json.loads((tmp_path / "a" / MANIFEST).read_text())
    shutil.copyfile(tmp_path / "b" / "part", tmp_path / "a" / "part")
    write_manifest(tmp_path / "a", kind=KIND, version=VERSION, meta={}, build=manifest["build"])
    with pytest.raises(ArtefactError, match="another build"):
        check(tmp_path / "a")


def test_a_file_that_was_not_published_is_named(tmp_path: Path) -> None:
    publish(tmp_path / "x")
    (tmp_path / "x" / ".hidden").write_text("of no reader")
    check(tmp_path / "x")
    (tmp_path / "x" / "adapter_config.json").write_text("{}")
    with pytest.raises(ArtefactError, match=r"adapter_config\.json: not listed"):
        check(tmp_path / "x")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/../../outside"])
def test_a_manifest_names_files_of_its_folder_only(tmp_path: Path, name: str) -> None:
    publish(tmp_path / "x")
    content = json.loads((tmp_path / "x" / MANIFEST).read_text())
    content["files"][name] = content["files"]["sub/data.txt"]
    (tmp_path / "x" / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ArtefactError, match="not a manifest of this library"):
        check(tmp_path / "x")


def test_a_folder_of_someone_else_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    publish(target, "in an empty folder", overwrite=True)
    publish(target, "in place of our own", overwrite=True)
    (target / MANIFEST).unlink()
    with pytest.raises(InputError, match="which was not written by this program"):
        publish(target, "after", overwrite=True)
    (tmp_path / "dear.txt").write_text("dear")
    with pytest.raises(InputError, match="is no folder"):
        publish(tmp_path / "dear.txt", "after", overwrite=True)
    assert (tmp_path / "dear.txt").read_text() == "dear"
