"""Pages out of passages: the passages with one title are a page, in corpus order.

Knows titles and rows; knows no text. Three arrays of 8 bytes a passage, whatever the titles' length. A passage
without a title is a page of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from genret.errors import InputError

__all__ = ["Pages", "titled_pages"]

IntArray = npt.NDArray[np.int64]


class Pages:
    """`rows(page)` for each page from 0 to `len(self) - 1`, in the order of their first passages.

    Titles are told apart by 64-bit hashes; that two of ten million collide has a chance of 3 in a million.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        hashes = np.fromiter(
            (_hash(title) if title else _hash(f"\0{row}") for row, title in enumerate(titles)),
            np.uint64,
            len(titles),
        )
        self._hashes, first, page, counts = np.unique(
            hashes, return_index=True, return_inverse=True, return_counts=True
        )
        by_first = np.argsort(first, kind="stable")
        self._number = np.empty(len(first), np.int64)
        self._number[by_first] = np.arange(len(first))
        self.page_of: IntArray = self._number[page.reshape(-1)]
        self._rows: IntArray = np.argsort(self.page_of, kind="stable")
        self._offsets: IntArray = np.concatenate([[0], np.cumsum(counts[by_first])]).astype(np.int64)

    def __len__(self) -> int:
        return len(self._number)

    def rows(self, page: int) -> IntArray:
        """The rows of a page's passages, ascending."""
        return self._rows[self._offsets[page] : self._offsets[page + 1]]

    def find(self, title: str) -> int | None:
        """The page with this title."""
        wanted = np.uint64(_hash(title))
        place = int(np.searchsorted(self._hashes, wanted))
        if place == len(self._hashes) or self._hashes[place] != wanted:
            return None
        return int(self._number[place])


def titled_pages(path: str, pages: Pages) -> IntArray:
    """The pages whose titles are the lines of a file, ascending; titles of no page are passed over.

    Raises:
        InputError: the file cannot be read, or no page has one of its titles.
    """
    try:
        titles = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: these titles cannot be read: {error}.") from error
    found = [page for title in titles if title and (page := pages.find(title)) is not None]
    if not found:
        raise InputError(f"{path}: no page of the corpus has one of its titles; expected one a line.")
    return np.unique(np.asarray(found, np.int64))


def _hash(title: str) -> int:
    return xxhash.xxh3_64_intdigest(title.encode("utf-8", "surrogatepass"))
