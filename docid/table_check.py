"""Whether stored arrays form a docid table, so that no look-up leaves them, whatever a file held.

Every check is linear in the arrays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from docid.marisa_keys import marisa_strings
from docid.ragged import IntArray, is_partition
from docid.strings import SortedStrings, Strings, fault_in_keys
from fm_index.container import ArtefactError, Container, Section

__all__ = ["check_table", "inverted", "upgraded"]

INDEX = Section("<i4 <i8")
ARRAYS = {
    "sequence_values": Section("<u2 <i2 <i4"),
    "sequence_offsets": INDEX,
    "document_keys": INDEX,
    "key_offsets": INDEX,
    "key_documents": INDEX,
    "new_token_ids": Section("<i4"),
    "removed": INDEX,
    "new_tokens": Section("|u1"),
}
SECTIONS = {
    **ARRAYS,
    "keys": Section("|u1"),
    "keys_offsets": Section("<i8"),
    "keys_hashes": Section("<u8"),
}


def inverted(document_keys: IntArray, num_keys: int) -> tuple[IntArray, IntArray]:
    """The documents of each key; the offsets are left empty where every key has exactly one."""
    dtype = document_keys.dtype
    documents = np.argsort(document_keys, kind="stable").astype(dtype)
    if num_keys == len(document_keys):
        return np.empty(0, dtype), documents
    counts = np.bincount(document_keys, minlength=num_keys)
    return np.concatenate([[0], np.cumsum(counts)]).astype(dtype), documents


def upgraded(path: str | os.PathLike[str], stored: Container) -> Container:
    """A table of an older version as one of this.

    Raises:
        ArtefactError: it is damaged.
    """
    if stored.version >= 3:
        return stored
    arrays = dict(stored.arrays)
    if stored.version < 2:
        arrays["removed"] = np.empty(0, np.int32)
    replace(stored, arrays=arrays).check(path, {**ARRAYS, "keys": Section("|u1")})
    strings = marisa_strings(path, arrays.pop("keys").tobytes())
    _refuse(path, _fault_in_keys(arrays, len(strings)))
    keys, numbers = SortedStrings.build(strings)
    arrays["document_keys"] = numbers.astype(arrays["document_keys"].dtype)[arrays["document_keys"]]
    arrays["key_offsets"], arrays["key_documents"] = inverted(arrays["document_keys"], len(keys))
    arrays |= {"keys": keys.strings.data, "keys_offsets": keys.strings.offsets, "keys_hashes": keys.hashes}
    return replace(stored, arrays=arrays)


def check_table(path: str | os.PathLike[str], stored: Container) -> list[str]:
    """The new tokens of a stored table.

    Raises:
        ArtefactError: an array is missing, has the wrong type or shape, or does not fit the others.
    """
    stored.check(path, SECTIONS)
    arrays = stored.arrays
    keys = SortedStrings(Strings(arrays["keys"], arrays["keys_offsets"]), arrays["keys_hashes"])
    new_tokens = _new_tokens(path, arrays)
    _refuse(
        path,
        _fault(arrays, len(new_tokens)) or fault_in_keys(keys) or _fault_in_keys(arrays, len(keys)),
    )
    return new_tokens


def _refuse(path: str | os.PathLike[str], fault: str | None) -> None:
    if fault:
        raise ArtefactError(f"{path}: damaged: {fault}. Build the docids again.")


def _new_tokens(path: str | os.PathLike[str], arrays: Mapping[str, IntArray]) -> list[str]:
    try:
        text = arrays["new_tokens"].tobytes().decode()
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{path}: damaged: the names of the new tokens are not text.") from error
    tokens = text.split("\0") if text else []
    if len(set(tokens)) != len(tokens) or "" in tokens:
        raise ArtefactError(f"{path}: damaged: two new tokens have one name, or one has none.")
    return tokens


def _fault(arrays: Mapping[str, IntArray], num_new: int) -> str | None:
    documents = len(arrays["document_keys"])
    offsets, values, ids = arrays["sequence_offsets"], arrays["sequence_values"], arrays["new_token_ids"]
    if len(offsets) != documents + 1 or not is_partition(offsets, len(values)):
        return "the offsets do not divide the sequences"
    if bool((offsets[1:] == offsets[:-1]).any()):
        return "a token sequence is empty"
    if len(ids) > num_new or len(np.unique(ids)) != len(ids) or bool((ids < 0).any()):
        return "the ids of the new tokens are not as many, or not distinct"
    # Of a bound table the first tokens may be bound and later ones not: -1 to -len(ids) never occur.
    unbound = values[values < 0].astype(np.int64)
    if len(unbound) and (int(unbound.min()) < -num_new or int(unbound.max()) >= -len(ids)):
        return "a token stands for no new token"
    if not _inside(arrays["removed"], documents) or bool((np.diff(arrays["removed"]) <= 0).any()):
        return "the removed documents are not documents in order"
    return None


def _fault_in_keys(arrays: Mapping[str, IntArray], num_keys: int) -> str | None:
    """Whether documents lead to keys and keys lead back to the same documents, in order."""
    keys, offsets, key_documents = arrays["document_keys"], arrays["key_offsets"], arrays["key_documents"]
    documents = len(keys)
    if not _inside(keys, num_keys):
        return "a document has no docid string"
    if len(key_documents) != documents or not _inside(key_documents, documents):
        return "a docid string stands for no document"
    if len(offsets) == 0:
        offsets = np.arange(documents + 1)
    if len(offsets) != num_keys + 1 or not is_partition(offsets, documents):
        return "the offsets do not divide the documents"
    if bool((offsets[1:] == offsets[:-1]).any()):
        return "a docid string has no document"
    owners = np.repeat(np.arange(num_keys), np.diff(offsets))
    ascending = (np.diff(key_documents) > 0) | (np.diff(owners) > 0)
    if not np.array_equal(keys[key_documents], owners) or not bool(ascending.all()):
        return "docid strings and documents do not lead to one another"
    return None


def _inside(values: IntArray, end: int) -> bool:
    return len(values) == 0 or bool(np.min(values) >= 0 and np.max(values) < end)
