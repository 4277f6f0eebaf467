"""The table: both directions, binding new tokens, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docid_damage import assert_damage_is_refused, rewrite

from docid import DocidTable, InputError
from docid.table import KIND
from fm_index.container import ArtefactError

EOS = 1
STRINGS = ["Paris", "Paris (Texas)", "Paris", "Zürich 東京", "x"]
SEQUENCES = [[-1, 5], [7, 70_000, 8], [-1, 5], [-2], [9]]
NEW = ["<p>", "<z>"]


@pytest.fixture
def table() -> DocidTable:
    return DocidTable.build(STRINGS, SEQUENCES, NEW)


def test_strings_lead_to_documents_and_back(table: DocidTable) -> None:
    assert [table.docid(document) for document in range(5)] == STRINGS
    assert table.documents("Paris").tolist() == [0, 2]
    assert table.documents("Zürich 東京").tolist() == [3]
    assert table.documents("Paris (").tolist() == table.documents("").tolist() == []
    assert (table.num_documents, table.num_docids) == (5, 4)


def test_batches_equal_single_look_ups(table: DocidTable) -> None:
    assert table.docids([4, 0, 4]) == ["x", "Paris", "x"]
    found = table.documents_of(["x", "nothing", "Paris"])
    assert (found.offsets.tolist(), found.values.tolist()) == ([0, 1, 1, 3], [4, 0, 2])
    assert found.values.dtype == table.documents("x").dtype == np.int64


def test_sequences_are_int32_rows(table: DocidTable) -> None:
    for document, sequence in enumerate(SEQUENCES):
        assert table.sequence(document).tolist() == sequence
        assert table.sequence(document).dtype == np.int32


def test_binding_gives_the_new_tokens_their_ids(table: DocidTable) -> None:
    assert not table.is_bound
    assert table.new_tokens == NEW
    bound = table.bind([100, 40_000])
    assert bound.is_bound
    assert not table.is_bound
    assert [bound.sequence(document).tolist() for document in (0, 1, 3)] == [
        [100, 5],
        [7, 70_000, 8],
        [40_000],
    ]
    assert bound.documents("Paris").tolist() == [0, 2]
    assert bound.trie(EOS).documents([100, 5]) == [0, 2]


def test_an_unbound_table_has_no_trie(table: DocidTable) -> None:
    with pytest.raises(InputError, match="2 new tokens without ids"):
        table.trie(EOS)


def test_without_new_tokens_a_table_is_bound() -> None:
    table = DocidTable.build(["a", "b"], [[3], [4]])
    assert table.is_bound
    assert table.trie(EOS).allowed([]) == [3, 4]
    assert table.bind([]).trie(EOS).allowed([]) == [3, 4]


@pytest.mark.parametrize("ids", [[], [5], [5, 5], [5, -3], [1, 2, 3]])
def test_binding_needs_one_distinct_id_for_each_new_token(table: DocidTable, ids: list[int]) -> None:
    with pytest.raises(InputError, match=f"found {len(ids)} token ids for 2 new tokens"):
        table.bind(ids)


def test_binding_twice_is_refused(table: DocidTable) -> None:
    with pytest.raises(InputError, match="bound already"):
        table.bind([100, 101]).bind([100, 101])


@pytest.mark.parametrize("document", [-1, 5])
def test_an_unknown_document_is_told(table: DocidTable, document: int) -> None:
    for look_up in (table.docid, table.sequence):
        with pytest.raises(InputError, match=f"document {document}: no such document; the docid table has 5"):
            look_up(document)


@pytest.mark.parametrize(
    ("strings", "sequences", "new", "message"),
    [
        (["a"], [[3], [4]], [], "found 1 docid strings and 2 sequences"),
        (["a", ""], [[3], [4]], [], "row 1: the docid string is empty"),
        (["a", "b\0"], [[3], [4]], [], "row 1: the docid string is empty or holds a NUL"),
        (["a", "b\ud800"], [[3], [4]], [], r"row 1: docid 'b\\ud800' is not valid Unicode"),
        (["a", 5], [[3], [4]], [], "row 1: docid 5 is not valid Unicode"),
        (["a", "b"], [[3], []], [], "row 1: its token sequence is empty"),
        (["a", "b"], [[3], [4, -1]], [], "row 1: token -1 is out of range; expected from 0"),
        (["a", "b"], [[-1], [4, -2]], ["<n>"], "row 1: token -2 is out of range; expected from -1"),
        (["a"], [[2**31]], [], "row 0: token 2147483648 is out of range"),
        (["a"], [[3]], ["<n>", "<n>"], "must be distinct"),
        (["a"], [[3]], ["<n>", ""], "not empty"),
        (["a"], [[3]], ["<\0>"], "without NUL"),
    ],
)
def test_what_cannot_be_a_table_is_refused(
    strings: list[str], sequences: list[list[int]], new: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DocidTable.build(strings, sequences, new)


@pytest.mark.parametrize("bound", [False, True])
def test_a_saved_table_loads_the_same(table: DocidTable, bound: bool, tmp_path: Path) -> None:
    table = table.bind([100, 101]) if bound else table
    table.save(tmp_path / "table")
    again = DocidTable.load(tmp_path / "table")
    assert again.is_bound is bound
    assert again.new_tokens == NEW
    assert again.docids(range(5)) == STRINGS
    assert again.documents("Paris").tolist() == [0, 2]
    for ours, theirs in zip(again.arrays, table.arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    DocidTable.build([], []).save(tmp_path / "table")
    table = DocidTable.load(tmp_path / "table")
    assert (table.num_documents, table.num_docids, table.documents("a").tolist()) == (0, 0, [])
    assert table.trie(EOS).allowed([]) == []


def test_the_same_docids_give_the_same_bytes(table: DocidTable, tmp_path: Path) -> None:
    for name in "ab":
        DocidTable.build(STRINGS, SEQUENCES, NEW).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def stored(table: DocidTable, tmp_path: Path) -> Path:
    table.save(tmp_path / "docids.table")
    return tmp_path / "docids.table"


def test_no_damaged_table_loads(stored: Path) -> None:
    assert_damage_is_refused(stored, DocidTable.load, seed=1, count=100)


@pytest.mark.soak
def test_no_damaged_table_loads_in_long(stored: Path) -> None:
    assert_damage_is_refused(stored, DocidTable.load, seed=2, count=3000)


def set_value(name: str, place: int, value: int) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(_: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name][place] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_value("sequence_offsets", 1, 99), "do not divide the sequences"),
        (set_value("sequence_values", 0, -3), "stands for no new token"),
        (set_value("document_keys", 0, 4), "a document has no docid string"),
        (set_value("document_keys", 0, -1), "a document has no docid string"),
        (set_value("key_documents", 0, 5), "a docid string stands for no document"),
        (set_value("key_offsets", -1, 6), "do not divide the documents"),
        (set_value("new_tokens", 0, 0xFF), "the names of the new tokens are not text"),
        (lambda _, arrays: arrays.pop("new_tokens"), "section 'new_tokens' is missing"),
        (lambda _, arrays: arrays.pop("document_keys"), "'document_keys' is missing"),
        (
            lambda _, arrays: arrays.update(new_token_ids=np.arange(3, dtype=np.int32)),
            "the ids of the new tokens",
        ),
        (lambda _, arrays: arrays.update(removed=np.array([5])), "the removed documents"),
        (lambda _, arrays: arrays.update(removed=np.array([2, 2])), "the removed documents"),
        (lambda _, arrays: arrays.pop("keys"), "section 'keys' is missing"),
        (lambda _, arrays: arrays.update(key_offsets=np.empty(0, np.int32)), "do not divide the documents"),
    ],
)
def test_a_wrong_structure_behind_right_checksums_is_refused(
    stored: Path, change: Callable[[dict[str, Any], dict[str, Any]], None], message: str
) -> None:
    rewrite(stored, KIND, change)
    with pytest.raises(ArtefactError, match=message):
        DocidTable.load(stored)


def test_removed_documents_are_found_no_more_and_their_docids_stay_taken(table: DocidTable) -> None:
    fewer = table.without([2]).without([2, 1])
    assert fewer.documents("Paris").tolist() == [0]
    assert fewer.docid(2) == "Paris"
    assert (fewer.num_documents, fewer.num_docids) == (table.num_documents, table.num_docids)
    trie = fewer.bind([100, 101]).trie(EOS)
    assert sorted(trie.leaf_documents.tolist()) == [0, 3, 4]
    assert table.documents("Paris").tolist() == [0, 2]
    with pytest.raises(InputError, match="document 5: no such document"):
        table.without([5])
