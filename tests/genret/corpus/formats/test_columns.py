"""Columns: headers say which is which and are no rows; quotes are quotes where csv writes them, and text elsewhere."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from command_line import genret
from format_samples import read
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, Query, Question, conversion, read_passages, read_queries
from genret.corpus.formats import dpr
from genret.corpus.formats.columns import CORPUS, rows
from genret.corpus.formats.datafile import DataFile
from genret.corpus.sources import Source
from genret.errors import InputError

DUE = ("id", "text", "title")
ONE, TWO = Passage("0", "", "first passage"), Passage("1", "", "second")
TITLED = [Passage("1", "Alpha", "body one"), Passage("2", "Beta", "body two")]
HEADERS = {
    "id contents": ("collection.tsv", "id\tcontents\n0\tfirst passage\n1\tsecond\n", [ONE, TWO]),
    "id text": ("collection.tsv", "id\ttext\n0\tfirst passage\n1\tsecond\n", [ONE, TWO]),
    "text pid": ("x.tsv", "passage\tpid\nfirst passage\t0\nsecond\t1\n", [ONE, TWO]),
    "a mark before it": ("collection.tsv", "\ufeffpid\tpassage\n0\tfirst passage\n1\tsecond\n", [ONE, TWO]),
    "in capitals": ("x.tsv", "Doc_ID\tText\r\n0\tfirst passage\r\n1\tsecond\r\n", [ONE, TWO]),
    "id title text": ("x.tsv", "id\ttitle\ttext\n1\tAlpha\tbody one\n2\tBeta\tbody two\n", TITLED),
    "quoted": ("x.tsv", '"id"\t"title"\t"text"\n1\tAlpha\tbody one\n2\tBeta\tbody two\n', TITLED),
    "another column": ("x.tsv", "url\tid\ttitle\ttext\nu\t1\tAlpha\tbody one\n\t2\tBeta\tbody two\n", TITLED),
    "dpr's own": ("x.tsv", "id\ttext\ttitle\n1\tbody one\tAlpha\n2\tbody two\tBeta\n", TITLED),
    "none": ("collection.tsv", "0\tfirst passage\n1\tsecond\n", [ONE, TWO]),
    "trailing tabs": ("collection.tsv", "0\tfirst passage\t\n1\tsecond\t\t\n", None),
}


@pytest.mark.parametrize("case", list(HEADERS))
def test_a_corpus_is_read_by_its_header(case: str, tmp_path: Path) -> None:
    name, content, expected = HEADERS[case]
    (tmp_path / name).write_text(content)
    if case == "another column":
        assert read("dpr-corpus", tmp_path / name) == expected
    elif expected is None:
        assert read("msmarco-corpus", tmp_path / name) == [ONE, TWO]
    else:
        assert list(read_passages(tmp_path / name)) == expected


@pytest.mark.parametrize("header", ["qid\tquery", "query_id\ttext", "id\tquestion", "query\tqid"])
def test_queries_are_read_by_their_header(header: str, tmp_path: Path) -> None:
    rows = [("0", "first q"), ("1", "second")]
    columns = [row[::-1] for row in rows] if header.endswith("qid") else rows
    path = tmp_path / "queries.tsv"
    path.write_text("\n".join([header, *map("\t".join, columns)]) + "\n")
    assert list(read_queries(path)) == [Query("0", "first q"), Query("1", "second")]


def test_questions_and_runs_may_have_headers(tmp_path: Path) -> None:
    (tmp_path / "x.qa.csv").write_text("question\tanswers\nwho?\t['a']\n")
    assert list(dpr.questions(DataFile(tmp_path / "x.qa.csv"))) == [Question("0", "who?", ["a"])]
    (tmp_path / "x.run").write_text("qid\tpid\trank\nq\ta\t1\n")
    assert read("msmarco-run", tmp_path / "x.run") == {"q": [("a", -1.0)]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("msmarco-corpus", "qid\tquery\n1\tx\n"),
        ("msmarco-corpus", "id\tabstract\n1\tx\n"),
        ("msmarco-queries", "pid\tpassage\n1\tx\n"),
        ("dpr-corpus", "id\ttext\ttext\n1\tx\ty\n"),
        ("dpr-corpus", "id\ttitle\n1\tx\n"),
    ],
)
def test_a_header_that_does_not_name_the_columns_is_refused(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(content)
    with pytest.raises(InputError, match=r"line 1: a header, .* that does not name each column once"):
        read(name, tmp_path / "x")


def test_convert_reads_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "queries.tsv").write_text("qid\tquery\n0\tfirst q\n1\tsecond\n")
    (tmp_path / "swapped.tsv").write_text("id\ttitle\ttext\n1\tAlpha\tbody one\n")
    out = tmp_path / "out.jsonl"
    assert genret(monkeypatch, "convert", "--check", tmp_path / "queries.tsv") == 0
    assert "no problem as msmarco-queries" in capsys.readouterr().out
    assert genret(monkeypatch, "convert", tmp_path / "swapped.tsv", out, "--to", "beir-corpus") == 0
    assert out.read_text() == '{"_id": "1", "title": "Alpha", "text": "body one"}\n'


QUOTES = {
    "inner quotes not doubled": (
        'id\ttext\ttitle\n1\t"Heroes" is a song by "Bowie"\t"Heroes" (Bowie album)\n',
        [["1", '"Heroes" is a song by "Bowie"', '"Heroes" (Bowie album)']],
    ),
    "a tab": ('1\t"a\tb"\tT5\n', [["1", "a\tb", "T5"]]),
    "a line end": ('1\t"a\n\nb"\tT5\n2\tx\ty\n', [["1", "a\n\nb", "T5"], ["2", "x", "y"]]),
    "tabs and line ends": ('1\t"a\tb\nc"\tT\n', [["1", "a\tb\nc", "T"]]),
    "doubled": ('1\t"say ""x"""\t""""\n', [["1", 'say "x"', '"']]),
    "empty": ('1\t"x"\t""\n', [["1", "x", ""]]),
    "opened and closed by other rows": ('1\t"a b\tT\n2\tc d"\tU\n', [["1", '"a b', "T"], ["2", 'c d"', "U"]]),
    "never closed": ('1\t"a b\tT\n2\tc\tU\n', [["1", '"a b', "T"], ["2", "c", "U"]]),
    "two fields' quotes": ('1\t"a\tb"\n', [["1", '"a', 'b"']]),
    "in the middle": ('1\t5" disk\t"\n', [["1", '5" disk', '"']]),
}


@pytest.mark.parametrize("case", list(QUOTES))
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_quotes(case: str, end: str, tmp_path: Path) -> None:
    content, expected = QUOTES[case]
    (tmp_path / "x").write_text(content.removesuffix("\n") + end, newline="")
    assert quoted(tmp_path / "x") == expected


def quoted(path: Path) -> list[list[str]]:
    return [[row[name] for name in DUE] for _, row in rows(DataFile(path), CORPUS, DUE, quoted=True)]


def test_ms_marcos_quotes_are_text(tmp_path: Path) -> None:
    (tmp_path / "collection.tsv").write_text('0\t"Heroes"\n1\t"a "" b"\n')
    assert [one.text for one in read_passages(tmp_path / "collection.tsv")] == ['"Heroes"', '"a "" b"']


FIELD = st.text(st.sampled_from('ab"\t\n é'), max_size=8)
ROWS = st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    table=ROWS,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writes_is_read_as_csv_reads_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]], quoting: int, end: str
) -> None:
    text = io.StringIO()
    for row in table:
        line = io.StringIO()
        csv.writer(line, delimiter="\t", quoting=quoting, lineterminator=end).writerow(row)
        physical = line.getvalue().split("\n")[:-1]
        # The one exception of the rule: lines that are whole rows by themselves are rows.
        assume(len(physical) == 1 or any(part.count("\t") != 2 for part in physical))
        assume(line.getvalue().strip())
        text.write(line.getvalue())
    path = tmp_path_factory.mktemp("csv") / "x"
    path.write_text(text.getvalue(), newline="")
    expected = [row for row in csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter="\t") if row]
    assert expected == [list(row) for row in table]
    assert quoted(path) == expected


RAW = st.text(st.sampled_from('ab" é'), max_size=8).filter(lambda field: not _is_csv(field))


def _is_csv(field: str) -> bool:
    """Whether a field is one that csv quoted: undoubled quotes at both ends only."""
    inner = field[1:-1].replace('""', "")
    return len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner


@settings(max_examples=300, deadline=None)
@given(table=st.lists(st.tuples(RAW, RAW, RAW), min_size=1, max_size=5))
def test_what_is_not_quoted_stays_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("raw") / "x"
    path.write_text("".join("\t".join(row) + "\n" for row in table))
    expected = [list(row) for row in table if "".join(row).strip()]
    assume(all(split_alike(row) for row in expected))
    assert quoted(path) == expected


def split_alike(row: list[str]) -> bool:
    """Whether csv sees the same columns: a quote of one field may close what that of another opened."""
    return all(not _is_csv("\t".join(row[begin:end])) for begin in range(3) for end in range(begin + 2, 4))


def test_a_check_of_quoted_rows_names_the_line_of_each(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('1\t"a\nb"\tT\n2\tx\n1\ty\tU\n')
    found = conversion.problems([Source(DataFile(tmp_path / "x"), "dpr-corpus")])
    assert [problem.split(", ")[1].split(":")[0] for problem in found] == ["line 3", "line 4"]
