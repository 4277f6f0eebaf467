"""Other people's file formats: round trips, recognition, conversion, and a sentence for each kind of dirt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import (
    Passage,
    PassageStore,
    Query,
    dpr,
    formats,
    kilt,
    read_judgements,
    read_passages,
    read_queries,
    read_questions,
    read_run,
)
from genret.corpus.answers import has_answer, words
from genret.corpus.datafile import DataFile
from genret.errors import InputError, UsageError

KILT_TASK = [
    {
        "id": "f1",
        "input": "Ada wrote the first program.",
        "output": [
            {
                "answer": "SUPPORTS",
                "provenance": [
                    {"wikipedia_id": "10", "title": "Ada", "start_paragraph_id": 2, "end_paragraph_id": 3},
                    {
                        "wikipedia_id": 11,
                        "start_paragraph_id": "1",
                        "end_paragraph_id": "1",
                        "bleu_score": 0.5,
                    },
                ],
            },
            {"answer": " SUPPORTS "},
            {"provenance": [{"wikipedia_id": "12"}]},
        ],
        "meta": {"claim_id": 7},
    },
    {"id": 2, "input": "leopards live in [START_ENT] Africa [END_ENT] ."},
]
SAMPLES: dict[str, tuple[str, Any]] = {
    "beir-corpus": ('{"_id": "a", "title": "T", "text": "x y"}\n', [Passage("a", "T", "x y")]),
    "dpr-corpus": (
        'id\ttext\ttitle\n1\t"a ""quoted"" word"\tT\n2\tplain, text\t"""Q"""\n',
        [Passage("1", "T", 'a "quoted" word'), Passage("2", '"Q"', "plain, text")],
    ),
    "msmarco-corpus": ("7\tsome text\n", [Passage("7", "", "some text")]),
    "kilt-corpus": (
        json.dumps({"wikipedia_id": 5, "wikipedia_title": "Five", "text": ["Five\n", " ", "A number.\n"]}),
        [Passage("5#0", "Five", "Five"), Passage("5#2", "Five", "A number.")],
    ),
    "beir-queries": ('{"_id": "q", "text": "why?"}\n', [Query("q", "why?")]),
    "dpr-queries": (
        'who?\t[\'a\', "b\'s"]\nwhen?\t["1999"]\n',
        [Query("0", "who?"), Query("1", "when?")],
    ),
    "msmarco-queries": ("3\twhy?\n", [Query("3", "why?")]),
    "kilt-queries": (
        "".join(json.dumps(row) + "\n" for row in KILT_TASK),
        [Query("f1", KILT_TASK[0]["input"]), Query("2", KILT_TASK[1]["input"])],
    ),
    "beir-judgements": ("query-id\tcorpus-id\tscore\nq\ta\t1\n", {"q": {"a": 1}}),
    "trec-judgements": ("q\t0\ta\t2\n", {"q": {"a": 2}}),
    "kilt-judgements": (
        "".join(json.dumps(row) + "\n" for row in KILT_TASK),
        {"f1": {"10": 1, "11": 1, "12": 1}},
    ),
    "dpr-judgements": (
        json.dumps(
            [{"question": "who?", "answers": ["a"], "positive_ctxs": [{"passage_id": "4"}, {"psg_id": 5}]}]
        ),
        {"0": {"4": 1, "5": 1}},
    ),
    "trec-run": ("q Q0 a 1 2.5 t\nq Q0 b 2 1.5 t\n", {"q": [("a", 2.5), ("b", 1.5)]}),
    "msmarco-run": ("q\ta\t1\nq\tb\t2\ne\t<none>\t1\n", {"q": [("a", -1.0), ("b", -2.0)], "e": []}),
    "kilt-run": (
        '{"id": "q", "output": [{"provenance": [{"wikipedia_id": "5", "start_paragraph_id": 2,'
        ' "end_paragraph_id": 2}, {"wikipedia_id": "5", "start_paragraph_id": 2, "end_paragraph_id": 2}]}]}\n',
        {"q": [("5#2", -1.0)]},
    ),
    "kilt-page-run": (
        '{"id": "q", "output": [{"provenance": [{"wikipedia_id": "5"}, {"wikipedia_id": 6}]}]}\n'
        '{"id": "e", "output": [{"provenance": []}]}\n',
        {"q": [("5", -1.0), ("6", -2.0)], "e": []},
    ),
    "genret-run": (
        '{"query_id": "q", "query": "why?", "answers": ["so"], "hits": [{"passage_id": "5", "score": 2.5, "docid":'
        ' "a b"}, {"passage_id": "6", "score": 1, "matches": [{"text": "so it", "score": 0.5}]}]}\n'
        '{"query_id": "e", "hits": []}\n',
        {"q": [("5", 2.5), ("6", 1.0)], "e": []},
    ),
    "dpr-run": (
        json.dumps([{"question": "who?", "answers": ["a"], "ctxs": [{"id": "4", "text": "x"}, {"id": "2"}]}]),
        {"0": [("4", -1.0), ("2", -2.0)]},
    ),
}


def read(name: str, path: Path) -> Any:
    content = formats.find_format(name).read(DataFile(path))
    return content if isinstance(content, dict) else list(content)


def sample(name: str, folder: Path) -> Path:
    path = folder / (name + (".json" if name.startswith("dpr") and "corpus" not in name else ".txt"))
    if name == "dpr-queries":
        path = folder / "questions.qa.csv"
    path.write_text(SAMPLES[name][0])
    return path


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == set(formats.FORMATS)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_format_is_read_and_what_is_written_reads_the_same(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path)
    content = read(name, path)
    assert content == SAMPLES[name][1]
    if formats.FORMATS[name].write is not None:
        formats.convert(DataFile(path), name, tmp_path / "again", name)
        assert read(name, tmp_path / "again") == content
        formats.convert(DataFile(tmp_path / "again"), name, tmp_path / "third", name)
        assert (tmp_path / "third").read_bytes() == (tmp_path / "again").read_bytes()


PAIRS = [
    (source, target)
    for source, one in formats.FORMATS.items()
    for target, other in formats.FORMATS.items()
    if one.kind == other.kind and other.write and source != target
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair_of_one_kind_converts(source: str, target: str, tmp_path: Path) -> None:
    path = sample(source, tmp_path)
    formats.convert(DataFile(path), source, tmp_path / "out", target)
    before, after = read(source, path), read(target, tmp_path / "out")
    if isinstance(before, dict):
        assert {
            key: [hit[0] for hit in value] if isinstance(value, list) else value
            for key, value in after.items()
        } == {
            key: [hit[0] for hit in value] if isinstance(value, list) else value
            for key, value in before.items()
        }
    else:
        assert [row[0] for row in after] == [row[0] for row in before]
        assert all(
            row[-1].split()[-1] == other[-1].split()[-1] for row, other in zip(after, before, strict=True)
        )


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("beir-corpus", "x"),
        ("beir-queries", "x"),
        ("dpr-corpus", "psgs_w100.tsv"),
        ("dpr-queries", "nq.csv"),
        ("msmarco-corpus", "collection.tsv"),
        ("msmarco-queries", "queries.dev.tsv"),
        ("kilt-corpus", "knowledgesource.json"),
        ("beir-judgements", "dev.tsv"),
        ("trec-judgements", "qrels"),
        ("trec-run", "run"),
        ("kilt-run", "guess.jsonl"),
    ],
)
def test_formats_are_recognised(name: str, file_name: str, tmp_path: Path) -> None:
    path = tmp_path / file_name
    path.write_text(SAMPLES[name][0])
    assert formats.detect(DataFile(path)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tsome text\n", "it could be msmarco-corpus or msmarco-queries; name its format with --from"),
        ("q\ta\t1\n", "it could be beir-judgements or msmarco-run"),
        ("[]", "it could be dpr-run or dpr-queries or dpr-judgements"),
        ('{"a": 1}', "no format is recognised"),
        ("one two three four five\n", "no format is recognised"),
        ("", "no format is recognised.*It begins nowhere: it is empty"),
    ],
)
def test_what_is_not_recognised_is_asked_for(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError, match=message):
        formats.detect(DataFile(tmp_path / "x"))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "kilt-page-run"])
def test_every_format_is_read_without_being_named(name: str, tmp_path: Path) -> None:
    readers = {
        "corpus": read_passages,
        "queries": read_queries,
        "judgements": read_judgements,
        "run": read_run,
    }
    content = readers[formats.FORMATS[name].kind](sample(name, tmp_path))
    assert (content if isinstance(content, dict) else list(content)) == SAMPLES[name][1]


def test_judgements_of_any_format_are_checked_against_known_ids(tmp_path: Path) -> None:
    path = sample("kilt-judgements", tmp_path)
    with pytest.raises(InputError, match="query 'f1' is judged, but there is no such query"):
        read_judgements(path, query_ids={"q"})
    with pytest.raises(InputError, match="passage '12' is judged, but there is no such passage"):
        read_judgements(path, query_ids={"f1"}, passage_ids={"10", "11"})


def test_questions_come_with_answers_where_a_file_has_them(tmp_path: Path) -> None:
    assert [one.answers for one in read_questions(sample("dpr-queries", tmp_path))] == [
        ["a", "b's"],
        ["1999"],
    ]
    assert [one.answers for one in read_questions(sample("kilt-queries", tmp_path))] == [["SUPPORTS"], []]
    assert [one.answers for one in read_questions(sample("beir-queries", tmp_path))] == [[]]
    assert [one.answers for one in dpr.questions(DataFile(sample("dpr-run", tmp_path)))] == [["a"]]
    path = tmp_path / "x.json"
    path.write_text('[{"question": "q", "answers": [" "]}]')
    with pytest.raises(InputError, match="entry 0, field 'answers': expected a list of texts"):
        list(dpr.questions(DataFile(path)))


def test_kinds_do_not_mix_and_some_formats_are_read_only(tmp_path: Path) -> None:
    file = DataFile(sample("beir-corpus", tmp_path))
    with pytest.raises(UsageError, match="beir-corpus holds corpus, trec-run run: not the same kind"):
        formats.convert(file, "beir-corpus", tmp_path / "out", "trec-run")
    with pytest.raises(
        UsageError, match="kilt-corpus can be read only; a corpus file can be beir-corpus, dpr"
    ):
        formats.convert(file, "beir-corpus", tmp_path / "out", "kilt-corpus")
    with pytest.raises(UsageError, match="'pdf' is no format; there are beir-corpus"):
        formats.find_format("pdf")


BAD: dict[str, tuple[str, bytes, str]] = {
    "dpr: two columns": ("dpr-corpus", b"1\ttext\n", r"line 1: expected id, text and title, found 2 columns"),
    "dpr: empty text": ("dpr-corpus", b"1\t \tT\n", r"line 1, field 'text': empty"),
    "dpr: empty id": ("dpr-corpus", b"\tx\tT\n", r"line 1, field 'id': empty"),
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
    "dpr: run an object": ("dpr-run", b"{}", r"expected a JSON array of objects, found \{\}"),
    "dpr: run without contexts": (
        "dpr-run",
        b'[{"question": "q"}]',
        r"entry 0, field 'ctxs': expected a list",
    ),
    "dpr: context without id": ("dpr-run", b'[{"ctxs": [{"text": "x"}]}]', r"a context without a passage id"),
    "dpr: context twice": ("dpr-run", b'[{"ctxs": [{"id": 1}, {"id": "1"}]}]', r"a passage occurs twice"),
    "msmarco: one column": ("msmarco-corpus", b"just text\n", r"line 1: expected 2 tab-separated columns"),
    "msmarco: three columns": ("msmarco-queries", b"1\ta\tb\n", r"columns \(qid, query\), found 3"),
    "msmarco: blank text": ("msmarco-corpus", b"1\t \n", r"line 1, field 'passage': empty"),
    "msmarco: duplicate": (
        "msmarco-queries",
        b"1\ta\n2\tb\n1\tc\n",
        r"line 3, field 'qid': '1' stands on line 1",
    ),
    "msmarco: nothing": ("msmarco-queries", b"", r"it has no line; expected the columns qid, query"),
    "msmarco: rank zero": (
        "msmarco-run",
        b"q\ta\t0\n",
        r"field 'rank': expected a whole number from 1, found '0'",
    ),
    "msmarco: rank a word": ("msmarco-run", b"q\ta\tfirst\n", r"found 'first'"),
    "msmarco: rank twice": (
        "msmarco-run",
        b"q\ta\t1\nq\tb\t1\n",
        r"line 2: query 'q' has passage 'b' or rank 1 twice",
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
    "kilt: no input": ("kilt-queries", b'{"id": 1}', r"id '1', field 'input': missing"),
    "kilt: empty input": ("kilt-queries", b'{"id": 1, "input": ""}', r"field 'input': empty"),
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
    "kilt: paragraphs backwards": (
        "kilt-run",
        b'{"id": 1, "output": [{"provenance": [{"start_paragraph_id": 3, "end_paragraph_id": 2}]}]}',
        r"2 does not follow start_paragraph_id 3",
    ),
    "kilt: page without text": (
        "kilt-corpus",
        b'{"wikipedia_id": 1, "wikipedia_title": "T"}',
        r"field 'text': expected a list of paragraphs, found None",
    ),
    "kilt: page without title": ("kilt-corpus", b'{"wikipedia_id": 1}', r"field 'wikipedia_title': missing"),
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
    found = formats.problems(DataFile(path), "beir-corpus")
    assert [problem.split(", ")[1].split(":")[0] for problem in found] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    path.write_text("bad\n" * 30)
    assert len(formats.problems(DataFile(path), "beir-corpus")) == 10
    path.write_text("bad\n" * 3)
    assert len(formats.problems(DataFile(path), "beir-corpus")) == 3
    path.write_text("")
    assert formats.problems(DataFile(path), "beir-corpus") == [
        f"{path}: it has no passage; expected one JSON object a line."
    ]
    path.write_text('{"_id": "a", "text": "x"}')
    assert formats.problems(DataFile(path), "beir-corpus") == []


def test_kilt_lines_keep_everything(tmp_path: Path) -> None:
    path = sample("kilt-queries", tmp_path)
    lines = list(kilt.lines(DataFile(path)))
    kilt.write_lines(tmp_path / "again", lines)
    assert (tmp_path / "again").read_text() == path.read_text()
    assert lines[0].answers == ["SUPPORTS"]
    assert lines[1].outputs == []


def test_kilt_paragraphs_as_judgements(tmp_path: Path) -> None:
    path = sample("kilt-queries", tmp_path)
    assert kilt.judgements(DataFile(path), "paragraph") == {"f1": {"10#2": 1, "10#3": 1, "11#1": 1}}
    assert kilt.page_of("10#2") == "10"
    assert kilt.page_of("10") == "10"


def test_dpr_contexts_carry_texts_answers_and_has_answer(tmp_path: Path) -> None:
    store = PassageStore.build([Passage("1", "T", "It was Zürich, in 1999."), Passage("2", "", "Nothing.")])
    asked = [dpr.Question("0", "where?", ["ZÜRICH"]), dpr.Question("1", "who?", ["nobody"])]
    path = tmp_path / "contexts.json"
    dpr.write_contexts(path, {"0": [("2", 2.0), ("1", 1.5)]}, asked, store)
    entries = json.loads(path.read_text())
    assert [context["has_answer"] for context in entries[0]["ctxs"]] == [False, True]
    assert entries[0]["ctxs"][1] == {
        "id": "1",
        "title": "T",
        "text": "It was Zürich, in 1999.",
        "score": "1.5",
        "has_answer": True,
    }
    assert entries[1]["ctxs"] == []
    assert dpr.run(DataFile(path)) == {"0": [("2", -1.0), ("1", -2.0)], "1": []}
    assert [query.text for query in dpr.queries(DataFile(path))] == ["where?", "who?"]
    dpr.write_contexts(path, {}, [], store)
    assert json.loads(path.read_text()) == []


text = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(text, st.lists(text, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_dpr_questions_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("qa") / "x.qa.csv"
    rows = [(f"q {question} ?", answers) for question, answers in rows]
    asked = [dpr.Question(str(i), question, answers) for i, (question, answers) in enumerate(rows)]
    dpr.write_questions(path, asked)
    assert list(dpr.questions(DataFile(path))) == asked


@settings(max_examples=60, deadline=None)
@given(rows=st.dictionaries(st.integers(0, 99).map(str), st.tuples(text, text), min_size=1, max_size=5))
def test_dpr_passages_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("psgs") / "x.tsv"
    listed = [Passage(passage_id, title, body) for passage_id, (title, body) in rows.items()]
    dpr.write_passages(path, listed)
    assert list(dpr.passages(DataFile(path))) == listed


@pytest.mark.parametrize(
    ("body", "answers", "expected"),
    [
        ("The capital is Paris.", ["paris"], True),
        ("The capital is Parisian.", ["paris"], False),
        ("in U.S.A. today", ["u.s.a."], True),
        ("New\nYork City", ["new york"], True),
        ("New, York", ["new york"], False),
        ("caf\u00e9", ["cafe\u0301"], True),
        ("cafe", ["caf\u00e9"], False),
        ("x", ["y", "x"], True),
        ("snake_case", ["snake"], True),
        ("", ["x"], False),
        ("x", [], False),
    ],
)
def test_has_answer(body: str, answers: list[str], expected: bool) -> None:
    assert has_answer(body, answers) is expected


def test_an_answer_without_a_word_is_refused() -> None:
    with pytest.raises(InputError, match="the answer ' ' has no word; it would match any text"):
        has_answer("x", [" "])


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_words_of_ascii_and_of_unicode_agree_with_the_general_pattern(body: str) -> None:
    """`regex` knows Unicode's classes; it comes with the tokenizers and is used here only."""
    regex = pytest.importorskip("regex")
    import unicodedata

    pattern = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
    known = [c for c in body if unicodedata.category(c) != "Cn"]
    decomposed = unicodedata.normalize("NFD", "".join(known))
    assert words("".join(known)) == [word.lower() for word in pattern.findall(decomposed)]
