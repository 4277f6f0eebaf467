"""Parts on file systems without a rename: there when they are whole, the same bytes, whatever was cut off."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest
from command_line import genret
from counting import EXPECTED, Counting, begun, counting_job, killed_and_started_again, result
from every_job import JOBS, long_job
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import Passage, PassageStore
from genret.corpus.shared_store import SharedStore
from genret.errors import ArtefactError, InputError, UsageError
from genret.jobs.job import HERE
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import PLAN, Parts
from genret.jobs.storage import beside, storage_of
from genret.jobs.worker_processes import WorkerProcesses
from genret.retrieval.docids import GenerativeRetriever


def in_memory() -> str:
    """A place that no other test has; it is this process's alone."""
    return f"memory://{uuid.uuid4()}/job"


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place of each kind."""
    if request.param == "memory://":
        return in_memory()
    return f"{request.param.removeprefix('folder')}{tmp_path}/job"


def test_a_job_leaves_the_same_bytes_wherever_its_parts_are(place: str, tmp_path: Path) -> None:
    job = counting_job(place, Counting(tmp_path / "log"))
    HERE.run(job)
    HERE.run(job)
    assert result(job) == EXPECTED
    assert set(begun(tmp_path / "log").values()) == {1}
    folder = counting_job(tmp_path / "other", Counting(tmp_path / "log"))
    HERE.run(folder)
    for name in folder.ledger.storage.names():
        assert job.ledger.storage.read(name) == folder.ledger.storage.read(name)
    with pytest.raises(InputError, match="what was 'squares' and is 'cubes'"):
        counting_job(place, Counting(tmp_path / "log"), plan="cubes")
    job.ledger.clear()
    assert job.ledger.storage.names() == set()
    job.ledger.clear()


def ledger(place: str) -> Ledger:
    return Ledger.begin(place, {"model": "a"}, Parts(3, 1), otherwise="choose another")


@given(data=st.binary(max_size=60), cut=st.floats(0, 1, exclude_max=True))
def test_a_part_that_was_cut_off_is_not_done_and_is_written_again(data: bytes, cut: float) -> None:
    one = ledger(in_memory())
    one.write(1, data)
    assert one.missing() == [0, 2]
    assert one.read(1) == data
    whole = one.storage.read(one.name(1))
    one.storage.write(one.name(1), [whole[: int(cut * len(whole))]])
    assert one.missing() == [0, 1, 2]
    assert not one.is_done(1)
    one.write(1, data)
    assert one.missing() == [0, 2]
    assert one.read(1) == data


@given(place=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_changed_byte_is_refused_or_makes_the_part_missing(place: int, bit: int) -> None:
    one = ledger(in_memory())
    one.write(0, b"first\nsecond\n")
    content = bytearray(one.storage.read(one.name(0)))
    content[place % len(content)] ^= 1 << bit
    one.storage.write(one.name(0), [bytes(content)])
    if not one.is_done(0):
        return
    try:
        # Of the seal's names and of what is between them, not every change matters.
        assert one.read(0) == b"first\nsecond\n"
    except ArtefactError as error:
        assert "part-000000" in str(error)  # noqa: PT017 - either is right
    one.remove(0)
    assert one.missing() == [0, 1, 2]


def test_a_killed_driver_goes_on_where_there_is_no_rename(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    killed_and_started_again(url, WorkerProcesses(2), seconds=0.05, until=3, settling=0.3, logs=tmp_path)


@pytest.mark.parametrize("name", [name for name in JOBS if name != "study"])
def test_commands_keep_their_parts_where_they_are_told(
    name: str, tiny_retriever: GenerativeRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = long_job(name, tmp_path, tiny_retriever)
    job.run(monkeypatch, tmp_path / "one")
    url = in_memory()
    # A job of one part is left to the second call.
    job.run(monkeypatch, tmp_path / "many", "--shard", "1/2", "--parts", url)
    storage = storage_of(url)
    assert PLAN in storage.names()
    assert not list(tmp_path.glob("many*/**/part-*"))
    job.run(monkeypatch, tmp_path / "many", "--shard", "0/2", "--parts", url)
    if job.merge is not None:
        assert genret(monkeypatch, "merge", tmp_path / "many", "--parts", url, *job.merge) == 0
    assert job.contents(tmp_path / "many") == job.contents(tmp_path / "one") != {}
    assert storage.names() == set()


def test_a_corpus_is_shared_through_a_place(place: str) -> None:
    store = PassageStore.build([Passage("a", "b", "c")])
    make, arguments = SharedStore(store, place).__reduce__()
    again = make(*arguments)
    assert list(again()) == list(store)
    assert storage_of(place).names() == {"passages.bin"}
    again.remove()
    assert storage_of(place).names() == set()


@pytest.mark.parametrize(("url", "words"), [("nosuch://x/y", "nosuch"), ("hdfs2://x", "hdfs2")])
def test_an_unknown_file_system_is_a_sentence(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}.*expected a URL of a file system that fsspec knows"):
        storage_of(url)


def test_what_a_file_system_raises_names_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = storage_of(in_memory())

    def broken(*_: object, **__: object) -> bytes:
        raise KeyError("token expired")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "pipe_file", broken)
    with pytest.raises(OSError, match=r"memory://.*/job/x: 'token expired'"):
        storage.write("x", [b""])


def test_what_is_beside_a_place() -> None:
    assert str(beside("s3://a/b/", "c")) == "s3://a/b/c"
    assert beside("a/b", "c") == Path("a/b/c")
