"""Saved indexes: what was written comes back, the bytes repeat, and no damage goes unnoticed or crashes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from check import check_against_naive

from fm_index import ArtefactError, FMIndex, Profile

DOCUMENTS = [[3, 1, 2, 1], [], [1, 2, 1, 2, 1, 2, 4], [5] * 9, [1, 2]]
PROFILES: list[Profile] = ["fast", "compact"]
HERE = Path(__file__).parent


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mmap", [True, False])
def test_round_trip(tmp_path: Path, profile: Profile, mmap: bool) -> None:
    path = tmp_path / "index.fmi"
    index = FMIndex.from_documents(DOCUMENTS, profile=profile)
    index.save(path)
    first = path.read_bytes()
    FMIndex.from_documents(DOCUMENTS, profile=profile).save(path)
    assert path.read_bytes() == first
    again = FMIndex.load(path, mmap=mmap, verify="full", threads=2)
    assert (again.threads, again.profile, again.nbytes) == (2, profile, index.nbytes)
    check_against_naive(again, DOCUMENTS)


@pytest.fixture(scope="module", params=PROFILES)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "index.fmi"
    FMIndex.from_documents([[1, 2, 1], [2]], profile=request.param).save(path)
    return path.read_bytes()


def rejected(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    try:
        FMIndex.load(path, verify="full")
    except ArtefactError:
        return True
    return False


def test_every_truncation_is_rejected(small: bytes, tmp_path: Path) -> None:
    assert all(rejected(tmp_path / "cut", small[:length]) for length in range(len(small)))
    assert rejected(tmp_path / "cut", small + b"\0")


def test_every_changed_byte_is_rejected(small: bytes, tmp_path: Path) -> None:
    for place in range(len(small)):
        changed = bytearray(small)
        changed[place] ^= 1 + place % 255
        assert rejected(tmp_path / "changed", bytes(changed)), place


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"hello, this is some other file altogether", "not a fm_index file")],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=message):
        FMIndex.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no-such"):
        FMIndex.load(tmp_path / "no-such")


def fuzz(profile: Profile, mutations: int, seed: int, tmp_path: Path) -> None:
    """Mutates files in a child process and queries what loads; any signal, hang or crash fails."""
    command = [sys.executable, str(HERE / "fuzz_files.py"), profile, str(mutations), str(seed), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert f"{mutations} mutations" in done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_mutated_files_never_crash(profile: Profile, tmp_path: Path) -> None:
    fuzz(profile, 600, 1, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(5))
def test_many_mutated_files_never_crash(profile: Profile, seed: int, tmp_path: Path) -> None:
    fuzz(profile, 5000, 100 + seed, tmp_path)


def test_loading_does_not_depend_on_the_size(tmp_path: Path) -> None:
    tokens = np.random.default_rng(1).integers(0, 500, 1_000_000)
    FMIndex.build(tokens, [0, len(tokens)]).save(tmp_path / "index.fmi")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        FMIndex.load(tmp_path / "index.fmi")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.fmi"
    FMIndex.from_documents(DOCUMENTS).save(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        FMIndex.from_documents([[1]]).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["index.fmi"]
