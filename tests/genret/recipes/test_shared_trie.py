"""A run's trie: one file that processes map, with the docids of the table."""

from __future__ import annotations

import numpy as np
import pytest

from docid import DocidTable
from genret.recipes.shared_trie import shared_constraint
from genret.training.engines.processes import World

TABLE = DocidTable.build(["a", "b"], [[5, 6], [7]])


def mapped(array: np.ndarray | None) -> bool:
    """Whether an array is a view of a file's bytes."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def test_the_trie_is_a_file_that_is_mapped(tmp_path):
    trie = shared_constraint(tmp_path / "run", TABLE, 1, World()).trie
    assert [trie.documents(prefix) for prefix in ([5, 6], [7], [8])] == [[0], [1], []]
    assert mapped(trie.arrays[0])
    before = (tmp_path / "run" / "docids.trie").read_bytes()
    shared_constraint(tmp_path / "run", TABLE, 1, World())  # a resumed run writes it again
    assert (tmp_path / "run" / "docids.trie").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OSError, match="run"):
        shared_constraint(tmp_path / "run", TABLE, 1, World())
