"""Files as people have them, beyond the published sets: what is read, and what a refusal says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import Run, read_judgements, read_queries, read_run, read_store
from genret.corpus.formats import kilt, registry
from genret.corpus.formats.datafile import DataFile
from genret.errors import InputError

ROWS = [{"_id": "1", "title": "Otter", "text": "it swims"}, {"_id": "2", "title": "", "text": "it jumps"}]
JSON_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---- judgements -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq\tp\t2\n",
        "corpus-id\tquery-id\tscore\np\tq\t2\n",
        "score\tquery_id\tdoc_id\n2\tq\tp\n",
        "qid\trelevance\tdocno\nq\t2\tp\n",
        "docid\titer\tqid\trel\np\t0\tq\t2\n",
        "topic iter docno rel\nq 0 p 2\n",
        "a\tb\tgrade\nq\tp\t2\n",
        "q 0 p 2 \t\n",
    ],
)
def test_a_header_says_which_column_is_which(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "any.txt", text)
    assert read_judgements(path) == {"q": {"p": 2}}
    assert registry.detect(DataFile(path)).endswith("-judgements")


def test_three_columns_are_judgements_by_their_name_or_folder(tmp_path: Path) -> None:
    for name in ("my.qrels", "qrels/train.tsv"):
        assert registry.detect(DataFile(write(tmp_path / name, "q\tp\t1\n"))) == "beir-judgements"
    with pytest.raises(InputError, match="could be beir-judgements or msmarco-run"):
        registry.detect(DataFile(write(tmp_path / "x.tsv", "q\tp\t1\n")))


# ---- runs -------------------------------------------------------------------------------------------------


def test_a_runs_header_is_no_hit(tmp_path: Path) -> None:
    path = write(tmp_path / "run", "qid Q0 docno rank score tag\nq Q0 p 1 2.5 t\n")
    assert read_run(path) == {"q": [("p", 2.5)]}


@pytest.mark.parametrize(
    ("lines", "against"),
    [
        (["q Q0 a 1 0.1 t", "q Q0 b 2 0.2 t"], 1),
        (["q Q0 b 2 0.2 t", "r Q0 a 1 3 t", "q Q0 a 1 0.1 t"], 1),
        (["q Q0 a 1 2 t", "q Q0 b 2 1 t"], 0),
        (["q Q0 b 2 1 t", "q Q0 a 1 2 t"], 0),
        (["q Q0 a 1 2 t", "q Q0 b 2 2 t"], 0),
        (["q Q0 a 0 1 t", "q Q0 b 0 2 t"], 0),
        (["q Q0 a x 1 t", "q Q0 b y 2 t"], 0),
    ],
)
def test_ranks_that_go_against_the_scores_are_told(
    lines: list[str], against: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = read_run(write(tmp_path / "run", "\n".join(lines) + "\n"))
    scores = [score for _, score in run["q"]]
    assert scores == sorted(scores, reverse=True)
    assert (f"in {against} of {len(run)} queries the ranks go against the scores" in caplog.text) == bool(
        against
    )


# ---- JSON -------------------------------------------------------------------------------------------------

NO_LINES = {
    "an object over lines": (json.dumps(ROWS[0], indent=1), "line 1: expected one whole JSON object a line"),
    "single quotes": (str(ROWS[0]), "line 1: not JSON .Expecting property name enclosed in double quotes"),
    "a comma behind": (json.dumps(ROWS[0]) + ",\n", "line 1: not JSON .Extra data"),
    "a name twice": ('{"_id": "1", "_id": "2", "text": "a"}', "'_id' stands twice in one object"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_LINES)
def test_what_is_not_one_object_a_line_is_told_so(name: str, tmp_path: Path) -> None:
    content, message = NO_LINES[name]
    path = write(tmp_path / "corpus.jsonl", content)
    with pytest.raises(InputError, match=message):
        registry.detect(DataFile(path))
    with pytest.raises(InputError, match=message):
        read_store(path)


def test_an_array_of_records_is_read_whatever_its_name(tmp_path: Path) -> None:
    for number, text in enumerate((json.dumps(ROWS), json.dumps(ROWS, indent=1))):
        path = write(tmp_path / f"{number}" / "corpus.jsonl", text)
        assert registry.detect(DataFile(path)) == "json-corpus"
        assert [one.passage_id for one in read_store(path)] == ["1", "2"]


def test_fields_of_no_known_kind_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"key": "1", "words": "a"}\n')
    with pytest.raises(
        InputError, match=r"no format is recognised by the fields 'key', 'words' .BEIR's corpus has _id"
    ):
        registry.detect(DataFile(path))


def test_json_of_another_kind_is_no_line_of_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{"q1": {"p1": 3.0, "p2": 2.0}, "q2": {"p1": 1.0}}\n')
    with pytest.raises(InputError, match="JSON in none of the formats of a run"):
        read_run(path)
    with pytest.raises(InputError, match="JSON in none of the formats of judgements"):
        read_judgements(path)


# ---- bytes ------------------------------------------------------------------------------------------------


def test_a_text_with_an_archives_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    assert [row.passage_id for row in read_store(write(tmp_path / "c.zip", JSON_LINES))] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (JSON_LINES.replace("swims", "\u6c34\u736d\u6e38\u6cf3").encode("gb18030"), "of another alphabet"),
        (JSON_LINES.replace("swims", "\u043f\u043b\u0430\u0432\u0430\u0435\u0442").encode("cp1251"), "another alphabet"),
        (JSON_LINES.replace("swims", "fl\u00fcssig").encode("latin-1"), r"'\\xfc' in Latin-1 or Windows-1252"),
        (JSON_LINES.replace("it swims", "\u00e9\u00e0\u00e8\u00e9 @").encode().replace(b"@", b"\xe9!"), "the line is damaged, or holds two"),
    ],
)  # fmt: skip
def test_an_encoding_is_named_as_far_as_it_is_known(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_store(write(tmp_path / "corpus.jsonl", content))


def test_an_id_that_a_run_cannot_hold_is_refused_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write(tmp_path / "c" / "corpus.jsonl", JSON_LINES.replace('"2"', '"two words"'))
    write(tmp_path / "c" / "queries.jsonl", '{"_id": "q", "text": "swims"}\n')
    arguments = ["baseline", "bm25", corpus.parent, "--output", tmp_path / "run"]
    assert genret(monkeypatch, *arguments) == 3
    assert "corpus.jsonl, line 2, field '_id': the id 'two words' cannot stand" in capsys.readouterr().err
    assert genret(monkeypatch, *arguments, "--format", "genret-run") == 0


# ---- KILT -------------------------------------------------------------------------------------------------


def gold(*pieces: dict[str, object]) -> str:
    return (
        json.dumps({"id": 1, "input": "who", "output": [{"answer": "x", "provenance": list(pieces)}]}) + "\n"
    )


def test_paragraphs_from_last_to_first_are_the_same_paragraphs(tmp_path: Path) -> None:
    piece = {"wikipedia_id": 7, "start_paragraph_id": 3, "end_paragraph_id": "1"}
    path = write(tmp_path / "gold", gold(piece))
    assert kilt.judgements(DataFile(path), "paragraph") == {"1": {"7#1": 1, "7#2": 1, "7#3": 1}}
    assert kilt.judgements(DataFile(path)) == {"1": {"7": 1}}


def test_a_test_file_may_say_that_it_has_no_output(tmp_path: Path) -> None:
    path = write(tmp_path / "task", '{"id": "1", "input": "who", "output": null}\n')
    assert [query.text for query in read_queries(path)] == ["who"]
    with pytest.raises(InputError, match="no judgement; expected lines with provenance"):
        kilt.judgements(DataFile(path))


def test_guesses_without_paragraphs_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"wikipedia_id": "7", "start_paragraph_id": 1, "end_paragraph_id": 1}
    task, guess = (
        write(tmp_path / "gold", gold(place)),
        write(tmp_path / "guess", gold({"wikipedia_id": "7"})),
    )
    assert genret(monkeypatch, "eval", guess, task, "--kilt", "paragraph") == 0
    assert "no guess names a paragraph" in capsys.readouterr().err
    for path, level in ((task, "paragraph"), (guess, "page")):
        assert genret(monkeypatch, "eval", path, task, "--kilt", level, "--metric", "Rprec") == 0
        captured = capsys.readouterr()
        assert "1.000" in captured.out
        assert captured.err == ""


@pytest.mark.parametrize("run", [{"\u2028q": [("p", 1.0)]}, {"q": [("p\u3000", 1.0)]}])
def test_ids_that_kilt_would_make_equal_are_not_written(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot stand in a KILT file: white space is at its ends"):
        kilt.write_run(tmp_path / "guess", run)
    assert not (tmp_path / "guess").exists()
