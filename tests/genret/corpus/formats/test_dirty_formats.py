"""Other people's file formats: a sentence for each kind of dirt."""

from __future__ import annotations

from pathlib import Path

import pytest
from format_samples import read

from genret.corpus import conversion
from genret.corpus.formats import kilt
from genret.corpus.formats.datafile import DataFile
from genret.corpus.sources import Source
from genret.errors import InputError

BAD: dict[str, tuple[str, bytes, str]] = {
    "dpr: two columns": (
        "dpr-corpus",
        b"1\ttext\n",
        r"line 1: expected 3 tab-separated columns \(id, text, title\), found 2",
    ),
    "dpr: empty title and text": (
        "dpr-corpus",
        b"1\t \t\n",
        r"line 1: passage '1' has neither title nor text; .* --skip-empty",
    ),
    "dpr: empty id": ("dpr-corpus", b"\tx\tT\n", r"line 1, field 'id': '' is empty"),
    "dpr: duplicate": (
        "dpr-corpus",
        b"1\tx\tT\n1\ty\tT\n",
        r"line 2, field 'id': '1' stands on line 1 already",
    ),
    "dpr: only a header": ("dpr-corpus", b"id\ttext\ttitle\n", r"it has no passage"),
    "dpr: answers no list": (
        "dpr-queries",
        b"who?\tyes\n",
        r"line 1, field 'answers': expected a list of strings",
    ),
    "dpr: answers of numbers": ("dpr-queries", b"who?\t[1]\n", r"expected a list of strings, found '\[1\]'"),
    "dpr: empty answer": ("dpr-queries", b"who?\t['a', ' ']\n", r"an answer is missing or empty"),
    "dpr: no answer": ("dpr-queries", b"who?\t[]\n", r"an answer is missing or empty"),
    "dpr: answers are code": ("dpr-queries", b"who?\t[__import__('os')]\n", r"expected a list of strings"),
    "dpr: deep answers": ("dpr-queries", b"who?\t" + b"[" * 5000 + b"\n", r"expected a list of strings"),
    "dpr: half a surrogate": ("dpr-queries", b'who?\t["\\ud800"]\n', r"half a surrogate pair"),
    "dpr: run not json": ("dpr-run", b"[{", r"not JSON"),
    "dpr: run an object": (
        "dpr-run",
        b"{}",
        r"entry 0, field 'ctxs': expected a list of objects, found None",
    ),
    "dpr: run without contexts": (
        "dpr-run",
        b'[{"question": "q"}]',
        r"entry 0, field 'ctxs': expected a list",
    ),
    "dpr: context without id": ("dpr-run", b'[{"ctxs": [{"text": "x"}]}]', r"a context without a passage id"),
    "dpr: context twice": ("dpr-run", b'[{"ctxs": [{"id": 1}, {"id": "1"}]}]', r"a passage occurs twice"),
    "dpr: entries of one id": (
        "dpr-run",
        b'[{"id": 1, "ctxs": []}, {"id": "1", "ctxs": []}]',
        r"entry 1, field 'id': '1' is that of entry 0 already",
    ),
    "dpr: an entry with another's number": (
        "dpr-run",
        b'[{"id": 1, "ctxs": []}, {"ctxs": []}]',
        "entry 1, field 'id'",
    ),
    "msmarco: id with a space behind": (
        "msmarco-corpus",
        b"1 \ttext\n",
        r"'1 ' begins or ends with white space",
    ),
    "msmarco: commas": ("msmarco-corpus", b"1,text\n", r"columns separated by commas are not read"),
    "msmarco: one column": ("msmarco-corpus", b"just text\n", r"line 1: expected 2 tab-separated columns"),
    "msmarco: three columns": ("msmarco-queries", b"1\ta\tb\n", r"columns \(id, query\), found 3"),
    "msmarco: blank text": (
        "msmarco-corpus",
        b"1\t \n",
        r"line 1: passage '1' has neither title nor text; .* --skip-empty",
    ),
    "msmarco: duplicate": (
        "msmarco-queries",
        b"1\ta\n2\tb\n1\tc\n",
        r"line 3, field 'id': '1' stands on line 1",
    ),
    "msmarco: nothing": ("msmarco-queries", b"", r"it has no query; expected the columns id, query"),
    "msmarco: rank zero": (
        "msmarco-run",
        b"q\ta\t0\n",
        r"field 'rank': expected a whole number from 1, found '0'",
    ),
    "msmarco: rank a word": ("msmarco-run", b"q\ta\tfirst\n", r"found 'first'"),
    "msmarco: rank twice": (
        "msmarco-run",
        b"q\ta\t1\nq\tb\t1\n",
        r"line 2: query 'q' has passage 'b' or rank 1 twice, on line 1 already",
    ),
    "mteb: no grade": (
        "mteb-judgements",
        b'{"query-id": "q", "corpus-id": "a"}',
        r"line 1, field 'score': missing; expected a whole number",
    ),
    "mteb: grade a half": (
        "mteb-judgements",
        b'{"query-id": "q", "corpus-id": "a", "score": 1}\n{"query-id": "q", "corpus-id": "b", "score": 0.5}',
        r"line 2: expected a whole number as grade, found '0.5'",
    ),
    "mteb: no passage": (
        "mteb-judgements",
        b'{"query-id": "q", "score": 1}',
        r"line 1, field 'corpus-id': missing",
    ),
    "mteb: two grades": (
        "mteb-judgements",
        b'{"query-id": 1, "corpus-id": "a", "score": 1}\n{"query-id": "1", "corpus-id": "a", "score": 0}',
        r"line 2: query '1' and passage 'a' were judged 1 before and 0 here",
    ),
    "kilt: no id": (
        "kilt-queries",
        b'{"input": "x"}',
        r"field 'id': expected a string or a whole number, found None",
    ),
    "kilt: id a float": ("kilt-queries", b'{"id": NaN, "input": "x"}', r"field 'id': .* found nan"),
    "kilt: id twice": (
        "kilt-queries",
        b'{"id": 1, "input": "x"}\n{"id": "1", "input": "y"}',
        r"'1' stands on line 1",
    ),
    "kilt: no input": ("kilt-queries", b'{"id": 1}', r"line 1, field 'input': missing"),
    "kilt: empty input": (
        "kilt-queries",
        b'{"id": 1, "input": ""}',
        r"line 1, field 'input': missing or empty",
    ),
    "kilt: output no list": (
        "kilt-judgements",
        b'{"id": 1, "output": {}}',
        r"field 'output': expected a list",
    ),
    "kilt: answer a number": (
        "kilt-judgements",
        b'{"id": 1, "output": [{"answer": 5}]}',
        r"field 'answer': expected a string, found 5",
    ),
    "kilt: provenance no list": (
        "kilt-judgements",
        b'{"id": 1, "output": [{"provenance": "p"}]}',
        r"field 'provenance': expected a list of objects, found 'p'",
    ),
    "kilt: page a list": (
        "kilt-judgements",
        b'{"id": 1, "output": [{"provenance": [{"wikipedia_id": []}]}]}',
        r"field 'wikipedia_id': expected a string or a whole number, found \[\]",
    ),
    "kilt: paragraph a word": (
        "kilt-run",
        b'{"id": 1, "output": [{"provenance": [{"wikipedia_id": 1, "start_paragraph_id": "two"}]}]}',
        r"field 'start_paragraph_id': expected a paragraph's number, found 'two'",
    ),
    "kilt: paragraphs of a whole library": (
        "kilt-run",
        b'{"id": 1, "output": [{"provenance": [{"start_paragraph_id": 3, "end_paragraph_id": 999999999}]}]}',
        r"999999999 is too far from start_paragraph_id 3",
    ),
    "kilt: page without text": (
        "kilt-corpus",
        b'{"wikipedia_id": 1, "wikipedia_title": "T"}',
        r"field 'text': expected a list of paragraphs, found None",
    ),
    "kilt: page without title": ("kilt-corpus", b'{"wikipedia_id": 1}', r"field 'wikipedia_title': missing"),
    "kilt: page twice": (
        "kilt-corpus",
        b'{"wikipedia_id": 290, "wikipedia_title": "A", "text": ["a"]}\n'
        b'{"wikipedia_id": "290", "wikipedia_title": "A", "text": ["b"]}\n',
        r"line 2, field 'wikipedia_id': '290' stands on line 1 already; every page needs an id",
    ),
    "kilt: half a surrogate in a paragraph": (
        "kilt-corpus",
        b'{"wikipedia_id": 1, "wikipedia_title": "T", "text": ["\\ud800"]}',
        r"line 1: not JSON \(half a surrogate pair",
    ),
    "kilt: half a surrogate in an answer": (
        "kilt-judgements",
        b'{"id": 1, "output": [{"answer": "\\udc00"}]}',
        r"line 1: not JSON \(half a surrogate pair",
    ),
    "kilt: nothing": ("kilt-queries", b"\n", r"it has no line"),
    "nul": ("msmarco-corpus", b"1\ta\x00b\n", r"line 1: a NUL at byte 4"),
    "invalid utf-8": ("dpr-corpus", b"1\tx\xff\tT\n", r"line 1: not UTF-8 at byte 4"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_dirty_files_end_in_a_sentence(case: str, tmp_path: Path) -> None:
    name, content, message = BAD[case]
    path = tmp_path / ("x.json" if name == "dpr-run" else "x")
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(name, path)


def test_a_check_names_each_bad_line_once_and_at_most_ten(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b'{"_id": "a", "text": "x"}\nbad\n{"_id": "a", "text": "y"}\n{"_id": "b"}\n\xff\n')
    found = conversion.problems([Source(DataFile(path), "beir-corpus")])
    assert [problem.split(", ")[1].split(":")[0] for problem in found] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    path.write_text("bad\n" * 30)
    assert len(conversion.problems([Source(DataFile(path), "beir-corpus")])) == 10
    path.write_text("bad\n" * 3)
    assert len(conversion.problems([Source(DataFile(path), "beir-corpus")])) == 3
    path.write_text("")
    assert conversion.problems([Source(DataFile(path), "beir-corpus")]) == [
        f"{path}: it has no passage; expected one JSON object a line."
    ]
    path.write_text('{"_id": "a", "text": "x"}')
    assert conversion.problems([Source(DataFile(path), "beir-corpus")]) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("msmarco-run", b"q\ta\t" + b"9" * 5000, "expected a whole number from 1"),
        (
            "genret-run",
            b'{"query_id": "q", "hits": [{"passage_id": "a", "score": 1' + b"0" * 400 + b"}]}",
            "finite",
        ),
        (
            "kilt-corpus",
            b'{"wikipedia_id": "\\u0000", "wikipedia_title": "T", "text": ["x"]}',
            "'wikipedia_id'",
        ),
        ("beir-corpus", b'{"_id": ' + b"9" * 5000 + b', "text": "x"}', "line 1: not JSON"),
    ],
)
def test_numbers_beyond_all_bounds_are_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(name, tmp_path / "x")


def test_a_paragraph_number_beyond_all_bounds_is_part_of_the_page() -> None:
    passage_id = "5#" + "9" * 5000
    assert kilt.locate(passage_id) == (passage_id, None, None)
