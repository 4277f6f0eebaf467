"""`genret docid` as a user calls it: tables, look-ups, messages and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from docid import DocidTable
from genret.cli.corpus import docid as docid_commands
from genret.errors import ArtefactError, InputError, UsageError

PASSAGES = [
    {"_id": "a", "title": "Apples", "text": "red and round fruit"},
    {"_id": "b", "title": "Bananas", "text": "yellow and long fruit"},
    {"_id": "c", "title": "Apples", "text": "more of them"},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, PASSAGES)))
    np.save(tmp_path / "vectors.npy", np.eye(3, dtype=np.float32))
    return tmp_path / "corpus.jsonl"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(tmp_path / "byt5")
    return tmp_path / "byt5"


def genret(*arguments: object) -> str:
    """Run `genret docid ...` and give its standard output; errors come as they are raised."""
    app = typer.Typer()
    docid_commands.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["docid", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_semantic_docids_from_a_file_of_vectors(corpus: Path, tmp_path: Path) -> None:
    table, vectors = tmp_path / "docids", tmp_path / "vectors.npy"
    options = ("--set", "branching=2", "--set", "leaf_size=2")
    genret("build", corpus, "-o", table, "--embeddings", vectors, *options)
    loaded = DocidTable.load(table)
    assert (loaded.num_documents, loaded.num_docids) == (3, 3)
    lines = genret("show", table).splitlines()
    assert lines[0].startswith(
        "3 documents, 3 docids (2 to 2 tokens, 2.00 on average), 4 new tokens, not yet bound"
    )
    assert [line.split("\t")[:2] for line in lines[1:]] == [[str(row), loaded.docid(row)] for row in range(3)]


def test_title_docids_and_look_ups(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    table = tmp_path / "docids"
    genret("build", corpus, "-o", table, "--strategy", "title", "--tokenizer", tokenizer)
    tokens = " ".join(str(byte + 3) for byte in b"Apples")
    assert genret("show", table, "Apples") == f"0\tApples\t{tokens}\n2\tApples\t{tokens}\n"
    assert genret("show", table, "--document", 1).startswith("1\tBananas\t")


def test_suffixes_keep_titles_apart(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    table = tmp_path / "docids"
    genret(
        "build", corpus, "-o", table, "--strategy", "title", "--tokenizer", tokenizer, "--set", "equal=suffix"
    )
    assert DocidTable.load(table).docids(range(3)) == ["Apples", "Bananas", "Apples (2)"]


def test_nothing_is_overwritten_without_being_asked(corpus: Path, tmp_path: Path) -> None:
    table = tmp_path / "docids"
    genret("build", corpus, "-o", table, "--strategy", "atomic")
    with pytest.raises(InputError, match="exists already"):
        genret("build", corpus, "-o", table, "--strategy", "atomic")
    genret("build", corpus, "-o", table, "--strategy", "atomic", "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("--strategy", "magic"),
            UsageError,
            "no docid strategy is called",
        ),
        (("--strategy", "title"), InputError, "needs the model's tokenizer"),
        (
            ("--strategy", "title", "--tokenizer", "/nowhere"),
            InputError,
            "/nowhere: no tokenizer there",
        ),
        (("--set", "branching"), UsageError, "--set branching: expected NAME=VALUE"),
        (("--set", "branch=3"), InputError, "unknown key 'branch'; did you mean 'branching'?"),
        (("--set", "branching=many"), InputError, "branching: expected a whole number"),
        (("--set", "branching=1"), InputError, "branching: expected at least 2, found 1"),
        (("--embeddings", "/nowhere.npy"), InputError, "/nowhere.npy: cannot be read as a .npy file"),
    ],
)
def test_bad_calls_are_told(
    corpus: Path, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("?", r"\?")):
        genret("build", corpus, "-o", tmp_path / "docids", *arguments)
    assert not (tmp_path / "docids").exists()


def test_vectors_of_another_corpus_are_refused(corpus: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.eye(4))
    with pytest.raises(InputError, match="embeddings: found 4 rows, expected one for each of 3 documents"):
        genret("build", corpus, "-o", tmp_path / "docids", "--embeddings", tmp_path / "vectors.npy")


def test_a_file_that_is_no_table_and_a_docid_that_is_none_are_told(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="not a docid-table file"):
        genret("show", corpus)
    genret("build", corpus, "-o", tmp_path / "docids", "--strategy", "atomic")
    with pytest.raises(InputError, match="no document has the docid 'Pears'"):
        genret("show", tmp_path / "docids", "Pears")
    with pytest.raises(InputError, match="document 7: no such document"):
        genret("show", tmp_path / "docids", "--document", 7)


@pytest.fixture
def tables(corpus: Path, tmp_path: Path) -> list[Path]:
    for name in ("atomic", "string"):
        options = ("--set", "digits=true") if name == "string" else ()
        genret("build", corpus, "-o", tmp_path / f"{name}.table", "--strategy", name, *options)
    return [tmp_path / "atomic.table", tmp_path / "string.table"]


def test_reports_stand_side_by_side(corpus: Path, tables: list[Path], tmp_path: Path) -> None:
    text = genret("compare", *tables, "--corpus", corpus, "--figure", tmp_path / "figure.svg")
    assert text.splitlines()[0] == "|  | atomic | string |"
    assert "| new tokens | 3 | 10 |" in text
    assert (tmp_path / "figure.svg").read_text().lstrip().startswith("<?xml")
    content = json.loads(genret("report", tables[0], "--json"))
    assert content["atomic"]["documents"] == 3


def test_nearest_centroid_retrieval_is_reported(corpus: Path, tables: list[Path], tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "fruit"}\n{"_id": "r", "text": "more"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nr\tc\t1\n")
    np.save(tmp_path / "queries.npy", np.array([[1, 0, 0], [0, 0.1, 1]], np.float32))
    vectors = ("--embeddings", tmp_path / "vectors.npy")
    queries = ("--query-embeddings", tmp_path / "queries.npy")
    assert "| dense hit@1 | 1.000 |" in genret("report", tables[0], "--corpus", tmp_path, *vectors, *queries)
    with pytest.raises(UsageError, match="--corpus, --embeddings and --query-embeddings together"):
        genret("report", tables[0], "--corpus", tmp_path, *queries)
    assert "| vector kept (levels) | 1.000 (1) |" in genret("report", tables[0], *vectors)
    np.save(tmp_path / "fewer.npy", np.eye(2, dtype=np.float32))
    with pytest.raises(InputError, match="found 2 embeddings for 3 documents"):
        genret("report", tables[0], "--embeddings", tmp_path / "fewer.npy")


def test_purity_is_against_titles_or_given_labels(corpus: Path, tmp_path: Path) -> None:
    table, labels = tmp_path / "two.table", tmp_path / "labels.tsv"
    names = ["<x>", "<y>", "<a>", "<b>", "<c>"]
    DocidTable.build(["x-a", "x-b", "y-c"], [[-1, -3], [-1, -4], [-2, -5]], names).save(table)
    labels.write_text("c\tyellow\na\tred\nb\tred\n")
    assert "| purity by level | 0.67 / 1.00 |" in genret("report", table, "--corpus", corpus)
    assert "| purity by level | 1.00 / 1.00 |" in genret(
        "report", table, "--corpus", corpus, "--labels", labels
    )
    with pytest.raises(UsageError, match="--labels needs --corpus"):
        genret("report", table, "--labels", labels)


def test_the_table_of_another_corpus_is_refused(tables: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"_id": "a", "title": "A", "text": "one"}\n')
    with pytest.raises(InputError, match="has 3 documents, the corpus has 1 passages"):
        genret("report", tables[0], "--corpus", tmp_path / "other.jsonl")


def test_new_passages_come_after_those_that_have_docids(corpus: Path, tmp_path: Path) -> None:
    table, strategy, grown = tmp_path / "docids", tmp_path / "strategy", tmp_path / "grown"
    options = ("--set", "branching=2", "--set", "leaf_size=2", "--keep", strategy)
    genret("build", corpus, "-o", table, "--embeddings", tmp_path / "vectors.npy", *options)
    (tmp_path / "new.jsonl").write_text('{"_id": "d", "title": "Dates", "text": "sweet"}\n')
    np.save(tmp_path / "new.npy", np.eye(3, dtype=np.float32)[:1])
    genret("add", table, strategy, tmp_path / "new.jsonl", "-o", grown, "--embeddings", tmp_path / "new.npy")
    before, after = DocidTable.load(table), DocidTable.load(grown)
    assert after.docids(range(3)) == before.docids(range(3))
    assert after.docid(3).split("-")[0] == before.docid(0).split("-")[0]
    assert after.num_docids == 4


def test_removed_passages_are_found_no_more(corpus: Path, tmp_path: Path) -> None:
    table, fewer = tmp_path / "docids", tmp_path / "fewer"
    genret("build", corpus, "-o", table, "--strategy", "atomic")
    genret("remove", table, "<doc_1>", "--document", 2, "-o", fewer)
    assert genret("show", fewer).startswith("3 documents (2 removed), 3 docids")
    assert genret("show", fewer, "<doc_0>").startswith("0\t<doc_0>")
    with pytest.raises(InputError, match="no document has the docid '<doc_1>'"):
        genret("show", fewer, "<doc_1>")
    with pytest.raises(UsageError, match="nothing to remove"):
        genret("remove", table, "-o", tmp_path / "none")


def test_an_autoencoder_is_trained_where_the_strategy_needs_one(corpus: Path, tmp_path: Path) -> None:
    table, vectors = tmp_path / "docids", tmp_path / "vectors.npy"
    options = ("--strategy", "rqvae", "--set", "levels=2", "--set", "codes=2", "--set", "collisions=ordinal")
    genret("build", corpus, "-o", table, "--embeddings", vectors, *options)
    assert DocidTable.load(table).num_docids == 3


def test_ngrams_need_no_docids(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"every n-gram of a passage names it.*genret index build"):
        genret("build", corpus, "-o", tmp_path / "docids", "--strategy", "ngrams")


def made_tokenizer(folder: Path) -> Path:
    from genret.tokenizer.unigram import train_tokenizer

    texts = [f"paris lies on a river, the seine, and london on the thames {i}" for i in range(100)]
    train_tokenizer(texts, folder, vocab_size=40)
    return folder


def test_a_title_that_spells_the_end_is_a_docid_like_any_other(tmp_path: Path) -> None:
    titles = ["</s>", "paris", "a </s> b", "<pad>"]
    rows = [{"_id": f"d{i}", "title": title, "text": "x"} for i, title in enumerate(titles)]
    (tmp_path / "titles.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ("--strategy", "title", "--tokenizer", made_tokenizer(tmp_path / "tokenizer"))
    genret("build", tmp_path / "titles.jsonl", "-o", tmp_path / "table", *options)
    table = DocidTable.load(tmp_path / "table")
    trie = table.trie(eos=1)
    assert trie.num_documents == table.num_docids == 4
    assert not np.isin(table.sequences.values, [0, 1]).any()


def test_titles_that_the_tokenizer_cannot_tell_apart_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    titles = ["京都", "東京", "paris", "大阪", "london", "paris"]
    rows = [{"_id": f"d{i}", "title": title, "text": "x"} for i, title in enumerate(titles)]
    (tmp_path / "titles.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ("--strategy", "title", "--tokenizer", made_tokenizer(tmp_path / "tokenizer"))
    genret("build", tmp_path / "titles.jsonl", "-o", tmp_path / "table", *options)
    (record,) = [r for r in caplog.records if r.name.startswith("docid")]
    message = record.getMessage()
    assert "3 of 5 different docid texts (60.0%)" in message
    assert all(name in message for name in ("'京都'", "residual", "atomic"))
    caplog.clear()
    (tmp_path / "titles.jsonl").write_text(json.dumps({"_id": "d0", "title": "paris", "text": "x"}))
    genret("build", tmp_path / "titles.jsonl", "-o", tmp_path / "table", *options, "--overwrite")
    assert not [r for r in caplog.records if r.name.startswith("docid")]


def test_codes_that_processes_and_shards_give_make_the_table_of_one(corpus: Path, tmp_path: Path) -> None:
    options = ("--strategy", "residual", "--set", "levels=2", "--set", "codes=2", "--set", "collisions=next")
    options = ("build", corpus, "--embeddings", tmp_path / "vectors.npy", *options)
    tables = [tmp_path / name for name in ("one", "workers", "shards")]
    genret(*options, "-o", tables[0])
    genret(*options, "-o", tables[1], "--workers", 2)
    genret(*options, "-o", tables[2], "--shard", "1/2")
    genret(*options, "-o", tables[2], "--shard", "0/2")
    # Three passages are one part: the first of the two shards had none.
    assert len({table.read_bytes() for table in tables}) == 1
    assert not list(tmp_path.glob("*.parts"))
    with pytest.raises(UsageError, match="write them with `genret embed`"):
        genret("build", corpus, "-o", tmp_path / "no", "--strategy", "residual", "--workers", 2)
    with pytest.raises(UsageError, match=r"residual, product, rqvae"):
        genret("build", corpus, "-o", tmp_path / "no", "--strategy", "title", "--shard", "0/2")
