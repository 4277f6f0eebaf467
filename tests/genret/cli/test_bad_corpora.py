"""Corpora that cannot be read as they stand: a sentence that names the place and says what to do, and nothing written."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
import zstandard
from command_line import genret
from pyarrow import parquet

CSV = "id,title,text\n1,A,a\n2,B,b\n"
ROW = '{"id": "1", "title": "A", "text": "a"}\n'


def table(**columns: list[object]) -> bytes:
    place = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), place)
    return place.getvalue()


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


# Files, arguments (one file: its name), and what the sentence says beside the file's name.
Case = tuple[dict[str, str | bytes], list[str], str]
CASES: dict[str, Case] = {
    # ---- columns
    "csv: more columns than the header": ({"a.csv": CSV + "3,C,c,d\n"}, [], "line 4: expected 3 columns (id, title, text), found 4"),
    "csv: fewer columns": ({"a.csv": CSV + "3,C\n"}, [], "line 4: expected 3 columns (id, title, text), found 2"),
    "csv: after a row of several lines": ({"a.csv": CSV + '3,C,"x\n\ny"\n4,D\n'}, [], "line 7: expected 3 columns"),
    "csv: a quote without end": ({"a.csv": CSV + '3,"C,c\n4,D,d\n'}, [], "line 4: the row that begins here is no CSV"),
    "csv: text behind a quote": ({"a.csv": CSV + '3,"C"c,d\n'}, [], "line 4: the row that begins here is no CSV"),
    "csv: a column twice": ({"a.csv": "id,text,text\n1,a,b\n"}, [], "line 1: the header names the column 'text' twice"),
    "csv: no such column": ({"a.csv": CSV}, ["--text", "body"], "line 1: no field 'body', which --text names"),
    "csv: no text": ({"a.csv": "id,words\n1,a\n"}, [], "line 1: no field is the text"),
    "csv: two texts": ({"a.csv": "id,body,content\n1,a,b\n"}, [], "'body' and 'content' could each be the text; name one with --text"),
    "csv: an id twice": ({"a.csv": CSV + "1,C,c\n"}, [], "line 4, field 'id': '1' stands on line 2 already"),
    "csv: an empty id": ({"a.csv": CSV + ",C,c\n"}, [], "line 4, field 'id'"),
    "csv: a blank passage": ({"a.csv": CSV + "3,,\n"}, [], "line 4: passage '3' has neither title nor text; give it one"),
    "csv: a header only": ({"a.csv": "id,title,text\n"}, [], "it has no passage"),
    "csv: nothing": ({"a.csv": ""}, [], "it is empty"),
    "csv: Latin-1": ({"a.csv": CSV.encode() + b"3,C,caf\xe9\n"}, [], "line 4: not UTF-8 at byte 8 of the line (0xe9)"),
    "csv: a NUL": ({"a.csv": CSV + "3,C,\0\n"}, [], "line 4: a NUL at byte 5"),
    "csv: UTF-16": ({"a.csv": CSV.encode("utf-16")}, [], "text in UTF-16, where UTF-8 is read"),
    "tsv: a column too few": ({"a.tsv": "id\ttext\tyear\n1\ta\t1\n2\tb\n"}, [], "line 3: expected 3 columns (id, text, year), found 2"),
    # ---- JSON
    "json: cut": ({"a.json": '[{"id": "1", "text": "a"}, {"id'}, [], "not JSON"),
    "json: nested arrays": ({"a.json": '[[{"id": "1", "text": "a"}]]'}, [], "record 1: expected an object with fields, found [{"),
    "json: strings in an array": ({"a.json": '[\n"a"]'}, [], "record 1: expected an object with fields, found 'a'"),
    "json: records below": ({"a.json": '{"v": 1,\n"docs": [{"id": "1", "text": "a"}]}'}, [], "write what stands under 'docs' into a file of its own"),
    "json: a text that is a number": ({"a.json": '[\n{"id": "1", "text": "a"}, {"id": "2", "text": 3}]'}, [], "record 2, field 'text': expected a string, found 3"),
    "json: an id that is a list": ({"a.json": '[\n{"id": [1], "text": "a"}]'}, [], "record 1, field 'id': expected a string, found [1]"),
    "json: no id in one": ({"a.json": '[\n{"id": "1", "text": "a"}, {"text": "b"}]'}, [], "record 2, field 'id': missing"),
    "json: an empty array": ({"a.json": "[\n]"}, [], "it has no passage"),
    "json: too deep": ({"a.json": "[\n" + "[" * 100_000}, [], "not JSON (nested too deeply)"),
    "jsonl: a path that leads nowhere": ({"a.jsonl": ROW}, ["--text", "body.content"], "line 1: no field 'body.content', which --text names"),
    "jsonl: a line of another kind": ({"a.jsonl": ROW + "[1]\n"}, [], "line 2: expected a JSON object, found [1]"),
    "jsonl: a field of two types": ({"a.jsonl": '{"id": "1", "text": "a", "year": 1}\n{"id": "2", "text": "b", "year": "1"}\n'}, ["--check"], "a.jsonl, line 2: passage '2' (number 1), field 'year': expected a whole number"),
    "jsonl: no end of a number": (
        {"a.jsonl": '{"id": "1", "text": "a", "x": NaN}\n{"id": "2", "text": "a", "x": -1e999}\n'},
        [],
        "line 2, field 'x': expected a number, found -inf",
    ),
    "jsonl: the field of the way back": ({"a.jsonl": '{"id": "1", "text": "a", "section": "x"}\n'}, ["--split", "words:9"], "document '1': it has a field 'section'"),
    # ---- compressed, and tables
    "gzip: cut": ({"a.csv.gz": cut(gzip.compress((CSV + "x" * 999).encode()))}, [], "the compressed data is damaged or cut short"),
    "gzip: in name only": ({"a.csv.gz": CSV.encode() + b"3,C,caf\xe9\n"}, [], "its name ends in .gz, but its content does not begin so"),
    "zstandard: cut": ({"a.jsonl.zst": cut(zstandard.compress(os.urandom(99).hex().encode()))}, [], "the compressed data is damaged or cut short"),
    "gzip: twice": ({"a.csv.gz": gzip.compress(gzip.compress(CSV.encode()))}, [], "data compressed twice"),
    "parquet: cut": ({"a.parquet": cut(table(id=["1"], text=["a"]))}, [], "damaged, or no table of Arrow's"),
    "parquet: no text": ({"a.parquet": table(id=["1"], words=["a"])}, [], "row 1: no field is the text"),
    "parquet: an id twice": ({"a.parquet": table(id=["1", "1"], text=["a", "b"])}, [], "row 2, field 'id': '1' stands on row 1 already"),
    "arrow: no table": ({"a.arrow": "id,text\n"}, [], "damaged, or no table of Arrow's"),
    # ---- documents
    "markdown: Latin-1": ({"a.md": b"# A\n\ncaf\xe9\n"}, [], "line 3: not UTF-8 at byte 4 of the line (0xe9)"),
    "markdown: front matter": ({"a.md": "---\ntitle: a: b\n---\ntext\n"}, [], "front matter: not valid YAML"),
    "markdown: TOML": ({"a.md": "+++\ntitle = a\n+++\ntext\n"}, [], "front matter: not valid TOML"),
    "markdown: too deep": ({"a.md": ">" * 500 + " x\n"}, [], "blocks are nested deeper than 100 levels"),
    "markdown: nothing": ({"a.md": "\n \n"}, [], "it has no text"),
    "text: binary": ({"a.txt": b"a\0b\n"}, [], "line 1: a NUL at byte 2"),
    "html: another encoding than it says": ({"a.html": b'<meta charset="ascii"><p>\x81'}, [], "declares the encoding cp1252, and is not in it at byte 26"),
    "html: nothing to read": ({"a.html": "<html><script>1</script></html>"}, [], "it has no text"),
    "rst: too deep": ({"a.rst": "".join(f"{'  ' * depth}- a\n\n" for depth in range(999))}, [], "blocks are nested too deeply"),
    "rst: UTF-16": ({"a.rst": "T\n=\n".encode("utf-16")}, [], "text in UTF-16"),
    # ---- places
    "a split that is none": ({"a.csv": CSV}, ["--split", "words"], "split: expected none, sections"),
    "fields of documents": ({"a.md": "# A\n"}, ["--text", "body"], "a.md: --id, --title and --text name fields of records"),
    "pieces without words": ({"a.csv": CSV}, ["--split", "words:0"], "split: expected none, sections"),
}  # fmt: skip
USAGE = ("a split that is none", "pieces without words", "fields of documents")


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_cannot_be_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, arguments, message = CASES[name]
    for place, content in files.items():
        (tmp_path / place).write_bytes(content if isinstance(content, bytes) else content.encode())
    source, target = tmp_path / next(iter(files)), tmp_path / "out.jsonl"
    assert genret(monkeypatch, "convert", source, "-o", target, *arguments) == (2 if name in USAGE else 3)
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert name in USAGE or "'1'" in told or "'2'" in told or source.name in told
    assert not target.exists()


def _twice(folder: Path) -> list[object]:
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(CSV)
    return [folder / "a.csv", folder / "b.csv"]


def _empty(folder: Path) -> list[object]:
    (folder / "a.md").touch()
    (folder / "b.md").touch()
    return [folder]


def _nothing(folder: Path) -> list[object]:
    (folder / "a.png").write_bytes(b"\x89PNG")
    return [folder]


def _missing(folder: Path) -> list[object]:
    return [_twice(folder)[0], folder / "c.csv"]


def _pipe(folder: Path) -> list[object]:
    os.mkfifo(folder / "a.md")
    return [folder / "a.md"]


def _two_types(folder: Path) -> list[object]:
    (folder / "a.csv").write_text("id,text,year\n1,a,\n2,b,2020\n")
    (folder / "b.md").write_text("---\nyear: last\n---\n# B\n\nb\n")
    return [folder / "a.csv", folder / "b.md", "--check"]


def _one_in_many(folder: Path) -> list[object]:
    (folder / "a.md").write_text("# A\n\na\n")
    (folder / "b.md").write_bytes(b"# B\n\n\xff\n")
    return [folder]


PLACES: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "an id in two files": (_twice, "b.csv, field 'id': '1' is an id in"),
    "nothing but empty files": (_empty, "a.md: it has no text"),
    "no file of a known name": (_nothing, "it holds a.png"),
    "no such file": (_missing, "c.csv: no such file or folder"),
    "a pipe by name": (_pipe, "a.md: a pipe or a device"),
    "two types in two files": (
        _two_types,
        "b.md: passage 'b.md' (number 2), field 'year': expected a whole number, as a field has one type in all passages, "
        "found 'last' (the first that has it: ",
    ),
    "one bad file among documents": (_one_in_many, "b.md, line 3: not UTF-8"),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_that_are_no_corpus(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, message = PLACES[name]
    (tmp_path / "in").mkdir()
    target = tmp_path / "out.jsonl"
    assert genret(monkeypatch, "convert", *make(tmp_path / "in"), "-o", target) == 3
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not target.exists()
