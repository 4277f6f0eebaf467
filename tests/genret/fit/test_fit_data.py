"""What a fit keeps out of training stays out of everything that sees the passages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genret.errors import InputError, UsageError
from genret.fit.data import FitData, read_data
from genret.fit.settings import FitSettings

SENTENCES = [
    "The first sentence of passage {} introduces it.",
    "Its second sentence number {} has quite a few words in it.",
    "And the third one of {} ends the whole passage here.",
]


def write_corpus(folder: Path, passages: int = 40) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [
        {"_id": f"p{i}", "title": f"title {i}", "text": " ".join(s.format(i) for s in SENTENCES)}
        for i in range(passages)
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    queries = [{"_id": f"q{i}", "text": f"what is number {i}"} for i in range(passages)]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    return folder


def judge(path: Path, numbers: range) -> Path:
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\tp{i}\t1\n" for i in numbers))
    return path


def read(corpus: Path, **options: Path | int) -> FitData:
    return read_data(FitSettings(corpus, corpus / "model", **options))  # type: ignore[arg-type]


def test_without_labels_sentences_leave_their_passages(tmp_path: Path) -> None:
    data = read(write_corpus(tmp_path / "c"))
    assert data.train == {}
    assert len(data.test) == 4
    for query in data.test_queries:
        (passage_id,) = data.test[query.query_id]
        row = data.store.row(passage_id)
        assert query.text in data.store[row].text
        assert query.text not in data.passages[row].text
        assert data.passages[row].text.startswith("The first sentence")
    assert read(tmp_path / "c").queries == data.queries
    assert read(tmp_path / "c", seed=1).queries != data.queries


def test_a_tenth_of_the_judged_queries_is_held_back(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c")
    data = read(corpus, judgements=judge(tmp_path / "train.tsv", range(30)))
    assert len(data.test) == 3
    assert len(data.train) == 27
    assert not data.test.keys() & data.train.keys()
    assert list(data.passages) == list(data.store)


def test_test_judgements_are_the_test(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c")
    train, test = judge(tmp_path / "train.tsv", range(30)), judge(tmp_path / "test.tsv", range(30, 40))
    data = read(corpus, judgements=train, test_judgements=test)
    assert set(data.test) == {f"q{i}" for i in range(30, 40)}
    assert len(data.train) == 30
    assert read(corpus, test_judgements=test).train == {}


def test_a_query_in_both_files_is_a_leak(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c")
    train, test = judge(tmp_path / "train.tsv", range(30)), judge(tmp_path / "test.tsv", range(29, 40))
    with pytest.raises(InputError, match=r"query 'q29' \(1 in all\) is judged for training too"):
        read(corpus, judgements=train, test_judgements=test)


def test_one_passage_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a search needs at least two"):
        read(write_corpus(tmp_path / "c", passages=1))


def test_a_budget_of_seconds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected at least 30"):
        FitSettings(tmp_path, tmp_path / "m", budget_seconds=5)
