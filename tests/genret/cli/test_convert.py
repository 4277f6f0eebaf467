"""`genret convert` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import read_judgements, read_queries, read_questions, read_run
from genret.errors import InputError


def test_a_dpr_corpus_becomes_a_beir_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "psgs.tsv").write_text("id\ttext\ttitle\n1\tsome text\tT\n")
    assert (
        genret(monkeypatch, "convert", tmp_path / "psgs.tsv", tmp_path / "c.jsonl", "--to", "beir-corpus")
        == 0
    )
    assert (tmp_path / "c.jsonl").read_text() == '{"_id": "1", "title": "T", "text": "some text"}\n'


def test_check_names_problems_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    path.write_text("q Q0 a 1 1.0 t\nq Q0 a 2 0.5 t\nq Q0 b 3 x t\n")
    assert genret(monkeypatch, "convert", "--check", path) == 3
    captured = capsys.readouterr()
    assert [line.split(": ")[0] for line in captured.out.splitlines()] == [
        f"{path}, line 2",
        f"{path}, line 3, column 5",
    ]
    assert "2 problems as trec-run" in captured.err
    path.write_text("q Q0 a 1 1.0 t\n")
    assert genret(monkeypatch, "convert", "--check", path) == 0
    assert capsys.readouterr().out == f"{path}: no problem as trec-run.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{run}"], 2, "give a TARGET to convert to, or --check"),
        (["{run}", "{out}", "--check"], 3, "no such file or folder"),
        (["{run}", "{out}", "--split", "words:9"], 3, "not JSON"),
        (["{run}", "{out}", "--to", "trec-run", "--split", "words:9"], 2, "--split say how a corpus is read"),
        (["{run}", "{out}", "--split", "word:9"], 2, "split: expected none, sections"),
        (["{run}", "{run}", "{out}", "--to", "trec-run"], 2, "several files are read as one corpus only"),
        (["{run}", "{out}"], 2, "name TARGET's format with --to"),
        (["{run}", "{out}", "--to", "pdf"], 2, "'pdf' is no format"),
        (["{run}", "{out}", "--to", "beir-corpus"], 2, "not the same kind"),
        (["{run}", "{run}", "--to", "msmarco-run"], 3, "pass --overwrite"),
        (["{run}x", "{out}", "--to", "msmarco-run"], 3, "no such file or folder"),
        (["{folder}", "{out}", "--to", "msmarco-run"], 3, "expected a file, found a folder"),
        (["{run}", "{out}", "--from", "kilt-run", "--to", "trec-run"], 3, "line 1: not JSON"),
        (["{run}", "{out}", "--to", "dpr-run"], 2, "give --corpus and --questions"),
        (
            ["{run}", "{out}", "--to", "kilt-page-run", "--from", "trec-run"],
            2,
            "kilt-page-run can be read only",
        ),
    ],
)
def test_bad_calls_end_in_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    run.write_text("q Q0 a 1 1.0 t\n")
    filled = [argument.format(run=run, out=tmp_path / "out", folder=tmp_path) for argument in arguments]
    assert genret(monkeypatch, "convert", *filled) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()


def test_a_run_becomes_contexts_with_texts_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, corpus, questions, out = (tmp_path / name for name in ("run", "psgs.tsv", "nq.qa.csv", "out.json"))
    run.write_text("0 Q0 7 1 2.0 t\n0 Q0 8 2 1.0 t\n")
    corpus.write_text("id\ttext\ttitle\n7\tnothing here\tT\n8\tthe Eiffel Tower\tU\n")
    questions.write_text("what tower?\t['eiffel tower']\n")
    arguments = ["--to", "dpr-run", "--corpus", corpus, "--questions", questions]
    assert genret(monkeypatch, "convert", run, out, *arguments) == 0
    entry = json.loads(out.read_text())[0]
    assert [(one["id"], one["has_answer"]) for one in entry["ctxs"]] == [("7", False), ("8", True)]
    assert (entry["question"], entry["answers"]) == ("what tower?", ["eiffel tower"])


TRIVIA = '{"id":"a","output":[{"answer":"q","provenance":[{"wikipedia_id":"1"}]}]}\n'


def test_a_task_without_inputs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tv.jsonl"
    path.write_text(TRIVIA)
    assert genret(monkeypatch, "convert", "--check", path) == 3
    assert "field 'input': missing" in capsys.readouterr().err
    assert genret(monkeypatch, "convert", path, tmp_path / "q.jsonl", "--to", "beir-queries") == 3
    assert "field 'input': missing" in capsys.readouterr().err
    assert genret(monkeypatch, "convert", "--check", path, "--from", "kilt-queries") == 3
    assert f"{path}, line 1, field 'input': missing" in capsys.readouterr().out
    with pytest.raises(InputError, match="line 1, field 'input': missing"):
        list(read_queries(path))
    with pytest.raises(InputError, match="line 1, field 'input': missing"):
        list(read_questions(path))
    # As judgements, and as guesses where those are asked for, it can be read.
    assert read_judgements(path) == {"a": {"1": 1}}
    assert read_run(path) == {"a": [("1", -1.0)]}
    path.write_text('{"id":"a","output":[{"provenance":[{"wikipedia_id":"1"}]}]}\n')
    assert genret(monkeypatch, "convert", "--check", path) == 0


def test_a_page_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ks2.jsonl"
    path.write_text(
        '{"_id": "290", "wikipedia_id": "290", "wikipedia_title": "A", "text": ["A\\n", "A is a letter.\\n"]}\n'
        '{"_id": "290", "wikipedia_id": 290, "wikipedia_title": "A", "text": ["A dup page.\\n"]}\n'
        '{"wikipedia_id": 308, "wikipedia_title": "Aristotle", "text": ["Aristotle\\n"]}\n'
    )
    assert genret(monkeypatch, "convert", "--check", path) == 3
    told = "line 2, field 'wikipedia_id': '290' stands on line 1 already"
    assert told in capsys.readouterr().out
    assert genret(monkeypatch, "convert", path, tmp_path / "out.jsonl", "--to", "beir-corpus") == 3
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
