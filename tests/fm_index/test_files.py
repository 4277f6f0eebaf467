"""Saved indexes: what was written comes back, the bytes repeat, and no damage goes unnoticed or crashes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from check import check_against_naive
from fuzz_files import make

from fm_index import ArtefactError, FMIndex, Profile
from fm_index.container import read_container, write_container

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
    """Thirty times as many tokens take less than ten times as long, on the same machine, at the best of ten."""
    seconds = []
    for size in (30_000, 900_000):
        path = tmp_path / str(size)
        FMIndex.build(np.random.default_rng(1).integers(0, 500, size), [0, size]).save(path)
        times = []
        for _ in range(10):
            start = time.perf_counter()
            FMIndex.load(path)
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
    assert seconds[1] < 10 * seconds[0]


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


@pytest.fixture(scope="module", params=PROFILES)
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for several lines, buckets, hints and samples, and for stored contexts."""
    path = tmp_path_factory.mktemp("large") / "index.fmi"
    make(request.param, path)
    return path


def answers(index: FMIndex) -> list[np.ndarray]:
    """What the index says of every row, and of ranges narrow and wide."""
    rows = np.arange(index.num_rows)
    lo, hi = rows[::7], np.minimum(rows[::7] + 5_000, index.num_rows)
    found = [*index.successors(lo[::50], hi[::50]), *index.successors([0], [index.num_rows])]
    for token in range(0, index.vocab_size, 9):
        found += index.step(lo, hi, np.full(len(lo), token))
    return [*found, index.locate(rows), index.documents_of(rows), index.extract_many(range(200))[1]]


def test_a_changed_number_behind_right_checksums_is_refused_or_changes_no_answer(
    large: Path, tmp_path: Path
) -> None:
    """The native check, beside what the index answers with that number; most of all numbers count."""
    stored, random = read_container(large, kind="fm_index", version=99), np.random.default_rng(5)
    expected, refused, total = answers(FMIndex.load(large, verify="full")), 0, 0
    for name in [name for name, array in stored.arrays.items() if array.size]:
        for _ in range(6):
            arrays = dict(stored.arrays) | {name: stored.arrays[name].copy()}
            place = random.integers(0, arrays[name].size)
            arrays[name][place] += arrays[name].dtype.type(random.choice([1, 2, 64]))
            write_container(tmp_path / "x", kind="fm_index", version=2, meta=stored.meta, arrays=arrays)
            total += 1
            try:
                index = FMIndex.load(tmp_path / "x", verify="full")
            except ArtefactError:
                refused += 1
                continue
            for one, other in zip(answers(index), expected, strict=True):
                # A token of the alphabet exchanged for another is a valid value; nothing else is.
                assert name == "alphabet" or np.array_equal(one, other), name
    assert refused > 0.8 * total
