"""What a file is, told from its bytes: read whatever its name, or named with what to do, and never a hang."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import Passage, read_judgements, read_passages, read_queries, read_run
from genret.corpus.formats.content import compression, foreign
from genret.corpus.labels import read_labels
from genret.errors import InputError

LINE = '{"_id": "1", "title": "Café", "text": "first text"}\n'
PASSAGE = Passage("1", "Café", "first text")


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("corpus.jsonl"))
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("corpus.jsonl", LINE)
    return stream.getvalue()


def array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


NAMED = {
    "utf-16 with a mark": (LINE.encode("utf-16"), r"text in UTF-16, .*iconv -f UTF-16 -t UTF-8 FILE > COPY"),
    "utf-16-be with a mark": (b"\xfe\xff" + LINE.encode("utf-16-be"), "text in UTF-16,"),
    "utf-16-le": (LINE.encode("utf-16-le"), "text in UTF-16LE"),
    "utf-16-be": (LINE.encode("utf-16-be"), "text in UTF-16BE"),
    "utf-16-le, japanese": ('{"_id": "1", "text": "日本語の文章です。"}\n'.encode("utf-16-le"), "text in UTF-16LE"),
    "utf-32 with a mark": (LINE.encode("utf-32"), "text in UTF-32,"),
    "utf-32-be with a mark": (b"\0\0\xfe\xff" + LINE.encode("utf-32-be"), "text in UTF-32,"),
    "utf-32-le": (LINE.encode("utf-32-le"), "text in UTF-32LE"),
    "utf-32-be": (LINE.encode("utf-32-be"), "text in UTF-32BE"),
    "latin-1": (LINE.encode("latin-1"), r"line 1: not UTF-8 at byte 27 .*'\\xe9' in Latin-1 or Windows-1252"),
    "cut inside a character": (LINE.encode()[:27], "line 1: not UTF-8 .* a character is cut off"),
    "another encoding": (b'{"_id": "1\x81"}\n', "in another encoding or damaged"),
    "xz": (lzma.compress(LINE.encode()), r"compressed by xz, no text; unpack a copy \(xz -dc FILE > COPY\)"),
    "bzip2": (bz2.compress(LINE.encode()), "compressed by bzip2"),
    "lzma": (lzma.compress(LINE.encode(), format=lzma.FORMAT_ALONE), "compressed by lzma"),
    "gzip in gzip": (gzip.compress(gzip.compress(LINE.encode())), "compressed twice, by gzip inside"),
    "xz in zstandard": (zstandard.compress(lzma.compress(LINE.encode())), "compressed by xz"),
    "a zip archive": (zipped(), r"a zip archive, no text; give it a name that ends in \.zip"),
    "tar": (tar(), "a tar archive"),
    "tar.gz": (gzip.compress(tar()), "a tar archive"),
    "parquet": (b"PAR1\x15\x04\x15", r"a Parquet table, .* where its name ends in \.parquet"),
    "arrow": (b"ARROW1\0\0", "an Arrow table"),
    "pickle": (pickle.dumps([LINE]), "a Python pickle, no text; nothing is read from pickles"),
    "an array": (array(), "a NumPy array"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    "sqlite": (b"SQLite format 3\0", "an SQLite database"),
    "a page of a failed download": (b"<!DOCTYPE html>\n<html>", "an HTML page"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a pointer of Git LFS"),
    "lines that end in CR": (LINE.replace("\n", "\r").encode() * 3, "lines end in CR alone"),
    "a NUL in a text": (LINE.replace("first", "fi\0st").encode() * 20, "line 1: a NUL at byte"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(NAMED))
@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_what_is_no_text_is_named(case: str, name: str, tmp_path: Path) -> None:
    content, message = NAMED[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        list(read_passages(tmp_path))
    assert "remove" not in str(raised.value).lower()
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "corpus.txt"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_the_content_says_how_a_file_is_compressed(name: str, compress, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(compress(LINE.encode()))
    assert list(read_passages(path)) == [PASSAGE]


def test_a_skippable_frame_begins_a_zstandard_file(tmp_path: Path) -> None:
    assert compression(b"\x50\x2a\x4d\x18\x04\0\0\0abcd") == "zstandard"
    assert compression(b"P*M") is None


def test_a_name_that_promises_another_content_is_told(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(LINE.encode("latin-1"))
    with pytest.raises(InputError, match=r"its name ends in \.gz, but its content does not begin so"):
        list(read_passages(path))


@given(text=st.text(st.characters(blacklist_characters="\0\r", codec="utf-8"), max_size=200))
def test_text_in_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    assert compression(f"1\t{text}".encode()) is None
    assert foreign(f"1\t{text}".encode()) is None


@given(
    text=st.text(
        st.characters(min_codepoint=0x3040, max_codepoint=0x9FFF, categories=["L"]), min_size=1, max_size=60
    )
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_an_encoding_without_a_mark_is_told_in_any_language(encoding: str, text: str) -> None:
    found = foreign(f'{{"_id": "a", "text": "{text}"}}\n'.encode(encoding))
    assert found is not None
    assert encoding.replace("-le", "LE").replace("-be", "BE").upper() in found


@pytest.mark.parametrize("read", [read_passages, read_queries, read_judgements, read_run])
def test_a_pipe_is_refused_and_not_waited_for(read, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe or a device; files are read more than once"):
        list(read(tmp_path / "pipe"))
    with pytest.raises(InputError, match="a pipe or a device"):
        list(read("/dev/null"))
    with pytest.raises(InputError, match="a pipe or a device"):
        read_labels(tmp_path / "pipe", ["a"])


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_folders_file_that_is_none_is_not_opened(make, tmp_path: Path) -> None:
    make(tmp_path / "corpus.jsonl")
    with pytest.raises(InputError, match=r"no corpus\.jsonl"):
        list(read_passages(tmp_path))
