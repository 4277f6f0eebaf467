"""Parts in a folder: whole or not there, of one plan, in their place; damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import ArtefactError, InputError
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import PLAN, Parts
from genret.jobs.shards import Shard


def ledger(folder: Path, total: int = 5, size: int = 2, plan: str = "a") -> Ledger:
    return Ledger.begin(folder, {"model": plan}, Parts(total, size), otherwise="choose another folder")


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=80) | st.text().map(str.encode) | st.just(b'{"xxh3_128": "a"}\n'))
def test_any_bytes_come_back(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    one = ledger(tmp_path_factory.mktemp("job"))
    one.write(1, data)
    assert one.read(1) == data
    assert one.is_done(1)
    assert one.missing() == [0, 2]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    one = ledger(tmp_path_factory.mktemp("job"))
    one.write(0, b"first\nsecond")
    content = bytearray(Path(one.where(0)).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    Path(one.where(0)).write_bytes(content)
    try:
        found = one.read(0)
    except ArtefactError:
        return
    # Of the seal's names and of what is between them, not every change matters.
    assert found == b"first\nsecond"
    assert place > len(found)


@pytest.mark.parametrize("kept", range(0, 120, 7))
def test_a_part_that_was_cut_off_is_noticed(kept: int, tmp_path: Path) -> None:
    one = ledger(tmp_path)
    one.write(0, b"first\nsecond\n")
    content = Path(one.where(0)).read_bytes()
    Path(one.where(0)).write_bytes(content[:kept])
    with pytest.raises(ArtefactError, match="part-000000"):
        one.read(0)


def test_parts_of_other_jobs_and_places_are_noticed(tmp_path: Path) -> None:
    one, other = ledger(tmp_path / "one"), ledger(tmp_path / "other", plan="b")
    one.write(0, b"x\n")
    one.write(1, b"x\n")
    other.write(1, b"x\n")
    Path(one.where(2)).write_bytes(Path(one.where(0)).read_bytes())
    Path(one.where(1)).write_bytes(Path(other.where(1)).read_bytes())
    for part in (1, 2):
        with pytest.raises(ArtefactError, match="of another job, or another part"):
            one.read(part)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    one = ledger(tmp_path, total=100, size=1)
    for part in (1, 2, 99):
        one.write(part, b"")
    with pytest.raises(
        InputError, match=r"97 of 100 parts are missing \(0, 3, 4, 5, 6, \.\.\.\); run the job"
    ):
        list(one)
    assert one.missing(Shard(1, 49)) == [50]


def test_parts_without_seals_are_read_where_the_plan_has_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"model": "a"}))
    one = ledger(tmp_path)
    Path(one.where(0)).write_text('{"a": 1}\n{"a": 2}\n')
    assert one.read(0) == b'{"a": 1}\n{"a": 2}\n'
    one.write(1, b"later\n")
    assert one.read(1) == b"later\n"
    other = ledger(tmp_path / "new")
    Path(other.where(0)).write_text('{"a": 1}\n{"a": 2}\n')
    with pytest.raises(ArtefactError, match="part-000000"):
        other.read(0)


def test_one_process_at_a_share(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    with (
        one.alone(Shard(0, 2)),
        one.alone(Shard(1, 2)),
        pytest.raises(InputError, match="another process is at the same work"),
        one.alone(Shard(0, 2)),
    ):
        pass
    with one.alone(Shard(0, 2)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [PLAN]


def test_a_worker_that_sees_another_folder_says_so(tmp_path: Path) -> None:
    one = ledger(tmp_path / "one")
    one.check_here()
    elsewhere = Ledger(tmp_path / "empty", one.plan, one.parts)
    with pytest.raises(InputError, match=r"a worker sees no plan\.json there"):
        elsewhere.check_here()
    ledger(tmp_path / "other", plan="b")
    with pytest.raises(InputError, match="model was 'b' and is 'a'"):
        Ledger(tmp_path / "other", one.plan, one.parts).check_here()
