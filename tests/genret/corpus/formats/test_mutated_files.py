"""Files of every format with bytes changed, lines exchanged and values swapped: a sentence or a content, no crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from format_samples import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import conversion, read_judgements, read_passages, read_queries, read_questions, read_run
from genret.corpus.formats import registry
from genret.corpus.formats.datafile import DataFile
from genret.corpus.sources import Source
from genret.errors import InputError

TEXTS = {name: content for name, (content, _) in SAMPLES.items() if isinstance(content, str)}
# What values of foreign files are: of another type, too large, too deep, not printable.
VALUES = [
    None, True, -1, 0, 1.0, 1e400, float("nan"), 10**400, "", " ", "\ud800", "\0", "\u2028", [], {}, [None], [[]],
    [{}], [""], [1], {"a": {}}, "x\ty", '"', "<none>",
]  # fmt: skip
BYTES = [
    b"\0", b"\xff", b"\xfe", b"\xe9", b"\t", b"\n", b"\r", b"\r\n", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":",
    b"\\ud800", b"\\", b"NaN", b"Infinity", b"1e999", b"\xef\xbb\xbf", b"\x1f\x8b", b"PK\x03\x04", b"\xe2\x80\xa8",
    b"[" * 3000, b"9" * 5000,
]  # fmt: skip


def mutated(draw: Callable[..., Any], data: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 6)))
        data = data[:begin] + draw(st.sampled_from(BYTES)) + data[end:]
    return data


def exchanged(draw: Callable[..., Any], content: Any) -> Any:
    """A value somewhere inside becomes another one."""
    if isinstance(content, dict) and content and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(content)))
        return {**content, name: exchanged(draw, content[name])}
    if isinstance(content, list) and content and draw(st.booleans()):
        place = draw(st.integers(0, len(content) - 1))
        return [*content[:place], exchanged(draw, content[place]), *content[place + 1 :]]
    return draw(st.sampled_from(VALUES))


@st.composite
def files(draw: Callable[..., Any]) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(TEXTS)))
    text = TEXTS[name]
    if text[0] in "{[" and name != "json-corpus" and draw(st.booleans()):
        if text[0] == "[":
            return name, json.dumps(exchanged(draw, json.loads(text))).encode()
        rows = [json.loads(line) for line in text.split("\n") if line]
        place = draw(st.integers(0, len(rows) - 1))
        rows[place] = exchanged(draw, rows[place])
        return name, "\n".join(json.dumps(row) for row in rows).encode()
    return name, mutated(draw, text.encode())


def outcomes(path: Path, name: str) -> Iterator[Callable[[], Any]]:
    file = DataFile(path)
    yield lambda: list(registry.find_format(name).read(file))
    yield lambda: conversion.problems([Source(file, name)])
    yield lambda: registry.detect(file)
    for read in (read_passages, read_queries, read_questions, read_judgements, read_run):
        yield lambda read=read: list(read(path))  # type: ignore[misc]
    for target, one in registry.FORMATS.items():
        if one.kind == registry.FORMATS[name].kind and one.write is not None:
            yield lambda target=target: converted(file, name, target)  # type: ignore[misc]


def converted(file: DataFile, name: str, target: str) -> None:
    """What could be written can be read."""
    out = file.path.with_name("out")
    conversion.convert([Source(file, name)], out, target)
    try:
        list(registry.find_format(target).read(DataFile(out)))
    except InputError as error:
        raise AssertionError(f"written as {target} and not read again") from error


@settings(max_examples=250, deadline=None)
@given(case=files())
def test_a_changed_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, bytes]
) -> None:
    name, content = case
    path = tmp_path_factory.mktemp("changed") / "x"
    path.write_bytes(content)
    for outcome in outcomes(path, name):
        with suppress(InputError):
            outcome()
