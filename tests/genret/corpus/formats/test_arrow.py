"""Corpora in Arrow and Parquet: the same passages as from JSON lines, in constant memory, or a sentence."""

from __future__ import annotations

import sys
import tracemalloc

import datasets
import pyarrow.parquet
import pytest
from command_line import genret

from genret.corpus import Passage, read_passages
from genret.corpus.corpus_options import CorpusOptions
from genret.errors import InputError, UsageError

PASSAGES = [Passage(f"p{n}", f"title {n}" if n % 3 else "", f"text of passage {n}") for n in range(2500)]


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def table(ids="_id", passages=PASSAGES, **columns):
    rows = {
        ids: [one.passage_id for one in passages],
        "title": [one.title for one in passages],
        "text": [one.text for one in passages],
        "vector": [[0.0, 1.0]] * len(passages),
    }
    return datasets.Dataset.from_dict(rows | columns)


def test_a_saved_folder_streams(tmp_path):
    table().save_to_disk(str(tmp_path / "corpus"), num_shards=3)
    assert list(read_passages(tmp_path / "corpus")) == PASSAGES


def test_one_split_among_one_is_taken_and_among_several_must_be_named(tmp_path):
    datasets.DatasetDict({"train": table()}).save_to_disk(str(tmp_path / "one"))
    assert list(read_passages(tmp_path / "one")) == PASSAGES
    both = datasets.DatasetDict({"train": table(), "test": table(passages=PASSAGES[:2])})
    both.save_to_disk(str(tmp_path / "two"))
    with pytest.raises(InputError, match=r"holds several splits \(train, test\); name the folder of one"):
        list(read_passages(tmp_path / "two"))
    assert list(read_passages(tmp_path / "two" / "test")) == PASSAGES[:2]


def test_parquet_and_arrow_files(tmp_path):
    table("id").to_parquet(str(tmp_path / "corpus.parquet"))
    assert list(read_passages(tmp_path / "corpus.parquet")) == PASSAGES
    table().save_to_disk(str(tmp_path / "saved"))
    (file,) = (tmp_path / "saved").glob("*.arrow")
    assert list(read_passages(file)) == PASSAGES


def test_numbers_as_ids_and_no_titles(tmp_path):
    numbered = table(id=list(range(2500))).remove_columns(["_id", "title"])
    numbered.to_parquet(str(tmp_path / "corpus.parquet"))
    found = list(read_passages(tmp_path / "corpus.parquet"))
    assert found[7] == Passage("7", "", "text of passage 7")
    table(title=[None] * 2500).save_to_disk(str(tmp_path / "saved"))
    assert next(read_passages(tmp_path / "saved")).title == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda one: one.rename_column("text", "words"),
            "row 1: no field is the text .*; name it with --text. There are: '_id', 'title', 'words', 'vector'",
        ),
        (lambda one: one.select([0, 1, 0]), "row 3, field '_id': 'p0' stands on row 1 already"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, change, message):
    change(table()).save_to_disk(str(tmp_path / "corpus"))
    with pytest.raises(InputError, match=message):
        list(read_passages(tmp_path / "corpus"))


def test_an_empty_table_is_a_sentence(tmp_path):
    table(passages=[]).to_parquet(str(tmp_path / "corpus.parquet"))
    with pytest.raises(InputError, match=r"corpus\.parquet: it has no passage"):
        list(read_passages(tmp_path / "corpus.parquet"))
    table(passages=[]).save_to_disk(str(tmp_path / "corpus"))
    with pytest.raises(InputError, match="corpus: it has no passage"):
        list(read_passages(tmp_path / "corpus"))


def test_title_only_rows_are_read_and_blank_ones_named_by_their_rows(tmp_path):
    table(passages=[*PASSAGES[:4], Passage("x", "t", ""), Passage("y", "", " ")]).save_to_disk(
        str(tmp_path / "corpus")
    )
    with pytest.raises(
        InputError, match=r"corpus, row 6: passage 'y' has neither title nor text; .* --skip-empty"
    ):
        list(read_passages(tmp_path / "corpus"))
    assert list(read_passages(tmp_path / "corpus", CorpusOptions(skip_empty=True))) == [
        *PASSAGES[:4],
        Passage("x", "t", ""),
    ]


@pytest.mark.parametrize("name", ["corpus.parquet", "corpus.arrow"])
def test_a_damaged_file_is_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match=f"{name}: damaged, or no table of Arrow's"):
        list(read_passages(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("state.json", '{"_data_files": [3]}'),
        ("state.json", '{"_data_files": [{"filename": "../other.arrow"}]}'),
        ("state.json", '{"_data_files": [{"filename": "gone.arrow"}]}'),
        ("dataset_dict.json", '{"splits": [".."]}'),
    ],
)
def test_a_damaged_folder_is_a_sentence(tmp_path, name, content):
    table(passages=PASSAGES[:1]).save_to_disk(str(tmp_path / "corpus"))
    (tmp_path / "corpus" / name).write_text(content)
    with pytest.raises(InputError, match="corpus: damaged, or no table of Arrow's"):
        list(read_passages(tmp_path / "corpus"))


def test_without_pyarrow_it_is_a_sentence(tmp_path, monkeypatch):
    table(passages=PASSAGES[:1]).save_to_disk(str(tmp_path / "corpus"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"corpus, a table, needs pyarrow: pip install 'genret\[arrow\]'"):
        list(read_passages(tmp_path / "corpus"))


def held(path) -> int:
    """The most bytes that Python and Arrow held while reading; a mapped file's pages are the system's to drop."""
    pool, most = pyarrow.default_memory_pool(), 0
    before = pool.bytes_allocated()
    tracemalloc.start()
    for number, _ in enumerate(read_passages(path)):
        if number % 500 == 0:
            most = max(most, pool.bytes_allocated() - before)
    most += tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    passages = [Passage(f"p{n}", "", f"{n:5d} " * 333) for n in range(24_000)]  # 48 MB of text
    long = table(passages=passages)
    pyarrow.parquet.write_table(long.data.table, tmp_path / "corpus.parquet", row_group_size=1000)
    long.save_to_disk(str(tmp_path / "corpus"))
    del passages, long
    assert held(tmp_path / "corpus.parquet") < 20e6
    assert held(tmp_path / "corpus") < 20e6


def test_a_table_is_checked_and_converted_like_any_format(tmp_path, monkeypatch, capsys):
    table(passages=[*PASSAGES[:3], Passage("x", "", ""), PASSAGES[0]]).to_parquet(tmp_path / "corpus.parquet")
    table().save_to_disk(str(tmp_path / "saved"))
    assert genret(monkeypatch, "convert", "--check", tmp_path / "corpus.parquet") == 3
    found = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[1].split(":")[0] for line in found] == ["row 4", "row 5"]
    assert (
        genret(monkeypatch, "convert", tmp_path / "saved", tmp_path / "out.jsonl", "--to", "beir-corpus") == 0
    )
    assert list(read_passages(tmp_path / "out.jsonl")) == PASSAGES
