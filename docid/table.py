"""The two-way table between documents and docids: strings, token sequences, and the new tokens they need.

Knows strings, token ids and document numbers; knows no tokenizer and no model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from docid.errors import InputError
from docid.ragged import (
    IntArray,
    Ragged,
    as_ragged,
    gather,
    row_of,
    sequence_dtype,
    smallest_dtype,
    take_rows,
)
from docid.strings import SortedStrings, Strings
from docid.table_check import check_table, inverted, upgraded
from docid.trie import DocidTrie
from fm_index.container import read_container, write_container

__all__ = ["KIND", "VERSION", "DocidTable", "TableArrays"]

KIND = "docid-table"
# 2: removed documents. 3: the strings as they are, where a marisa-trie was.
VERSION = 3


class TableArrays(NamedTuple):
    """The arrays of a `DocidTable`, D documents and K distinct docid strings.

    Attributes:
        sequence_values, sequence_offsets: the token sequence of each document, a `Ragged` of D rows.
        document_keys: integers [D]; the key, among the distinct strings, of each document.
        key_offsets: integers [K + 1], or [0] where every key has exactly one document.
        key_documents: integers [D]; key k has `key_documents[key_offsets[k]:key_offsets[k + 1]]`, ascending.
        new_token_ids: integers [bound], the model's ids of the first new tokens; all of them in a bound table.
        removed: integers [removed]; documents that were taken out, ascending.
    """

    sequence_values: IntArray
    sequence_offsets: IntArray
    document_keys: IntArray
    key_offsets: IntArray
    key_documents: IntArray
    new_token_ids: IntArray
    removed: IntArray


class DocidTable:
    """Which docid each document has, as a string and as a token sequence, and the way back from the string.

    Document numbers are rows of the corpus. Documents may share a docid. A removed document keeps its number and its
    docid, which no other document gets, but is found no more. In an unbound table the token -(i + 1)
    stands for `new_tokens[i]`, and a token of 0 or more is a model's token id; `bind` gives the new tokens their
    ids.
    """

    def __init__(self, arrays: TableArrays, keys: SortedStrings, new_tokens: Sequence[str]) -> None:
        """Take over parts made by `build`, `bind` or `load`; use those."""
        self.arrays = arrays
        self.new_tokens = list(new_tokens)
        self._keys = keys

    @classmethod
    def build(
        cls,
        strings: Sequence[str],
        sequences: Ragged | Sequence[Any] | IntArray,
        new_tokens: Sequence[str] = (),
    ) -> DocidTable:
        """Build from one docid string and one token sequence (without eos) a document.

        Raises:
            InputError: the numbers differ, a string or a sequence is empty, or a token is below
                `-len(new_tokens)`; the message names the row.
        """
        rows = as_ragged(sequences)
        _check(strings, rows, new_tokens)
        keys, numbers = _keys(strings)
        none = np.empty(0, np.int32)
        return cls._of(keys, rows, numbers.astype(smallest_dtype(len(strings))), none, new_tokens, none)

    def bind(self, new_token_ids: Sequence[int]) -> DocidTable:
        """The same table in which the new tokens that have no id yet have the model's ids given here, in order.

        Raises:
            InputError: all are bound already, or there is not one distinct id of 0 or more for each.
        """
        bound = self.arrays.new_token_ids
        ids = np.concatenate([bound, np.asarray(new_token_ids, np.int32).reshape(-1)])
        if len(bound) == len(self.new_tokens) > 0:
            raise InputError("the docid table is bound already; bind the table that its strategy gave.")
        if len(ids) != len(self.new_tokens) or len(np.unique(ids)) != len(ids) or (ids < 0).any():
            raise InputError(
                f"found {len(ids) - len(bound)} token ids for {len(self.new_tokens) - len(bound)} new tokens; expected "
                "one distinct id of 0 or more for each."
            )
        arrays = self.arrays._replace(
            sequence_values=_narrow(_with_ids(self.arrays.sequence_values, ids)), new_token_ids=ids
        )
        return DocidTable(arrays, self._keys, self.new_tokens)

    def extended(
        self,
        strings: Sequence[str],
        sequences: Ragged | Sequence[Any] | IntArray,
        new_tokens: Sequence[str] = (),
    ) -> DocidTable:
        """The table with more documents after its own, whose docids stay, and with more new tokens after its own.

        In `sequences` the token -(i + 1) stands for token i of all new tokens, old and new. What is bound stays
        bound; `bind` then takes ids for the tokens that are new here.

        Raises:
            InputError: as `build`.
        """
        tokens = [*self.new_tokens, *new_tokens]
        more = as_ragged(sequences)
        _check(strings, more, tokens)
        bound = self.arrays.new_token_ids
        values = np.concatenate([self.arrays.sequence_values, _with_ids(more.values, bound)])
        offsets = np.concatenate(
            [self.arrays.sequence_offsets, more.offsets[1:] + self.arrays.sequence_offsets[-1]]
        )
        # Merged, not made anew: what is added is little, and a string of every document is much to hash.
        fresh, _ = _keys(strings)
        keys, numbers = self._keys.merged(fresh)
        dtype = smallest_dtype(len(offsets) - 1)
        document_keys = np.concatenate([numbers[self.arrays.document_keys], keys.find(strings)]).astype(dtype)
        removed = self.arrays.removed.astype(dtype)
        return self._of(keys, Ragged(values, offsets), document_keys, removed, tokens, bound)

    def only(self, documents: IntArray) -> DocidTable:
        """The table of these documents alone (ascending, int [n]), numbered from 0; new tokens stay.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64)
        self._check_documents(rows)
        kept = np.zeros(self.num_documents, bool)
        kept[rows] = True
        lengths = self.sequences.lengths
        values = self.arrays.sequence_values[np.repeat(kept, lengths)]
        offsets = np.concatenate([[0], np.cumsum(lengths[kept], dtype=np.int64)])
        used = np.zeros(len(self._keys), bool)
        used[self.arrays.document_keys[rows]] = True
        dtype = smallest_dtype(len(rows))
        document_keys = (np.cumsum(used) - 1)[self.arrays.document_keys[rows]].astype(dtype)
        removed = np.flatnonzero(np.isin(rows, self.arrays.removed)).astype(dtype)
        bound, sequences = self.arrays.new_token_ids, Ragged(values, offsets)
        return self._of(self._keys.only(used), sequences, document_keys, removed, self.new_tokens, bound)

    @classmethod
    def _of(
        cls,
        keys: SortedStrings,
        sequences: Ragged,
        document_keys: IntArray,
        removed: IntArray,
        new_tokens: Sequence[str],
        new_token_ids: IntArray,
    ) -> DocidTable:
        """From what the other arrays follow from."""
        arrays = TableArrays(
            _narrow(sequences.values),
            sequences.offsets.astype(smallest_dtype(len(sequences.values))),
            document_keys,
            *inverted(document_keys, len(keys)),
            new_token_ids,
            removed,
        )
        return cls(arrays, keys, new_tokens)

    def without(self, documents: Sequence[int] | IntArray) -> DocidTable:
        """The table with these documents removed; removing twice changes nothing.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64).reshape(-1)
        self._check_documents(rows)
        # A list and no mask: few are removed of many.
        removed = np.union1d(self.arrays.removed, rows).astype(self.arrays.document_keys.dtype)
        return DocidTable(self.arrays._replace(removed=removed), self._keys, self.new_tokens)

    @property
    def num_documents(self) -> int:
        """Documents, D, those removed included."""
        return len(self.arrays.document_keys)

    @property
    def num_docids(self) -> int:
        """Distinct docid strings, K; fewer than documents where docids are shared."""
        return len(self._keys)

    @property
    def is_bound(self) -> bool:
        """Whether every token is a model's token id."""
        return len(self.arrays.new_token_ids) == len(self.new_tokens)

    def check_bound(self) -> None:
        """Refuse to go on where a token has no id yet.

        Raises:
            InputError: the table is not bound.
        """
        if not self.is_bound:
            raise InputError(
                f"the docid table has {len(self.new_tokens)} new tokens without ids; extend the model's vocabulary "
                "with `new_tokens` and call `bind` with the ids first."
            )

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, the strings included."""
        strings = self._keys.strings
        arrays = [*self.arrays, strings.data, strings.offsets, self._keys.hashes]
        return sum(array.nbytes for array in arrays)

    @property
    def sequences(self) -> Ragged:
        """All token sequences, a row a document."""
        return Ragged(self.arrays.sequence_values, self.arrays.sequence_offsets)

    def sequence(self, document: int) -> IntArray:
        """The tokens of a document's docid, without eos: int32 [length].

        Raises:
            InputError: there is no such document.
        """
        self._check_documents(np.array([document]))
        begin, end = self.arrays.sequence_offsets[document : document + 2]
        return self.arrays.sequence_values[begin:end].astype(np.int32)

    def docid(self, document: int) -> str:
        """The docid string of a document."""
        return self.docids([document])[0]

    def docids(self, documents: Sequence[int] | IntArray) -> list[str]:
        """The docid string of each document.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64).reshape(-1)
        self._check_documents(rows)
        return [self._keys.strings[key] for key in self.arrays.document_keys[rows].tolist()]

    def documents(self, docid: str) -> IntArray:
        """The documents that have this docid string, ascending: int64 [n]; empty where none has."""
        return self.documents_of([docid]).values

    def documents_of(self, docids: Sequence[str]) -> Ragged:
        """The documents of each docid string that are not removed: int64, a row a string; it may be empty."""
        found = self._keys.find(docids)
        known = found >= 0
        found = np.where(known, found, 0)
        begins, counts = found, known.astype(np.int64)
        if len(self.arrays.key_offsets):
            begins = self.arrays.key_offsets[found].astype(np.int64)
            counts = np.where(known, self.arrays.key_offsets[found + 1] - begins, 0)
        rows = gather(self.arrays.key_documents, begins, counts)
        living = ~np.isin(rows.values, self.arrays.removed)
        kept = np.concatenate([[0], np.cumsum(living)])
        return Ragged(rows.values[living].astype(np.int64), kept[rows.offsets])

    def trie(self, eos: int) -> DocidTrie:
        """The trie of all sequences, each closed by `eos`; without removed documents.

        Raises:
            InputError: the table is not bound, or a sequence holds `eos`.
        """
        self.check_bound()
        if not len(self.arrays.removed):
            return DocidTrie.build(self.sequences, eos)
        living = np.setdiff1d(np.arange(self.num_documents), self.arrays.removed, assume_unique=True)
        return DocidTrie.build(take_rows(self.sequences, living), eos, living)

    def fault_in_trie(self, trie: DocidTrie) -> str | None:
        """Why a trie is not that of this table's living documents; None where it is. Linear in both."""
        living = np.setdiff1d(np.arange(self.num_documents), self.arrays.removed, assume_unique=True)
        order = np.argsort(trie.leaf_documents, kind="stable")
        if not np.array_equal(trie.leaf_documents[order], living):
            return "its documents are not those that have a docid"
        leaves = np.repeat(np.arange(trie.num_leaves), trie.leaf_sizes())[order]
        found, expected = take_rows(trie.leaf_sequences(), leaves), take_rows(self.sequences, living)
        same = np.array_equal(found.offsets, expected.offsets) and np.array_equal(
            found.values, expected.values
        )
        return None if same else "a document has another docid there"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to one checksummed file."""
        strings = self._keys.strings
        arrays = {
            **self.arrays._asdict(),
            "keys": strings.data,
            "keys_offsets": strings.offsets,
            "keys_hashes": self._keys.hashes,
            "new_tokens": np.frombuffer("\0".join(self.new_tokens).encode(), np.uint8),
        }
        write_container(path, kind=KIND, version=VERSION, meta={}, arrays=arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DocidTable:
        """Open a saved table by memory map; checksums and structure are verified, in time linear in its size.

        Raises:
            ArtefactError: the file is missing, damaged, of another kind, or newer.
        """
        stored = upgraded(path, read_container(path, kind=KIND, version=VERSION, verify="full"))
        new_tokens = check_table(path, stored)
        arrays = stored.arrays
        keys = SortedStrings(Strings(arrays["keys"], arrays["keys_offsets"]), arrays["keys_hashes"])
        return cls(TableArrays(*(arrays[name] for name in TableArrays._fields)), keys, new_tokens)

    def _check_documents(self, rows: IntArray) -> None:
        outside = np.flatnonzero((rows < 0) | (rows >= self.num_documents))
        if len(outside):
            raise InputError(
                f"document {rows[outside[0]]}: no such document; the docid table has {self.num_documents}, numbered "
                "from 0."
            )


def _check(strings: Sequence[str], rows: Ragged, new_tokens: Sequence[str]) -> None:
    if len(strings) != rows.num_rows:
        raise InputError(
            f"found {len(strings)} docid strings and {rows.num_rows} sequences; expected one each."
        )
    if len(set(new_tokens)) != len(new_tokens) or any(not token or "\0" in token for token in new_tokens):
        raise InputError("the new tokens must be distinct, not empty, and without NUL characters.")
    empty = np.flatnonzero(rows.lengths == 0)
    if len(empty):
        raise InputError(
            f"row {empty[0]}: its token sequence is empty; every docid needs at least one token."
        )
    wrong = np.flatnonzero((rows.values < -len(new_tokens)) | (rows.values > np.iinfo(np.int32).max - 1))
    if len(wrong):
        raise InputError(
            f"row {row_of(rows.offsets, int(wrong[0]))}: token {rows.values[wrong[0]]} is out of range; expected "
            f"from {-len(new_tokens)} (the new tokens) to {np.iinfo(np.int32).max - 1}."
        )


def _with_ids(values: IntArray, ids: IntArray) -> IntArray:
    """The tokens with the model's ids in place of the new tokens that have one; int32."""
    values = values.astype(np.int32)
    bound = (values < 0) & (values >= -len(ids))
    values[bound] = ids[-1 - values[bound]]
    return values


def _keys(strings: Sequence[str]) -> tuple[SortedStrings, IntArray]:
    """The distinct strings, and each one's number among them."""
    try:
        found = SortedStrings.build(strings)
    except (AttributeError, UnicodeEncodeError):
        row, bad = next((row, text) for row, text in enumerate(strings) if not _encodes(text))
        raise InputError(f"row {row}: docid {bad!r:.200} is not valid Unicode text.") from None
    unusable = [row for row, text in enumerate(strings) if not text or "\0" in text]
    if unusable:
        raise InputError(f"row {unusable[0]}: the docid string is empty or holds a NUL character.")
    return found


def _encodes(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def _narrow(values: IntArray) -> IntArray:
    """The tokens in the smallest of uint16, int16 and int32 that holds them all."""
    if not len(values):
        return values.astype(np.int32)
    return values.astype(sequence_dtype(int(values.min()), int(values.max())))
