"""Words beside a table of docids, as `genret docid` makes, grows, loses and judges them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from floats import FORWARD, assert_close
from test_docid_commands import PASSAGES, genret
from transformers import ByT5Tokenizer

from docid import DocidTable
from docid.words import WordSets
from genret.errors import ArtefactError, InputError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus, a tokenizer of bytes, and a table with words beside it and its strategy."""
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, PASSAGES)))
    ByT5Tokenizer().save_pretrained(tmp_path / "byt5")
    build(tmp_path, "docids.table", "--words", 4, "--keep", tmp_path / "strategy")
    return tmp_path


def build(folder: Path, name: str, *options: object) -> None:
    tokenizer = ("--tokenizer", folder / "byt5")
    genret(
        "build", folder / "corpus.jsonl", "-o", folder / name, "--strategy", "atomic", *tokenizer, *options
    )


def held(path: Path) -> list[set[str]]:
    """The words of each document as characters."""
    sets = WordSets.load(path).sets()
    rows = [sets.values[a:b] for a, b in zip(sets.offsets, sets.offsets[1:], strict=False)]
    return [{chr(byte - 3) for byte in row} for row in rows]


def test_a_table_has_words_beside_it(folder: Path) -> None:
    words = held(folder / "docids.words")
    assert [len(row) for row in words] == [4, 4, 4]
    for row, passage in zip(words, PASSAGES, strict=True):
        assert row <= set(passage["title"] + passage["text"])


def test_words_grow_with_the_table(folder: Path) -> None:
    (folder / "new.jsonl").write_text(json.dumps(PASSAGES[1]) + "\n" + json.dumps(PASSAGES[0]))
    call = ("add", folder / "docids.table", folder / "strategy", folder / "new.jsonl")
    with pytest.raises(UsageError, match="words beside it, which needs --tokenizer"):
        genret(*call, "-o", folder / "grown.table")
    assert not (folder / "grown.table").exists()
    genret(*call, "-o", folder / "grown.table", "--tokenizer", folder / "byt5")
    before, grown = held(folder / "docids.words"), held(folder / "grown.words")
    assert grown == [*before, before[1], before[0]]
    assert DocidTable.load(folder / "grown.table").num_documents == 5


def test_a_removed_passage_has_no_words(folder: Path) -> None:
    genret("remove", folder / "docids.table", "--document", 1, "-o", folder / "fewer.table")
    before = held(folder / "docids.words")
    assert held(folder / "fewer.words") == [before[0], set(), before[2]]


def test_the_report_says_what_words_keep(folder: Path) -> None:
    call = ("report", folder / "docids.table", "--tokenizer", folder / "byt5")
    content = json.loads(genret(*call, "--corpus", folder / "corpus.jsonl", "--json"))
    kept = content["docids"]["words"]
    assert list(kept) == ["set", "8", "16", "32", "64", "128"]
    assert 0 < kept["set"] < kept["8"] < kept["16"] <= kept["64"]
    assert_close(kept["128"], 1.0, ulps=FORWARD)
    with pytest.raises(UsageError, match="--tokenizer needs --corpus"):
        genret(*call)


def test_a_table_without_words_is_judged_by_what_it_could_have(folder: Path) -> None:
    build(folder, "bare.table")
    call = ("report", folder / "bare.table", "--tokenizer", folder / "byt5")
    content = json.loads(genret(*call, "--corpus", folder / "corpus.jsonl", "--json"))
    assert list(content["bare"]["words"]) == ["8", "16", "32", "64", "128"]


def test_words_of_another_table_are_not_taken_for_this_ones(folder: Path) -> None:
    with pytest.raises(InputError, match=r"docids\.words: holds the words of another table"):
        build(folder, "docids.table", "--overwrite")
    with pytest.raises(InputError, match=r"docids\.words exists already"):
        build(folder, "docids.other", "--words", 4)


def test_words_of_other_passages_or_tokens_are_refused(folder: Path) -> None:
    words = WordSets.load(folder / "docids.words")
    fewer = DocidTable.build(["a"], [[5]])
    fewer.save(folder / "other.table")
    words.save(folder / "other.words")
    with pytest.raises(ArtefactError, match=r"other\.words: has words of 3 documents, .*other\.table has 1"):
        genret("remove", folder / "other.table", "--document", 0, "-o", folder / "x.table")
    ByT5Tokenizer(extra_ids=7).save_pretrained(folder / "more")
    call = ("report", folder / "docids.table", "--corpus", folder / "corpus.jsonl")
    with pytest.raises(InputError, match="the one that they were chosen with"):
        genret(*call, "--tokenizer", folder / "more")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--words", 4), UsageError, "--words needs --tokenizer"),
        (("--words", 1 << 17, "--tokenizer", "byt5"), InputError, "limit"),
        (("--words", 4, "--tokenizer", "/nowhere"), InputError, "/nowhere: no tokenizer there"),
    ],
)
def test_bad_calls_for_words_are_told(
    folder: Path, arguments: tuple[object, ...], error: type[Exception], message: str
) -> None:
    given = [folder / one if one == "byt5" else one for one in arguments]
    output = folder / "new.table"
    with pytest.raises(error, match=message):
        genret("build", folder / "corpus.jsonl", "-o", output, "--strategy", "atomic", *given)
    assert not output.exists()
    assert not (folder / "new.words").exists()


def test_a_table_cannot_have_the_name_of_its_words(folder: Path) -> None:
    with pytest.raises(InputError, match=r"\.words is the ending of the words beside a table"):
        build(folder, "mine.words", "--words", 4)


def alone(folder: Path, name: str, *options: object) -> None:
    given = ("--strategy", "words", "--tokenizer", folder / "byt5")
    genret("build", folder / "corpus.jsonl", "-o", folder / name, *given, *options)


def test_words_alone_are_a_strategy(folder: Path) -> None:
    """The table has one docid, and the same words beside it as any other; both grow with the strategy that made them."""
    alone(folder, "alone.table", "--set", "limit=4", "--keep", folder / "alone.strategy")
    table = DocidTable.load(folder / "alone.table")
    assert (table.num_documents, table.num_docids, table.new_tokens) == (3, 1, ["<words>"])
    assert held(folder / "alone.words") == held(folder / "docids.words")
    call = ("add", folder / "alone.table", folder / "alone.strategy", folder / "corpus.jsonl")
    genret(*call, "-o", folder / "grown.table", "--tokenizer", folder / "byt5")
    assert held(folder / "grown.words") == held(folder / "docids.words") * 2
    assert DocidTable.load(folder / "grown.table").docids(range(6)) == ["<words>"] * 6


def test_titles_count_later_as_they_did_at_first(folder: Path) -> None:
    alone(folder, "plain.table", "--set", "title_weight=0", "--keep", folder / "plain.strategy")
    (folder / "new.jsonl").write_text(json.dumps({"_id": "z", "title": "zzz", "text": "kiwi"}))
    call = ("add", folder / "plain.table", folder / "plain.strategy", folder / "new.jsonl")
    genret(*call, "-o", folder / "grown.table", "--tokenizer", folder / "byt5")
    assert held(folder / "grown.words")[3] == set("kiwi")


def test_words_alone_need_a_tokenizer_and_one_limit(folder: Path) -> None:
    with pytest.raises(UsageError, match="strategy words needs --tokenizer"):
        genret("build", folder / "corpus.jsonl", "-o", folder / "x.table", "--strategy", "words")
    with pytest.raises(InputError, match="the strategy words has limit and title_weight as options"):
        alone(folder, "x.table", "--words", 4)
    with pytest.raises(InputError, match="limit"):
        alone(folder, "x.table", "--set", "limit=0")
    assert not (folder / "x.table").exists()


def test_words_alone_are_judged_by_their_sets(folder: Path) -> None:
    """Three passages, one of which is another's copy."""
    lines = [*PASSAGES, {**PASSAGES[0], "_id": "z"}]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, lines)))
    alone(folder, "alone.table")
    found = json.loads(genret("report", folder / "alone.table", "--json"))["alone"]
    assert (found["docids"], found["unique_share"], found["buckets"]) == (1, 0.5, {"1": 2, "2": 1})
    assert found["to_mend"].startswith("mend first: the unique share is 0.500")


@pytest.fixture
def other(folder: Path) -> Path:
    """A tokenizer of as many tokens as the first, one of which is another."""
    tokenizer = ByT5Tokenizer(extra_ids=124)
    tokenizer.add_tokens(["<other>"])
    assert len(tokenizer) == len(ByT5Tokenizer())
    tokenizer.save_pretrained(folder / "other")
    return folder / "other"


def test_another_tokenizer_of_the_same_size_is_refused(folder: Path, other: Path) -> None:
    judged = ("report", folder / "docids.table", "--corpus", folder / "corpus.jsonl")
    grown = (
        "add",
        folder / "docids.table",
        folder / "strategy",
        folder / "corpus.jsonl",
        "-o",
        folder / "x.table",
    )
    for call in (judged, grown):
        with pytest.raises(
            InputError, match=r"chosen with the tokenizer .* its tokens are others; give the one"
        ):
            genret(*call, "--tokenizer", other)
    assert not (folder / "x.table").exists()


def test_a_file_that_does_not_say_is_read_where_sizes_agree(folder: Path, other: Path) -> None:
    words = WordSets.load(folder / "docids.words")
    assert words.vocabulary is not None
    replace(words, vocabulary=None, title_weight=None).save(folder / "docids.words")
    genret("report", folder / "docids.table", "--corpus", folder / "corpus.jsonl", "--tokenizer", other)
