"""Records with named fields: the same passages whatever they are written in, and which fields are meant."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

from genret.corpus import Passage, read_passages
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.formats.datafile import DataFile
from genret.corpus.sources import find_sources
from genret.errors import InputError

Rows = list[dict[str, Any]]
LINE = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters='"\u2028') | st.just(" "), max_size=20
)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
COLUMNS = ("id", "title", "text", "year", "score", "new", "lang")


@st.composite
def rows(draw: st.DrawFn, text: st.SearchStrategy[str] = TEXT) -> Rows:
    numbers = draw(st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True))
    return [
        {
            "id": f"p{number}",
            "title": draw(text),
            "text": f"x{draw(text)}",
            "year": draw(st.none() | st.integers(-9, 2050)),
            "score": draw(st.none() | st.floats(-9, 9).map(lambda value: value + 0.0)),
            "new": draw(st.none() | st.booleans()),
            "lang": draw(st.none() | st.sampled_from(["en", "de", "x y"])),
        }
        for number in numbers
    ]


def passages(given: Rows) -> list[Passage]:
    return [
        Passage(
            row["id"],
            row["title"],
            row["text"],
            {name: row[name] for name in COLUMNS[3:] if row[name] is not None},
        )
        for row in given
    ]


def delimited(given: Rows, mark: str) -> bytes:
    place = io.StringIO()
    writer = csv.writer(place, delimiter=mark)
    writer.writerow(COLUMNS)
    for row in given:
        values = [str(row[name]).lower() if row[name] in (True, False) else row[name] for name in COLUMNS]
        writer.writerow(["" if value is None else value for value in values])
    return place.getvalue().encode()


def as_table(given: Rows) -> pyarrow.Table:
    types = [pyarrow.string()] * 3 + [pyarrow.int64(), pyarrow.float64(), pyarrow.bool_(), pyarrow.string()]
    return pyarrow.table(
        {
            name: pyarrow.array([row[name] for row in given], kind)
            for name, kind in zip(COLUMNS, types, strict=True)
        }
    )


def stored(write: Callable[[pyarrow.Table, Any], object]) -> Callable[[Rows], bytes]:
    def made(given: Rows) -> bytes:
        place = io.BytesIO()
        write(as_table(given), place)
        return place.getvalue()

    return made


def arrow_file(table: pyarrow.Table, place: Any) -> None:
    with ipc.new_file(place, table.schema) as writer:
        writer.write_table(table)


def arrow_stream(table: pyarrow.Table, place: Any) -> None:
    with ipc.new_stream(place, table.schema) as writer:
        writer.write_table(table)


WRITTEN: dict[str, Callable[[Rows], bytes]] = {
    "a.csv": lambda given: delimited(given, ","),
    "b.csv": lambda given: delimited(given, ";"),
    "a.jsonl": lambda given: "\n".join(map(json.dumps, given)).encode(),
    "b.json": lambda given: json.dumps(given).encode(),
    "c.json": lambda given: json.dumps(given, indent=1, ensure_ascii=False).encode(),
    "d.json": lambda given: json.dumps(
        {row["id"]: {n: row[n] for n in COLUMNS[1:]} for row in given}, indent=1
    ).encode(),
    "a.parquet": stored(parquet.write_table),
    "a.arrow": stored(arrow_file),
    "b.arrow": stored(arrow_stream),
    "a.feather": stored(feather.write_feather),
}
TEXTS = [name for name in WRITTEN if name.split(".")[1] in ("csv", "json", "jsonl")]
PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


@settings(max_examples=25, deadline=None)
@given(rows(), st.sampled_from(sorted(PACKED)))
def test_every_format_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, given: Rows, packed: str
) -> None:
    folder = tmp_path_factory.mktemp("written")
    for name, write in WRITTEN.items():
        end = packed if name in TEXTS else ""
        (folder / f"{name}{end}").write_bytes(PACKED[end](write(given)))
        assert list(read_passages(folder / f"{name}{end}")) == passages(given), name


@settings(max_examples=25, deadline=None)
@given(rows(LINE))
def test_so_do_tabs(tmp_path_factory: pytest.TempPathFactory, given: Rows) -> None:
    path = tmp_path_factory.mktemp("written") / "a.tsv"
    path.write_bytes(delimited(given, "\t"))
    assert list(read_passages(path)) == passages(given)


def read(path: Path, content: str | bytes, **options: Any) -> list[Passage]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_passages(path, CorpusOptions(**options)))


NESTED = '{"doc": {"key": 7, "parts": ["a", "b"]}, "meta.name": "N", "by": {"name": "Ada", "born": 1815}, "tags": ["x", "y"], "ranks": [1]}\n'


def test_fields_are_named_by_paths(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read(tmp_path / "a.jsonl", NESTED, id="doc.key", title="meta.name", text="doc.parts")
    assert found == [Passage("7", "N", "a\n\nb", {"by.name": "Ada", "by.born": 1815, "tags": "x; y"})]
    assert "no metadata are 'ranks': lists of other" in caplog.text


def test_named_fields_are_meant_in_a_file_of_any_kind(tmp_path: Path) -> None:
    beir = '{"_id": "1", "title": "T", "text": "x", "key": "k", "abstract": "a"}\n'
    assert read(tmp_path / "corpus.jsonl", beir, text="abstract") == [
        Passage("1", "T", "a", {"text": "x", "key": "k"})
    ]
    assert read(tmp_path / "corpus.jsonl", beir, id="key")[0].passage_id == "k"
    dpr = "id\ttext\ttitle\n1\tx\tT\n"
    assert read(tmp_path / "psgs.tsv", dpr, text="title") == [Passage("1", "T", "T", {"text": "x"})]


@pytest.mark.parametrize("name", ["id", "_id", "ID", "doc_id", "docno", "pid", "Passage-ID"])
@pytest.mark.parametrize("text", ["text", "Contents", "body", "passage_text"])
def test_usual_names_are_known(name: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", f"{name},{text},title\n7,x,T\n") == [Passage("7", "T", "x")]


def test_without_ids_rows_are_numbered_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert [one.passage_id for one in read(tmp_path / "a b.csv", "text\nx\n\ny\n")] == [
        "a%20b.csv#2",
        "a%20b.csv#4",
    ]
    assert "no field is an id: a passage's id is its number. Name a field with --id" in caplog.text
    assert [one.passage_id for one in read(tmp_path / "a.json", '[\n{"text": "x"}]')] == ["a.json#1"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["true", "False", ""], [True, False, None]),
        (["1", "true", "x"], ["1", "true", "x"]),
        (["007", "1", "2"], ["007", "1", "2"]),
        (["1.2.3", "1", "2"], ["1.2.3", "1", "2"]),
        (["99999999999999999999", "1", "2"], [1e20, 1.0, 2.0]),
        (["nan", "1", "2"], ["nan", "1", "2"]),
    ],
)
def test_a_column_has_one_type(values: list[str], expected: list[object], tmp_path: Path) -> None:
    for mark, suffix in ((",", "csv"), ("\t", "tsv")):
        lines = "".join(f"{number}{mark}x{mark}{value}\n" for number, value in enumerate(values))
        found = read(tmp_path / f"a.{suffix}", f"id{mark}text{mark}value\n{lines}")
        assert [one.metadata.get("value") for one in found] == expected
        assert len({type(value) for value in expected} - {type(None)}) == 1


def test_a_column_without_a_name_is_of_no_use(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "\ufeff,id,text\n0,a,x\n1,b,y\n") == [
        Passage("a", "", "x"),
        Passage("b", "", "y"),
    ]
    assert read(tmp_path / "b.csv", "id , text,\n a,x,\n".replace(" a", "a")) == [Passage("a", "", "x")]


def test_values_of_tables_that_json_has_not(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "id": [7],
            "text": ["x"],
            "day": [datetime.date(2024, 1, 5)],
            "at": [datetime.datetime(2024, 1, 5, 6, 7)],
            "price": [Decimal("1.50")],
            "none": [math.nan],
            "by": [{"name": "Ada", "rank": 1}],
            "vector": [[1.0]],
            "raw": [b"x"],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    metadata = {
        "day": "2024-01-05",
        "at": "2024-01-05T06:07:00",
        "price": 1.5,
        "by.name": "Ada",
        "by.rank": 1,
    }
    assert list(read_passages(tmp_path / "a.parquet")) == [Passage("7", "", "x", metadata)]


def test_a_text_of_a_hundred_thousand_words_on_one_line_is_read(tmp_path: Path) -> None:
    text = "word " * 300_000 + "end"
    for name, content in (
        ("a.csv", f'id,text\n1,"{text}"\n'),
        ("a.jsonl", json.dumps({"id": "1", "text": text})),
        ("a.txt", text),
        ("a.md", text),
        ("a.html", f"<p>{text}"),
    ):
        assert read(tmp_path / name, content)[0].text == text


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        (
            "a.json",
            '{"_id": "1", "title": "T", "text": "x"}\n{"_id": "2", "title": "T", "text": "x"}\n',
            "beir-corpus",
        ),
        ("a.json", '{"id": "1", "text": "x"}\n{"id": "2", "text": "x"}\n', "jsonl-corpus"),
        ("a.json", '{"id": "1",\n"text": "x"}\n', "json-corpus"),
        ("a.json", '{"1": {"text": "x"}}', "json-corpus"),
        ("a.json", '[[{"id": "1"}]]', "json-corpus"),
        ("a.csv", "id,text\n", "csv-corpus"),
        ("a.csv", "a b c d,text\n", "csv-corpus"),
        ("a", "id;body;x\n", "csv-corpus"),
        ("a.tsv", "id\ttitle\ttext\tyear\n", "tsv-corpus"),
        ("a.tsv", "id\ttext\ttitle\n", "dpr-corpus"),
        ("a.tsv", "7\tx\n", "msmarco-corpus"),
        ("a.tsv", "doc_id\tbody\tscore\n", "tsv-corpus"),
        ("a.txt", "Body, text and mind.\n", "text-corpus"),
        ("a.txt", "Four words of prose\n", "text-corpus"),
        ("a.txt", "Some\ttext\n", "msmarco-corpus"),
        ("a.md", "id,text\n", "markdown-corpus"),
        ("A.HTM", "x", "html-corpus"),
    ],
)
def test_which_format_a_corpus_is_in(name: str, content: str, form: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert [source.form for source in find_sources(tmp_path / name, DataFile(Path())).found] == [form]


def test_queries_are_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title,text\n1,,\n")
    with pytest.raises(InputError, match="line 2: passage '1' has neither title nor text"):
        list(read_passages(tmp_path / "a.csv"))
    assert read(tmp_path / "a.csv", "id,title,text\n1,,\n2,,x\n", skip_empty=True) == [Passage("2", "", "x")]
