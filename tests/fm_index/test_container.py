"""The container file: what is written comes back, damage is named, writing is all or nothing."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fm_index.container import ArtefactError, atomic_writer, read_container, write_container

DTYPES = st.sampled_from(["?", "u1", "<u2", "<i4", "<i8", "<u8", "<f4", "<f8"])
arrays = st.dictionaries(
    st.text(max_size=8),
    DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(arrays=arrays, meta=st.dictionaries(st.text(), st.integers(-5, 5)), mmap=st.booleans())
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any], meta: dict[str, int], mmap: bool
) -> None:
    path = tmp_path_factory.mktemp("container") / "file"
    write_container(path, kind="test", version=3, meta=meta, arrays=arrays)
    found = read_container(path, kind="test", version=3, mmap=mmap, verify="full")
    assert (found.kind, found.version, found.meta) == ("test", 3, meta)
    assert list(found.arrays) == list(arrays)
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)
        assert not found.arrays[name].flags.writeable


def test_a_truth_value_is_true_or_false(tmp_path: Path) -> None:
    """Another byte would count as true in some of numpy's operations and as itself in others."""
    flags = np.array([0, 1, 2], np.uint8).view(np.bool_)
    write_container(tmp_path / "file", kind="test", version=1, meta={}, arrays={"flags": flags})
    with pytest.raises(ArtefactError, match="section 'flags' holds neither true nor false"):
        read_container(tmp_path / "file", kind="test", version=1, verify="full")


def crafted(path: Path, header: object, payload: bytes = bytes(64)) -> None:
    """A file with a right checksum over any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    prefix = struct.pack("<8sII", b"GENRETCF", 1, len(text)) + text
    content = prefix + xxhash.xxh3_128_digest(prefix)
    content += bytes(-len(content) % 64) + payload
    path.write_bytes(content + struct.pack("<8sQ", b"GENRETND", len(content) + 16))


def section(**changes: object) -> dict[str, object]:
    plain = {"name": "a", "dtype": "<u8", "shape": [2], "offset": 0, "xxh3_128": "0" * 32}
    return {"kind": "test", "version": 1, "meta": {}, "sections": [plain | changes]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (section(dtype="O"), "does not write"),
        (section(dtype="nonsense"), "does not write"),
        (section(dtype=None), "truncated|does not write|checksum"),
        (section(shape=[-1]), "does not write"),
        (section(shape=[2**61, 8]), "ends outside"),
        (section(shape=[9]), "ends outside"),
        (section(offset=-64), "does not write"),
        (section(offset=64), "does not write"),
        (section(name=5), "does not write"),
        ({"kind": "test"}, "cannot be understood"),
        ([1, 2], "cannot be understood"),
        (b"{", "cannot be understood"),
        (section() | {"version": "1"}, "does not write"),
        (section() | {"version": 2}, "install a newer version"),
        (section() | {"kind": "other"}, "holds a other, expected a test"),
        (section(), "checksum of section 'a'"),
    ],
)
def test_crafted_headers(tmp_path: Path, header: object, message: str) -> None:
    crafted(tmp_path / "file", header)
    with pytest.raises(ArtefactError, match=message):
        read_container(tmp_path / "file", kind="test", version=1, verify="full")


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.array([1j])])
def test_other_dtypes_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="section 'a'"):
        write_container(tmp_path / "file", kind="test", version=1, meta={}, arrays={"a": array})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def write_and_fail() -> None:
        with atomic_writer(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_a_regular_file_is_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "there"
    make(path)
    before = path.stat().st_mode
    with (
        pytest.raises(ArtefactError, match="something else than a regular file is there"),
        atomic_writer(path),
    ):
        raise AssertionError("the work began")
    assert path.stat().st_mode == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match=r"No space left.*there"), atomic_writer(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
