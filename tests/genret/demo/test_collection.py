from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from genret.corpus import read_judgements, read_passages, read_queries
from genret.demo.collection import judged_collection, stdlib_collection, write_split
from genret.demo.questions import DemoQuestion
from genret.errors import InputError


def beir(folder: Path, **splits: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    passages = [{"_id": name, "title": "", "text": f"text of {name}"} for name in ("p1", "p2", "p3")]
    queries = [{"_id": f"q{number}", "text": f"question {number}?"} for number in range(1, 5)]
    for name, rows in (("corpus", passages), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, lines in splits.items():
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    return folder


def test_train_questions_train_and_dev_questions_are_kept_out(tmp_path: Path) -> None:
    place = beir(
        tmp_path / "in", dev="q1\tp1\t1\nq1\tp2\t0\nq2\tp3\t2\n", train="q2\tp3\t1\nq3\tp1\t1\nq4\tp2\t0\n"
    )
    found = judged_collection(place, tmp_path / "out")
    assert found.questions == [
        DemoQuestion("q1", "question 1?", ("p1",)),
        DemoQuestion("q2", "question 2?", ("p3",)),
    ]
    assert found.train is not None
    assert read_judgements(found.train) == {"q3": {"p1": 1}}
    assert read_judgements(found.test) == {"q1": {"p1": 1}, "q2": {"p3": 1}}
    assert [query.query_id for query in read_queries(found.folder)] == ["q1", "q2", "q3"]
    assert list(read_passages(found.folder)) == found.passages
    assert found.messages == []


def test_without_train_questions_a_message_says_so(tmp_path: Path) -> None:
    found = judged_collection(beir(tmp_path / "in", test="q1\tp1\t1\n"), tmp_path / "out")
    assert found.train is None
    assert len(found.questions) == 1
    assert "trained without questions" in found.messages[0]


def test_without_held_out_questions_nothing_can_be_shown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dev"):
        judged_collection(beir(tmp_path / "in", train="q1\tp1\t1\n"), tmp_path / "out")


def test_judgement_of_an_unknown_passage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="p9"):
        judged_collection(beir(tmp_path / "in", dev="q1\tp9\t1\n"), tmp_path / "out")


def test_a_wheel_with_boolq_in_it(tmp_path: Path) -> None:
    wheel = tmp_path / "boolq-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for split, title in (("train", "Rome"), ("dev", "Oslo")):
            row = {
                "question": f"is {title} a city",
                "title": title,
                "passage": f"{title} is a city.",
                "answer": True,
            }
            archive.writestr(f"data/{split}.jsonl", json.dumps(row) + "\n")
    found = judged_collection(wheel, tmp_path / "out")
    assert [one.text for one in found.questions] == ["is Oslo a city"]
    assert len(found.passages) == 2
    assert found.train is not None
    (taught,) = read_judgements(found.train)
    assert {query.query_id: query.text for query in read_queries(found.folder)}[taught] == "is Rome a city"


def test_digest_follows_the_corpus(tmp_path: Path) -> None:
    place = beir(tmp_path / "in", dev="q1\tp1\t1\n")
    first, again = (judged_collection(place, tmp_path / name).digest for name in ("one", "two"))
    with (place / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "p4", "text": "more"}) + "\n")
    assert first == again != judged_collection(place, tmp_path / "three").digest


def test_stdlib_has_passages_and_questions_and_no_labels(tmp_path: Path) -> None:
    found = stdlib_collection(tmp_path / "corpus")
    assert len(found.passages) > 4000
    assert len(found.questions) >= 70
    assert found.train is None
    judged = read_judgements(found.test, passage_ids={one.passage_id for one in found.passages})
    assert judged.keys() == {one.query_id for one in found.questions}


def test_a_split_has_a_line_for_each_right_passage(tmp_path: Path) -> None:
    path = write_split(tmp_path, "test", [DemoQuestion("q1", "which?", ("a.b", "c"))])
    assert path == tmp_path / "qrels" / "test.tsv"
    assert path.read_text().splitlines() == ["query-id\tcorpus-id\tscore", "q1\ta.b\t1", "q1\tc\t1"]
