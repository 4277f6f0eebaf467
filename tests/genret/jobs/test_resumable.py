"""Plans, parts and shards: a job goes on only with the same plan, and every position has one place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.errors import ArtefactError, InputError
from genret.jobs.resumable import PLAN, Parts, begin, check_same, fingerprint
from genret.jobs.shards import Shard

JOB = {"model": "a", "k": 3, "sizes": {"one": [1, 2]}}


@given(st.integers(0, 200), st.integers(1, 50), st.integers(1, 7))
def test_shards_share_every_position_once(total: int, size: int, count: int) -> None:
    parts = Parts(total, size)
    shares = [parts.of(Shard(index, count)) for index in range(count)]
    assert sorted(part for share in shares for part in share) == list(range(len(parts)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [row for part in range(len(parts)) for row in parts.rows(part)] == list(range(total))
    assert all(parts.rows(part) for part in range(len(parts)))


def test_a_job_is_begun_once_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "job"
    assert not begin(folder, JOB, otherwise="choose another")
    assert begin(folder, JOB, otherwise="choose another")
    # Values that JSON knows only by other types are the same plan.
    assert begin(folder, {**JOB, "sizes": {"one": (1, 2)}}, otherwise="choose another")


def test_another_plan_is_refused_by_what_differs(tmp_path: Path) -> None:
    begin(tmp_path, JOB, otherwise="choose another folder")
    with pytest.raises(
        InputError, match=r"\(k was 3 and is 4, seed was None and is 1\); choose another folder\.$"
    ):
        begin(tmp_path, {**JOB, "k": 4, "seed": 1}, otherwise="choose another folder")
    with pytest.raises(InputError, match="model was 'a' and is None"):
        begin(tmp_path, {"k": 3, "sizes": {"one": [1, 2]}}, otherwise="choose another folder")
    # What was refused has changed nothing.
    assert begin(tmp_path, JOB, otherwise="")


def test_a_difference_inside_is_named_by_its_path() -> None:
    with pytest.raises(InputError, match=r"\(a\.b\.c was 1 and is 2\)"):
        check_same({"a": {"b": {"c": 1, "d": 0}}}, {"a": {"b": {"c": 2, "d": 0}}}, "there", otherwise="stop")


def test_many_differences_are_not_listed_whole() -> None:
    with pytest.raises(InputError, match=r"a0 was 0 .*, \.\.\.\)"):
        check_same({f"a{n}": n for n in range(9)}, {}, "there", otherwise="stop")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"plan": 1}', b"\xff", b"[" * 10_000])
def test_a_damaged_plan_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PLAN).write_bytes(content)
    with pytest.raises(ArtefactError, match=PLAN):
        begin(tmp_path, JOB, otherwise="")


def test_a_plan_that_was_changed_is_named(tmp_path: Path) -> None:
    begin(tmp_path, JOB, otherwise="")
    stored = json.loads((tmp_path / PLAN).read_bytes())
    stored["plan"]["k"] = 4
    (tmp_path / PLAN).write_text(json.dumps(stored))
    with pytest.raises(ArtefactError, match="fingerprint"):
        begin(tmp_path, {**JOB, "k": 4}, otherwise="")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        begin(tmp_path / "file", JOB, otherwise="")


def test_a_fingerprint_knows_values_and_not_their_order() -> None:
    assert fingerprint(JOB) == fingerprint(dict(reversed(JOB.items())))
    assert fingerprint(JOB) != fingerprint({**JOB, "k": 4})
