"""Whether stored arrays form a docid table, so that no look-up leaves them, whatever a file held."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from docid.ragged import IntArray, is_partition
from fm_index.container import ArtefactError, Container

__all__ = ["check_table"]


def check_table(
    path: str | os.PathLike[str], stored: Container, names: Sequence[str], num_keys: int
) -> list[str]:
    """The new tokens of a stored table whose strings have `num_keys` keys.

    Raises:
        ArtefactError: an array is missing, has the wrong type or shape, or points outside another.
    """
    for name in names:
        array = stored.arrays.get(name)
        if array is None or array.ndim != 1 or array.dtype.kind not in "iu":
            raise ArtefactError(
                f"{path}: damaged: the table's array {name!r} is missing or of the wrong type."
            )
    new_tokens = _new_tokens(path, stored)
    fault = _fault(stored.arrays, num_keys, len(new_tokens))
    if fault:
        raise ArtefactError(f"{path}: damaged: {fault}. Build the docids again.")
    return new_tokens


def _new_tokens(path: str | os.PathLike[str], stored: Container) -> list[str]:
    try:
        text = stored.arrays["new_tokens"].tobytes().decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: damaged: the names of the new tokens are missing.") from error
    return text.split("\0") if text else []


def _fault(arrays: Mapping[str, IntArray], num_keys: int, num_new: int) -> str | None:
    documents = len(arrays["document_keys"])
    offsets, values, ids = arrays["sequence_offsets"], arrays["sequence_values"], arrays["new_token_ids"]
    if len(offsets) != documents + 1 or not is_partition(offsets, len(values)):
        return "the offsets do not divide the sequences"
    if len(ids) > num_new:
        return "there are more ids than new tokens"
    if len(values) and int(values.min()) < (0 if len(ids) == num_new else -num_new):
        return "a token stands for no new token"
    if not _inside(arrays["document_keys"], num_keys):
        return "a document has no docid string"
    if not _inside(arrays["removed"], documents) or bool((np.diff(arrays["removed"]) <= 0).any()):
        return "the removed documents are not documents in order"
    return _fault_in_keys(arrays["key_offsets"], arrays["key_documents"], num_keys, documents)


def _fault_in_keys(offsets: IntArray, key_documents: IntArray, num_keys: int, documents: int) -> str | None:
    if len(key_documents) != documents or not _inside(key_documents, documents):
        return "a docid string stands for no document"
    if len(offsets) == 0:
        return None if num_keys == documents else "the numbers of docid strings and documents do not agree"
    if len(offsets) != num_keys + 1 or not is_partition(offsets, documents):
        return "the offsets do not divide the documents"
    return None


def _inside(values: IntArray, end: int) -> bool:
    return len(values) == 0 or bool(np.min(values) >= 0 and np.max(values) < end)
