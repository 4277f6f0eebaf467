"""Folders that change: readers find one generation, whole; unchanged files are shared; two writers do not mix."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fm_index.container import read_build, write_container
from fm_index.files import file_digest
from genret import artefact, generations
from genret.artefact import MANIFEST, CheckedFolder, checked_folder, publish_folder, write_manifest
from genret.errors import ArtefactError, InputError
from genret.generations import changing, publish_generation, read_whole

KIND, VERSION = "thing", 1
PARTS = ("fixed", "part")


def write_part(path: Path, value: int) -> None:
    write_container(path, kind="part", version=1, meta={}, arrays={"n": np.array([value])})


def publish(target: Path, value: int = 0) -> CheckedFolder:
    with publish_folder(target, kind=KIND, version=VERSION, meta={"value": value}) as scratch:
        for name in PARTS:
            write_part(scratch / name, value)
        (scratch / "below").mkdir()
        (scratch / "below" / "words.txt").write_text("words")
    return check(target)


def check(target: Path, verify: bool = True) -> CheckedFolder:
    return checked_folder(target, kind=KIND, version=VERSION, verify=verify)


def change(now: CheckedFolder, value: int) -> CheckedFolder:
    def write(scratch: Path) -> dict[str, int]:
        write_part(scratch / "part", value)
        return {"value": value}

    with changing(now.folder):
        return publish_generation(now, write, kind=KIND, version=VERSION)


def test_what_stays_is_shared_and_what_changes_is_not(tmp_path: Path) -> None:
    first = publish(tmp_path / "x")
    with (tmp_path / "x" / "part").open("rb") as opened:
        second = change(first, 1)
        third = change(second, 2)
        assert third == check(tmp_path / "x")
        assert b"GENRETCF" in opened.read(8)  # who had the old one open goes on with it
    assert [one.meta["value"] for one in (first, second, third)] == [0, 1, 2]
    shared = {name for name in third.files if third.seen[name] == first.seen[name]}
    assert shared == {"fixed", "below/words.txt"}
    assert len({first.build, second.build, third.build}) == 3
    assert third.files["fixed"]["build"] == first.build == read_build(tmp_path / "x" / "fixed")
    assert "build" not in third.files["part"]
    assert read_build(tmp_path / "x" / "part") == third.build
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_shared_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, read = publish(tmp_path / "x"), list[str]()
    whole = file_digest

    def counted(path: Path, **options: bool) -> str:
        read.append(path.name)
        return whole(path, **options)

    for module in (artefact, generations):
        monkeypatch.setattr(module, "file_digest", counted)
    change(change(first, 1), 2)
    assert read == ["part"] * 2
    read.clear()
    # Of a folder whose bytes were not read nothing is known.
    now = check(tmp_path / "x", verify=False)
    change(now, 3)
    assert sorted(read) == ["fixed", "part", "words.txt"]


def test_a_file_that_was_written_into_is_found_out(tmp_path: Path) -> None:
    first = publish(tmp_path / "x")
    os.utime(first.folder / "fixed")
    second = change(first, 1)  # read again, and found the same
    (first.folder / "below" / "words.txt").write_text("swore")
    with pytest.raises(ArtefactError, match=r"words\.txt: damaged"):
        change(second, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV])
def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    first = publish(tmp_path / "x")

    def refused(*paths: Path) -> None:
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", refused)
    second = change(first, 1)
    assert second.meta == {"value": 1}
    assert not {*first.seen.values()} & {*second.seen.values()}
    assert read_build(second.folder / "fixed") == second.build


@pytest.mark.parametrize("name", PARTS)
def test_files_of_two_generations_do_not_mix(tmp_path: Path, name: str) -> None:
    first = publish(tmp_path / "x")
    shutil.copytree(tmp_path / "x", tmp_path / "before")
    second = change(first, 1)
    strange = publish(tmp_path / "strange", 7)
    for source in (tmp_path / "before", strange.folder):
        if (source, name) == (tmp_path / "before", "fixed"):
            continue  # that one it is
        place = second.folder / name
        whole = place.read_bytes()
        place.unlink()
        shutil.copyfile(source / name, place)
        with pytest.raises(ArtefactError, match="checksum differs"):
            check(tmp_path / "x")
        # Whoever makes the checksums anew still has files of two builds.
        kept = {one: entry for one, entry in second.files.items() if one != name}
        kept[name] = {**second.files[name], "xxh3_128": file_digest(place)}
        manifest = (second.folder / MANIFEST).read_bytes()
        write_manifest(second.folder, kind=KIND, version=1, meta={}, build=second.build, kept=kept)
        with pytest.raises(ArtefactError, match="files of two builds do not mix"):
            check(tmp_path / "x")
        place.write_bytes(whole)
        (second.folder / MANIFEST).write_bytes(manifest)
    assert check(tmp_path / "x").build == second.build


def test_a_change_of_what_was_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    first = publish(tmp_path / "x")
    change(first, 1)
    with pytest.raises(InputError, match="another process has changed it since it was loaded"):
        change(first, 2)
    assert check(tmp_path / "x").meta == {"value": 1}


def fail_half_way(now: CheckedFolder) -> None:
    def write(scratch: Path) -> dict[str, int]:
        write_part(scratch / "part", 1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with changing(now.folder):
        publish_generation(now, write, kind=KIND, version=VERSION)


def test_a_failure_leaves_the_generation_that_was(tmp_path: Path) -> None:
    first = publish(tmp_path / "x")
    with pytest.raises(OSError, match="No space left"):
        fail_half_way(first)
    assert check(tmp_path / "x") == first
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_who_changes_waits_for_who_does(tmp_path: Path) -> None:
    """Also over an exchange: the lock is on the folder, and the second finds the first's."""
    publish(tmp_path / "x")
    waiting, done = threading.Event(), list[int]()

    def second() -> None:
        with changing(tmp_path / "x", waiting.set):
            done.append(check(tmp_path / "x").meta["value"])

    with changing(tmp_path / "x"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(20)
        now = check(tmp_path / "x")
        publish_generation(now, lambda scratch: {"value": 1}, kind=KIND, version=VERSION)
        assert done == []
    thread.join(20)
    assert done == [1]


def test_folders_that_cannot_be_changed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such folder"), changing(tmp_path / "none"):
        pass
    publish(tmp_path / "x")
    for refused in (
        tmp_path / "x",
        tmp_path,
    ):  # root may write anywhere: what the system would say is said for it

        def access(path: Path, mode: int, refused: Path = refused) -> bool:
            return path != refused

        monkeypatch.setattr(os, "access", access)
        with (
            pytest.raises(InputError, match=f"cannot be changed: {refused} may not"),
            changing(tmp_path / "x"),
        ):
            pass


def test_what_is_read_is_of_one_generation(tmp_path: Path) -> None:
    now, values = publish(tmp_path / "x"), iter(range(1, 4))

    def read() -> tuple[Any, Any]:
        """The manifest of one, and files of the next."""
        nonlocal now
        before = check(tmp_path / "x").meta["value"]
        if (value := next(values, None)) is not None:
            now = change(now, value)
        return before, check(tmp_path / "x").meta["value"]

    assert read_whole(tmp_path / "x", read) == (3, 3)


def test_an_error_of_a_folder_that_went_is_not_believed(tmp_path: Path) -> None:
    now, tries = publish(tmp_path / "x"), list[int]()

    def read() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            change(now, 5)
            raise ArtefactError("damaged")
        return int(check(tmp_path / "x").meta["value"])

    assert read_whole(tmp_path / "x", read) == 5
    assert tries == [0, 1]
    with pytest.raises(InputError, match="no such folder"):
        read_whole(tmp_path / "none", lambda: check(tmp_path / "none"))

    def fails() -> None:
        raise ArtefactError("truly damaged")

    with pytest.raises(ArtefactError, match="truly"):
        read_whole(tmp_path / "x", fails)


WRITER = """
import sys
from genret.artefact import publish_folder
for count in range(int(sys.argv[2])):
    with publish_folder(sys.argv[1], kind="thing", version=1, meta={"value": count}, overwrite=True) as scratch:
        (scratch / "value").write_text(str(count))
"""


def test_there_is_a_folder_at_every_moment(tmp_path: Path) -> None:
    """Two renames would leave moments without one: of these a reader that does nothing else finds some."""
    target = tmp_path / "x"
    publish(target)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target), "150"])
    looks = 0
    while writer.poll() is None:
        json.loads((target / MANIFEST).read_bytes())
        looks += 1
    assert writer.returncode == 0
    assert looks > 150


def test_where_there_is_no_exchange_the_old_folder_moves_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(tmp_path / "x")
    monkeypatch.setattr(artefact, "exchange", lambda one, other: False)
    assert change(first, 1).meta == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    publish(tmp_path / "x")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    change(check(tmp_path / "link"), 1)
    assert (tmp_path / "link").is_symlink()
    assert check(tmp_path / "x").meta == {"value": 1}
    with publish_folder(tmp_path / "link", kind=KIND, version=1, meta={}, overwrite=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "x"]
