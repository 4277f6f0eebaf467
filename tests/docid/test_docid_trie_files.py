"""The trie on disk: saved and loaded whole; damage and wrong structure are told, never followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docid_damage import assert_damage_is_refused, rewrite

from docid import DocidTrie
from docid.trie import KIND
from fm_index.container import ArtefactError

EOS = 1
DOCIDS = [[5, 6, 7], [5, 6, 8], [5, 9], [10, 11, 12, 13], [10], [5, 9]]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "docids.trie"
    DocidTrie.build(DOCIDS, EOS).save(path)
    return path


@pytest.mark.parametrize("docids", [DOCIDS, [[3, 4]], [], [[70_000, 2], [70_000, 3]]])
def test_a_saved_trie_loads_the_same(docids: list[list[int]], tmp_path: Path) -> None:
    trie = DocidTrie.build(docids, EOS)
    trie.save(tmp_path / "a")
    again = DocidTrie.load(tmp_path / "a")
    assert again.eos == EOS
    for ours, theirs in zip(again.arrays, trie.arrays, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_same_docids_give_the_same_bytes(stored: Path, tmp_path: Path) -> None:
    DocidTrie.build(DOCIDS, EOS).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == stored.read_bytes()


def test_a_loaded_trie_cannot_be_written_to(stored: Path) -> None:
    trie = DocidTrie.load(stored)
    with pytest.raises(ValueError, match="read-only"):
        trie.tokens[0] = 3


def test_no_damaged_trie_loads(stored: Path) -> None:
    assert_damage_is_refused(stored, DocidTrie.load, seed=1, count=100)


@pytest.mark.soak
def test_no_damaged_trie_loads_in_long(stored: Path) -> None:
    assert_damage_is_refused(stored, DocidTrie.load, seed=2, count=3000)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be read as a docid-trie file"):
        DocidTrie.load(tmp_path / "none")


def set_value(name: str, place: int, value: int) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(_: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name][place] = value

    return change


def swap(name: str, one: int, other: int) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(_: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name][[one, other]] = arrays[name][[other, one]]

    return change


def drop(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, arrays: arrays.pop(name)


def shorten(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, arrays: arrays.update({name: arrays[name][:-1]})


def retype(name: str, dtype: type[np.generic]) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, arrays: arrays.update({name: arrays[name].astype(dtype)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_value("offsets", -1, 99), "do not divide the edges"),
        (set_value("offsets", 1, 7), "do not divide the edges"),
        (set_value("tail_starts", 1, -4), "do not divide the tails"),
        (set_value("node_edges", 0, 4), "an edge to a node is out of order"),
        (set_value("node_edges", 2, 7), "an edge to a node is out of order"),
        (set_value("node_edges", 0, -1), "an edge to a node is out of order"),
        (set_value("offsets", 2, 2), "a node has no edge"),
        (set_value("tokens", 1, 5), "the tokens of a node do not ascend"),
        (set_value("tails", -1, 4), "not closed by the end token"),
        (set_value("tokens", 0, EOS), "not closed by the end token"),
        (set_value("leaf_offsets", -1, 9), "do not divide the documents"),
        (set_value("leaf_offsets", 1, 0), "a leaf has no document"),
        (set_value("leaf_documents", 0, 4), "a document occurs twice"),
        (swap("leaf_documents", 0, 1), "the documents of a leaf do not ascend"),
        (shorten("node_edges"), "do not agree"),
        (shorten("leaf_offsets"), "do not divide the documents"),
        (shorten("leaf_documents"), "do not divide the documents"),
        (shorten("offsets"), "do not divide the edges"),
        (drop("tails"), "'tails' is missing"),
        (lambda _, arrays: arrays.update(more=arrays["tails"]), "a section 'more' that a docid-trie has not"),
        (retype("tokens", np.float32), "'tokens' is float32"),
        (retype("offsets", np.uint8), "'offsets' is uint8"),
        (lambda meta, _: meta.pop("eos"), "its eos is None"),
        (lambda meta, _: meta.update(eos=-5), "the end token is -5"),
        (lambda meta, _: meta.update(eos=6), "not closed by the end token"),
    ],
)
def test_a_wrong_structure_behind_right_checksums_is_refused(
    stored: Path, change: Callable[[dict[str, Any], dict[str, Any]], None], message: str
) -> None:
    rewrite(stored, KIND, change)
    with pytest.raises(ArtefactError, match=message):
        DocidTrie.load(stored)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    from docid import DocidTable

    DocidTable.build(["a"], [[4]]).save(tmp_path / "table")
    with pytest.raises(ArtefactError, match="holds a docid-table, expected a docid-trie"):
        DocidTrie.load(tmp_path / "table")
