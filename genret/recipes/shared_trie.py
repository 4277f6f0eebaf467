"""The docids' trie in a run of several processes: built once, in the memory of a host once.

Knows docids and processes; knows no model.
"""

from __future__ import annotations

from pathlib import Path

from docid import DocidTable, DocidTrie
from genret.constraint import TrieConstraint
from genret.training.engines.processes import World

__all__ = ["TRIE", "shared_constraint"]

TRIE = "docids.trie"


def shared_constraint(folder: Path, table: DocidTable, eos_token_id: int, world: World) -> TrieConstraint:
    """The constraint of all docids; the first process writes the trie to `folder`, and all map that file."""
    path = folder / TRIE
    with world.together():
        if world.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            table.trie(eos_token_id).save(path)
    return TrieConstraint(DocidTrie.load(path, verify="header"))
