"""What a fit keeps out of training stays out of everything that sees the passages."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from genret.config import from_mapping
from genret.corpus.corpus_options import CorpusOptions
from genret.errors import InputError, UsageError
from genret.fitting.fit_data import FitData, read_data
from genret.fitting.fit_options import FitOptions
from genret.training.examples.material import DataOptions

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
    return read_data(FitOptions(corpus, corpus / "model", **options))  # type: ignore[arg-type]


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


def beside(folder: Path, **splits: range) -> Path:
    """A corpus whose folder has judgements of these splits; `train.gz`-like suffixes are compressed."""
    corpus = write_corpus(folder)
    (corpus / "qrels").mkdir()
    for split, numbers in splits.items():
        judge(corpus / "qrels" / f"{split}.tsv", numbers)
    return corpus


def told(corpus: Path, **options: Path) -> tuple[FitData, list[str]]:
    lines: list[str] = []
    return read_data(FitOptions(corpus, corpus / "model", **options), lines.append), lines  # type: ignore[arg-type]


def test_judgements_beside_the_corpus_train_and_test(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", train=range(30), test=range(30, 36), dev=range(36, 40)))
    assert list(data.train) == [f"q{i}" for i in range(30)]
    assert list(data.test) == [f"q{i}" for i in range(30, 36)]
    assert data.test_name == "queries of qrels/test"
    assert lines == [
        "found beside the corpus: judgements of dev, test, train; train trains, test tests (dev: not used)."
    ]


def test_dev_is_the_test_where_there_is_no_other(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", train=range(30), dev=range(30, 36)))
    assert (len(data.train), len(data.test)) == (30, 6)
    assert lines == ["found beside the corpus: judgements of dev, train; train trains, dev tests."]


def test_a_part_of_train_is_held_back_where_it_is_alone(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", train=range(30)))
    assert (len(data.train), len(data.test)) == (27, 3)
    assert lines[0].endswith("train trains, a part of it is held back for the test.")


def test_a_test_alone_tests_what_the_passages_taught(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", test=range(6)))
    assert data.train == {}
    assert len(data.test) == 6
    assert list(data.passages) == list(data.store)
    assert lines[0].endswith("training is on the passages alone, test tests.")


def test_judgements_given_leave_those_beside_alone(tmp_path: Path) -> None:
    corpus = beside(tmp_path / "c", train=range(30), test=range(30, 36))
    data, lines = told(corpus, test_judgements=judge(tmp_path / "mine.tsv", range(4)))
    assert data.train == {}
    assert list(data.test) == ["q0", "q1", "q2", "q3"]
    assert lines == []


def test_a_query_in_both_splits_beside_is_in_the_test_only(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", train=range(30), test=range(28, 36)))
    assert len(data.train) == 28
    assert len(data.test) == 8
    assert lines[1] == "2 queries are judged for both; they are in the test only."


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    data, lines = told(beside(tmp_path / "c", everything=range(30)))
    assert data.test_name == "sentences held back from their passages"
    assert lines == [
        "found beside the corpus: judgements of everything; not used: none is called train or test. Pass --judgements "
        "to use a file."
    ]
    corpus = beside(tmp_path / "d", train=range(30))
    (corpus / "queries.jsonl").rename(tmp_path / "queries.jsonl")
    data, lines = told(corpus)
    assert data.train == {}
    assert lines[0].endswith("not used: there are no queries. Pass --queries to use them.")
    data, _ = told(corpus, queries=tmp_path / "queries.jsonl")
    assert len(data.train) == 27


def test_compressed_and_archived_labels_are_found_too(tmp_path: Path) -> None:
    corpus = beside(tmp_path / "c", train=range(30), test=range(30, 36))
    for path in [corpus / "queries.jsonl", *corpus.glob("qrels/*.tsv")]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    data, _ = told(corpus)
    assert (len(data.train), len(data.test)) == (30, 6)
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", corpus)
    assert told(Path(archive))[0].train == data.train


def test_blank_passages_are_left_out_with_their_training_judgements(tmp_path: Path) -> None:
    corpus = beside(tmp_path / "c", train=range(30), test=range(30, 36))
    lines = (corpus / "corpus.jsonl").read_text().splitlines()
    for row in (3, 33):
        lines[row] = json.dumps({"_id": f"p{row}", "title": "", "text": " "})
    (corpus / "corpus.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"line 4: passage 'p3' has neither title nor text; .* --skip-empty"):
        told(corpus)
    data = read_data(FitOptions(corpus, corpus / "model", reading=CorpusOptions(skip_empty=True)))
    assert len(data.store) == 38
    assert data.store.left_out == {"p3", "p33"}
    assert "q3" not in data.train
    # Whoever asks for it does not find it: a miss, as for every other system.
    assert data.test["q33"] == {"p33": 1}


def test_one_passage_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a search needs at least two"):
        read(write_corpus(tmp_path / "c", passages=1))


def test_a_budget_of_seconds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected at least 30"):
        FitOptions(tmp_path, tmp_path / "m", budget_seconds=5)


def test_a_folder_of_documents_is_a_corpus_and_so_are_several_places(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = "\n\n".join(f"## Part {i}\n\n" + " ".join(s.format(i) for s in SENTENCES) for i in range(6))
        (tmp_path / name / "guide.md").write_text(f"# Guide {name}\n\n{text}\n")
    split = CorpusOptions(split="sections")
    data = read_data(FitOptions(tmp_path / "one", tmp_path / "model", reading=split))
    assert list(data.store.passage_ids) == [f"guide.md#part-{i}" for i in range(6)]
    assert data.store[3].title == "Guide one > Part 3"
    assert data.store[3].metadata == {"document": "guide.md", "section": "Part 3"}
    (query_id,) = data.test
    assert data.test == {query_id: {query_id.removeprefix("sentence-of-"): 1}}
    places = (tmp_path / "one", tmp_path / "two")
    data = read_data(FitOptions(places, tmp_path / "model", reading=split))
    assert [one.split("#")[0] for one in data.store.passage_ids] == ["one/guide.md"] * 6 + [
        "two/guide.md"
    ] * 6
    with pytest.raises(
        UsageError, match=r"several places are named as the corpus .*: name the queries as well"
    ):
        read_data(FitOptions(places, tmp_path / "model", judgements=tmp_path / "j.tsv", reading=split))


def test_a_configuration_says_how_its_corpus_is_read() -> None:
    data = from_mapping(DataOptions, {"corpus": "c", "text": "body.text", "split": "words:9"}, "r.yaml")
    assert data.reading == CorpusOptions(text="body.text", split="words:9")
    with pytest.raises(InputError, match=r"r\.yaml: split: expected none, sections"):
        from_mapping(DataOptions, {"corpus": "c", "split": "word:9"}, "r.yaml")


def test_judged_documents_train_by_their_pieces_and_test_as_documents(tmp_path: Path) -> None:
    corpus, split = write_corpus(tmp_path / "c"), CorpusOptions(split="sentences")
    train, test = judge(tmp_path / "train.tsv", range(30)), judge(tmp_path / "test.tsv", range(30, 40))
    settings = FitOptions(corpus, tmp_path / "m", judgements=train, test_judgements=test, reading=split)
    data = read_data(settings)
    assert data.store.split == "sentences"
    assert data.train["q7"] == {"p7#1": 1, "p7#2": 1, "p7#3": 1}
    assert data.test["q30"] == {"p30": 1}
    held = read_data(FitOptions(corpus, tmp_path / "m", judgements=train, reading=split))
    assert all(grades == {f"p{query_id[1:]}": 1} for query_id, grades in held.test.items())
    assert all(len(grades) == 3 for grades in held.train.values())
    train.write_text(train.read_text() + "q1\tp99\t1\n")
    with pytest.raises(InputError, match=r"train.tsv, line 32.*p99"):
        read_data(settings)
