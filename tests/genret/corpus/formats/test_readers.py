"""Readers of passages, queries and judgements: what they accept, and the sentence for each kind of bad input."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, Query, read_judgements, read_passages, read_queries, write_judgements
from genret.corpus.formats import records as unique_ids
from genret.corpus.formats.datafile import DataFile
from genret.errors import InputError

PASSAGES = [
    Passage("a", "Alpha", "first text"),
    Passage("b", "", "zweiter Tëxt"),
    Passage("c", "C", "third \\ text"),
]
QUERIES = [Query("q1", "what is first?"), Query("q2", "was ist zweiter?")]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}
PASSAGE_LINE = b'{"_id": "a", "title": "t", "text": "x"}\n'


def corpus_bytes() -> bytes:
    rows = [{"_id": p.passage_id, "title": p.title, "text": p.text} for p in PASSAGES]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def query_bytes() -> bytes:
    return "".join(json.dumps({"_id": q.query_id, "text": q.text}) + "\n" for q in QUERIES).encode()


def write_beir(folder: Path, suffix: str = "") -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / f"corpus.jsonl{suffix}").write_bytes(COMPRESS[suffix](corpus_bytes()))
    (folder / f"queries.jsonl{suffix}").write_bytes(COMPRESS[suffix](query_bytes()))
    (folder / "qrels" / f"dev.tsv{suffix}").write_bytes(
        COMPRESS[suffix](b"query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t2\nq2\tc\t0\n")
    )
    return folder


def zip_folder(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def check_beir(place: Path) -> None:
    assert list(read_passages(place)) == PASSAGES
    assert list(read_queries(place)) == QUERIES
    assert read_judgements(place) == {"q1": {"a": 1}, "q2": {"b": 2, "c": 0}}


@pytest.mark.parametrize("suffix", list(COMPRESS))
def test_a_beir_folder_plain_and_compressed(tmp_path: Path, suffix: str) -> None:
    folder = write_beir(tmp_path / "set", suffix)
    check_beir(folder)
    assert list(read_passages(folder / f"corpus.jsonl{suffix}")) == PASSAGES
    assert list(read_queries(folder / f"queries.jsonl{suffix}")) == QUERIES
    assert set(read_judgements(folder / "qrels" / f"dev.tsv{suffix}")) == {"q1", "q2"}


@pytest.mark.parametrize("name", ["set.zip", "set-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("prefix", ["", "set/", "package/data/set/"])
def test_a_beir_folder_inside_an_archive(tmp_path: Path, name: str, prefix: str) -> None:
    check_beir(zip_folder(write_beir(tmp_path / "set", ".gz"), tmp_path / name, prefix))


BOOLQ = {
    "train.jsonl": [("does it end", "Pi", "Pi is endless."), ("is it even", "Two", "Two is even.")],
    "dev.jsonl": [("is two odd", "Two", "Two is even."), ("is e round", "E", "E is not.")],
}


def write_boolq(folder: Path) -> Path:
    folder.mkdir()
    for name, rows in BOOLQ.items():
        lines = [json.dumps({"question": q, "title": t, "passage": p, "answer": True}) for q, t, p in rows]
        (folder / name).write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("archive", [False, True])
def test_boolqs_own_files(tmp_path: Path, archive: bool) -> None:
    place = write_boolq(tmp_path / "boolq")
    if archive:
        place = zip_folder(place, tmp_path / "boolq.whl", "boolq/data/")
    assert list(read_passages(place)) == [
        Passage("b0", "Pi", "Pi is endless."),
        Passage("b1", "Two", "Two is even."),
        Passage("b2", "E", "E is not."),
    ]
    assert [query.query_id for query in read_queries(place)] == ["q0", "q1", "q2", "q3"]
    assert read_judgements(place, "train") == {"q0": {"b0": 1}, "q1": {"b1": 1}}
    assert read_judgements(place, "dev") == {"q2": {"b1": 1}, "q3": {"b2": 1}}


def test_several_zstandard_frames_are_one_text(tmp_path: Path) -> None:
    lines = corpus_bytes().splitlines(keepends=True)
    (tmp_path / "corpus.jsonl.zst").write_bytes(b"".join(zstandard.compress(line) for line in lines))
    assert list(read_passages(tmp_path)) == PASSAGES


def test_byte_order_mark_windows_line_ends_and_blank_lines_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + corpus_bytes().replace(b"\n", b"\r\n") + b"\r\n \n")
    assert list(read_passages(path)) == PASSAGES


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    text = "word " * 2_000_000
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"_id": "long", "text": text}))
    assert next(read_passages(path)) == Passage("long", "", text)


def test_passages_are_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(PASSAGE_LINE + b"not json")
    stream = read_passages(path)
    assert next(stream).passage_id == "a"
    with pytest.raises(InputError, match="line 2"):
        next(stream)


BAD_PASSAGES = {
    "duplicate id": (PASSAGE_LINE * 2, r"corpus\.jsonl, line 2, field '_id': 'a' stands on line 1 already"),
    "missing id": (
        b'{"title": "t", "text": "x"}',
        r"line 1, field '_id': missing.* The line has: 'title', 'text'\.",
    ),
    "missing text": (PASSAGE_LINE + b'{"_id": "b"}', r"line 2, field 'text': missing; expected a string"),
    "no field at all": (b"{}", r"field '_id': missing; expected a string. The line has: no field"),
    "blank": (
        b'{"_id": "a", "text": " "}',
        r"line 1: passage 'a' has neither title nor text; .* --skip-empty",
    ),
    "a text under another name": (
        b'{"_id": "a", "title": "T", "contents": "x"}',
        r"line 1, field 'text': missing; .* The line has: '_id', 'title', 'contents'",
    ),
    "empty id": (b'{"_id": "", "text": "x"}', r"line 1, field '_id': empty"),
    "id with spaces around": (b'{"_id": " a", "text": "x"}', r"'_id': ' a' begins or ends with white space"),
    "fraction as id": (b'{"_id": 7.0, "text": "x"}', r"field '_id': expected a string, found 7.0 \(float\)"),
    "truth as id": (b'{"_id": true, "text": "x"}', r"field '_id': expected a string, found True \(bool\)"),
    "null id": (b'{"_id": null, "text": "x"}', r"field '_id': expected a string, found None"),
    "number and string as one id": (
        b'{"_id": 7, "text": "x"}\n{"_id": "7", "text": "y"}',
        r"line 2, field '_id': '7' stands on line 1 already",
    ),
    "one name twice": (
        b'{"_id": "a", "text": "x", "text": "y"}',
        r"line 1: not JSON \('text' stands twice in one",
    ),
    "list as text": (
        b'{"_id": "a", "text": ["x"]}',
        r"field 'text': expected a string, found \['x'\] \(list\)",
    ),
    "nan as title": (
        b'{"_id": "a", "title": NaN, "text": "x"}',
        r"field 'title': expected a string, found nan \(float\)",
    ),
    "not json": (b"{'_id': 1}", r"line 1: not JSON \(.*\): \"\{'_id': 1\}\""),
    "cut json": (b'{"_id": "a", "te', r"line 1: not JSON"),
    "a list": (b'["a", "x"]', r"line 1: expected a JSON object, found \['a', 'x'\]"),
    "too deep": (b'{"_id": ' + b"[" * 200_000, r"line 1: not JSON"),
    "invalid utf-8": (
        PASSAGE_LINE + b'{"_id": "b\xff"}',
        r"line 2: not UTF-8 at byte 11 of the line \(0xff\)",
    ),
    "raw nul": (b'{"_id": "a\x00"}', r"line 1: a NUL at byte 11"),
    "escaped nul": (b'{"_id": "a", "text": "x\\u0000"}', r"line 1, field 'text': a NUL at character 2"),
    "half a surrogate": (
        b'{"_id": "a", "text": "\\ud800"}',
        r"line 1: not JSON \(half a surrogate pair \('\\ud800'\)",
    ),
    "empty file": (b"", r"corpus\.jsonl: it has no passage"),
    "only blank lines": (b"\n\n", r"corpus\.jsonl: it has no passage"),
}


@pytest.mark.parametrize("case", list(BAD_PASSAGES))
def test_bad_passages(tmp_path: Path, case: str) -> None:
    content, message = BAD_PASSAGES[case]
    (tmp_path / "corpus.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_passages(tmp_path))


BAD_QUERIES = {
    "duplicate id": (
        b'{"_id": "q", "text": "x"}\n' * 2,
        r"line 2, field '_id': 'q' stands on line 1 already",
    ),
    "empty text": (b'{"_id": "q", "text": ""}', r"queries\.jsonl, line 1, field 'text': empty"),
    "wrong type": (b'{"_id": "q", "text": 3.5}', r"field 'text': expected a string, found 3\.5 \(float\)"),
    "none": (b"", r"it has no query"),
}


@pytest.mark.parametrize("case", list(BAD_QUERIES))
def test_bad_queries(tmp_path: Path, case: str) -> None:
    content, message = BAD_QUERIES[case]
    (tmp_path / "queries.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_queries(tmp_path))


BAD_JUDGEMENTS = {
    "unknown passage": (b"q1\tzz\t1\n", r"line 1: passage 'zz' is judged, but there is no such passage"),
    "unknown query": (b"q1\ta\t1\nq9\ta\t1\n", r"line 2: query 'q9' is judged, but there is no such query"),
    "word as grade": (b"q1\ta\t1\nq1\tb\thigh\n", r"line 2: expected a whole number as grade, found 'high'"),
    "fraction as grade": (b"q1\ta\t0.5\n", r"found '0\.5'"),
    "grade with underscore": (b"q1\ta\t1_0\n", r"found '1_0'"),
    "nan as grade": (b"q1 0 a nan\n", r"found 'nan'"),
    "two columns": (b"q1\ta\n", r"line 1: expected query, passage and grade .* found 2: 'q1\\ta'"),
    "six columns": (b"q1 Q0 a 1 0.5 tag\n", r"found 6"),
    "empty query": (b"\ta\t1\n", r"line 1: the query id is empty"),
    "empty passage": (b"q1\t \t1\n", r"line 1: the passage id is empty"),
    "two grades": (b"q1\ta\t1\nq1\ta\t2\n", r"query 'q1' and passage 'a' were judged 1 before and 2 here"),
    "only a header": (b"query-id\tcorpus-id\tscore\n", r"it has no judgement"),
    "invalid utf-8": (b"q1\ta\t1\nq\xe9\ta\t1\n", r"line 2: not UTF-8 at byte 2"),
}


@pytest.mark.parametrize("case", list(BAD_JUDGEMENTS))
def test_bad_judgements(tmp_path: Path, case: str) -> None:
    content, message = BAD_JUDGEMENTS[case]
    path = tmp_path / "dev.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_judgements(path, query_ids={"q1", "q2"}, passage_ids={"a", "b"})


@pytest.mark.parametrize("query_id", ["[", "[]", "[x]", "{", "{}", "{x}", "[{}", "[{1}]"])
def test_an_id_may_begin_like_json(query_id: str, tmp_path: Path) -> None:
    (tmp_path / "dev.qrels").write_text(f"{query_id} 0 a 1\n")
    assert read_judgements(tmp_path / "dev.qrels") == {query_id: {"a": 1}}


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    ids = [7, -1, 10**30]
    path.write_text("\n".join(json.dumps({"_id": one, "text": "x"}) for one in ids))
    assert [one.passage_id for one in read_passages(path)] == list(map(str, ids))


def test_lines_end_where_the_newline_is(tmp_path: Path) -> None:
    texts = ["a\u2028b", "a\u0085b", "a\x0bb\x0cc\x1cd", "trailing  ", "a\u2029b\ufeff"]
    path = tmp_path / "corpus.jsonl"
    rows = [{"_id": f"an id {row}", "text": text} for row, text in enumerate(texts)]
    path.write_text(
        "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "  \n\n \n", newline=""
    )
    assert [one.text for one in read_passages(path)] == texts
    collection = tmp_path / "collection.tsv"
    collection.write_text("".join(f"{row}\t{text}\n" for row, text in enumerate(texts)), newline="")
    assert [one.text for one in read_passages(collection)] == texts


def test_equal_values_under_one_name_are_one(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "x", "text": "x"}')
    assert list(read_passages(tmp_path)) == [Passage("a", "", "x")]


DIRTY_JUDGEMENTS = {
    "trailing tabs": (
        b"1\t0\ta\t1\n1\t0\tb\t0\t\n2\t0\tc\t-2\t\t\n",
        {"1": {"a": 1, "b": 0}, "2": {"c": -2}},
    ),
    "trailing blanks, CRLF": (b"1 0 a 1  \r\n\r\n1 0 b 2\t \r\n", {"1": {"a": 1, "b": 2}}),
    "tabs and spaces": (b"1\t0 a\t1\n1 0\tb\t0\n 2\t \tQ0  c 3\n", {"1": {"a": 1, "b": 0}, "2": {"c": 3}}),
    "spaces before a tab": (b"1 a\t1\n1\tb 0\n", {"1": {"a": 1, "b": 0}}),
    "blanks in BEIR's ids": (b"query-id\tcorpus-id\tscore\nthe 0\tan a\t1\t\n", {"the 0": {"an a": 1}}),
    "another header": (b"qid\titer\tdocid\trelevance_label\n1\t0\ta\t1\n", {"1": {"a": 1}}),
    "comments": (b"# judged in May\n#1 0 a 1\n#\n", {"#1": {"a": 1}}),
    "grades as floats": (b"1 0 a 1.0\n1 0 b -1.\n1 0 c +2\n", {"1": {"a": 1, "b": -1, "c": 2}}),
    "judged twice alike": (b"1 0 a 1\n1 0 a 1\n", {"1": {"a": 1}}),
    "a no-break space in an id": ("1 0 a\u00a0b 1\n".encode(), {"1": {"a\u00a0b": 1}}),
}


@pytest.mark.parametrize("case", list(DIRTY_JUDGEMENTS))
def test_judgements_as_people_have_them(tmp_path: Path, case: str) -> None:
    content, expected = DIRTY_JUDGEMENTS[case]
    path = tmp_path / "q.qrels"
    path.write_bytes(content)
    assert read_judgements(path) == expected


def damaged_gzip(folder: Path) -> Path:
    path = folder / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(corpus_bytes() * 1)[:-12])
    return path


def damaged_zstandard(folder: Path) -> Path:
    path = folder / "corpus.jsonl.zst"
    path.write_bytes(zstandard.compress(corpus_bytes())[:-3])
    return path


def no_zip(folder: Path) -> Path:
    path = folder / "set.zip"
    path.write_bytes(b"PK nothing")
    return path


def damaged_member(folder: Path) -> Path:
    path = zip_folder(write_beir(folder / "set"), folder / "set.zip")
    data = bytearray(path.read_bytes())
    start = data.index(b"corpus.jsonl") + 40
    data[start : start + 8] = b"\0" * 8
    path.write_bytes(data)
    return path


def ambiguous_zip(folder: Path) -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/corpus.jsonl", corpus_bytes())
        archive.writestr("two/corpus.jsonl", corpus_bytes())
    return path


BAD_PLACES = {
    "nothing there": (lambda folder: folder / "nowhere", r"nowhere: no such file or folder"),
    "an empty folder": (lambda folder: folder, r"no corpus\.jsonl .* it holds nothing"),
    "truncated gzip": (
        damaged_gzip,
        r"corpus\.jsonl\.gz, after line \d: the compressed data is damaged or cut short",
    ),
    "truncated zstandard": (
        damaged_zstandard,
        r"corpus\.jsonl\.zst, after line \d: the compressed data is damaged",
    ),
    "not a zip": (no_zip, r"expected a folder or a zip archive"),
    "damaged zip member": (
        damaged_member,
        r"set\.zip!corpus\.jsonl, after line \d+: the compressed data is damaged",
    ),
    "two sets in one zip": (ambiguous_zip, r"holds both one/corpus\.jsonl and two/corpus\.jsonl"),
}


@pytest.mark.parametrize("case", list(BAD_PLACES))
def test_bad_places(tmp_path: Path, case: str) -> None:
    make, message = BAD_PLACES[case]
    with pytest.raises(InputError, match=message):
        list(read_passages(make(tmp_path)))


def test_a_folder_of_other_files_is_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no queries\.jsonl .* it holds notes\.txt"):
        list(read_queries(tmp_path))


def test_the_split_must_be_named_and_exist(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "set")
    (folder / "qrels" / "train.tsv").write_text("q1\ta\t1\n")
    with pytest.raises(InputError, match=r"several splits \(dev, train\); name one"):
        read_judgements(folder)
    with pytest.raises(InputError, match=r"no judgements for the split 'test'; it has dev, train"):
        read_judgements(folder, "test")
    assert read_judgements(folder, "train") == {"q1": {"a": 1}}
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no judgements; expected qrels/<split>\.tsv"):
        read_judgements(tmp_path / "empty")


ids = st.text(st.characters(blacklist_categories=("Z", "C")), min_size=1, max_size=6).filter(
    lambda value: not any(c.isspace() for c in value) and value != "<none>"
)


@settings(max_examples=40, deadline=None)
@given(
    judged=st.dictionaries(
        ids.filter("#".__ne__), st.dictionaries(ids, st.integers(-2, 3), min_size=1), min_size=1
    )
)
@pytest.mark.parametrize("name", ["dev.tsv", "dev.qrels"])
def test_judgements_written_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, name: str, judged: dict[str, dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("judgements") / name
    write_judgements(path, judged)
    assert read_judgements(path) == judged


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(blacklist_characters="\r\n\0", codec="utf-8")), max_size=8))
@pytest.mark.parametrize("suffix", list(COMPRESS))
def test_lines_equal_a_naive_reader(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("lines") / f"x{suffix}"
    path.write_bytes(COMPRESS[suffix]("\n".join(texts).encode()))
    naive = [(i, text) for i, text in enumerate(texts, 1) if text and not text.isspace()]
    naive = [(i, text.lstrip("\ufeff")) for i, text in naive]
    assert list(DataFile(path).lines()) == [(i, text) for i, text in naive if text and not text.isspace()]


@pytest.mark.parametrize("distance", [1, 3, 4, 5, 9, 20])
def test_equal_ids_are_found_however_far_apart(
    distance: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unique_ids, "HELD", 4)
    names = [f"q{number}" for number in range(25)]
    path = tmp_path / "queries.jsonl"

    def write(ids: list[str]) -> None:
        path.write_text("".join(json.dumps({"_id": name, "text": "why?"}) + "\n" for name in ids))

    write(names)
    assert [query.query_id for query in read_queries(path)] == names
    names[2 + distance] = names[2]
    write(names)
    with pytest.raises(InputError, match=rf"line {3 + distance}.* stands on line 3 already"):
        list(read_queries(path))
