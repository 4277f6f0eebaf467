"""The full-text index over token ids: which tokens may come next after an n-gram, how often, and where.

Knows integers only: no text, no model. A range `[lo, hi)` of rows stands for an n-gram; it is all the state
that a search needs. The structure is described in docs/fm_index.md.

Counts are occurrences. An n-gram never spans two documents, and nothing continues past a document's end.
Instances are immutable after construction, except for `threads`, and may be used from several threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from fm_index import _core
from fm_index.arrays import Ints, as_ints, pack
from fm_index.container import ArtefactError, Container, Section, Verify, read_container, write_container

__all__ = ["FMIndex", "Profile"]

KIND = "fm_index"
# 2: a shard knows its place.
VERSION = 2
META = {"num_documents": int, "vocab_size": int, "profile": str}
WIDE, INDEX = Section("<u2 <u4"), Section("<u8")
COMMON = {
    "text": WIDE,
    "offsets": Section("<i8"),
    "alphabet": Section("<i4"),
    "first_row": INDEX,
    "ends": Section("<u4"),
    "hints": Section("<u4"),
    "marks": INDEX,
    "samples": Section("|u1"),
    "wide_rows": INDEX,
    "wide_offsets": INDEX,
    "wide_symbols": WIDE,
    "wide_counts": Section("<u2"),
}
SECTIONS = {
    "fast": {**COMMON, "bwt": WIDE, "directory": Section("<u4"), "postings": Section("|u1")},
    "compact": {**COMMON, "wavelet": Section("|u1")},
}

Tokens = npt.NDArray[np.int32]
Profile = Literal["fast", "compact"]
Progress = Callable[[str, float], object]


class FMIndex:
    """An index over documents of tokens. Make one with `build`, `from_documents` or `load`.

    P. Ferragina, G. Manzini, "Opportunistic data structures with applications", FOCS 2000, section 2; docs/fm_index.md.

    Attributes:
        threads: how many threads a batch may use; 1 at first. Small batches use fewer.
        place: of a shard that was saved among others, its number; None where it stands alone.
        name: of its file among those of the others, by its content; None where it has not been loaded from there.
    """

    place: int | None = None
    name: str | None = None

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], meta: dict[str, Any]) -> None:
        """Wrap stored arrays; `build` and `load` are the ways to call this."""
        self._arrays, self._meta = arrays, meta
        compact = _profile(meta["profile"]) == "compact"
        self._core = _core.Index(arrays, meta["num_documents"], meta["vocab_size"], compact)

    # ---- making -------------------------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        tokens: npt.ArrayLike,
        offsets: npt.ArrayLike,
        *,
        vocab_size: int | None = None,
        threads: int | None = None,
        profile: Profile = "fast",
        progress: Progress | None = None,
    ) -> Self:
        """Index the documents `tokens[offsets[d]:offsets[d + 1]]`.

        Args:
            tokens: integers [N] in [0, vocab_size); uint16, int32 and int64 arrays are read in place.
            offsets: integers [D + 1], ascending from 0 to N; documents may be empty.
            vocab_size: at most 2^31; the largest token plus one when None.
            threads: the initial value of `threads` (1 when None); building itself uses one thread.
            profile: "fast", or "compact" for about two thirds of the size and a fifth of the speed.
            progress: called as `progress(stage, fraction)`; an exception that it raises cancels the build.

        Raises:
            TypeError, ValueError: the arrays are not as described.
        """
        values = _token_array(tokens)
        # The index keeps them; the caller may change its own.
        bounds = as_ints(offsets, "offsets").copy()
        size = _vocabulary(values, vocab_size)
        arrays = _core.build(values, bounds, size, _profile(profile) == "compact", progress)
        meta = {"profile": profile, "num_documents": len(bounds) - 1, "vocab_size": size}
        index = cls(arrays, meta)
        index.threads = 1 if threads is None else threads
        return index

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Sequence[int] | npt.NDArray[Any]],
        *,
        vocab_size: int | None = None,
        threads: int | None = None,
        profile: Profile = "fast",
        progress: Progress | None = None,
    ) -> Self:
        """Index sequences of tokens; arguments and errors are those of `build`."""
        tokens, offsets = pack(documents)
        return cls.build(
            tokens, offsets, vocab_size=vocab_size, threads=threads, profile=profile, progress=progress
        )

    def save(self, path: str | os.PathLike[str], *, place: int | None = None) -> None:
        """Write the index to one file, atomically; the same index gives the same bytes.

        `place` is the number of a shard among others.
        """
        meta = self._meta if place is None else {**self._meta, "place": place}
        write_container(path, kind=KIND, version=VERSION, meta=meta, arrays=self._arrays)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        mmap: bool = True,
        verify: Verify = "header",
        *,
        threads: int | None = None,
    ) -> Self:
        """Open a saved index.

        With `verify="header"` only the header is checked, whatever the size; altered payload can then give a
        wrong answer or an ArtefactError later, but never a read outside the file. `verify="full"` checks
        every byte, and that all arrays say the same of the same text, in time linear in the index.

        Raises:
            ArtefactError: the file is missing, truncated, altered, of another kind, or newer.
        """
        if verify not in ("header", "full"):
            raise ValueError(f"verify: expected 'header' or 'full', found {verify!r}.")
        container = read_container(path, kind=KIND, version=VERSION, mmap=mmap, verify=verify)
        _check_sections(path, container)
        place = container.meta.pop("place", None)
        try:
            index = cls(container.arrays, container.meta)
            index.place, index.threads = place, 1 if threads is None else threads
            if verify == "full":
                index.verify()
        except (ArtefactError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtefactError(f"{path}: altered: {error}") from error
        return index

    def verify(self) -> None:
        """Check that the stored arrays agree with one another, all of them, in time linear in the index.

        Raises:
            ArtefactError: they do not; the message says what is wrong.
        """
        self._core.check()

    # ---- facts --------------------------------------------------------------------------------------------

    @property
    def num_tokens(self) -> int:
        """Tokens in all documents."""
        return self._core.rows - self.num_documents

    @property
    def num_documents(self) -> int:
        """Documents, empty ones included."""
        return int(self._meta["num_documents"])

    @property
    def num_rows(self) -> int:
        """Rows: one for each token and one for each document's start. Ranges lie in `[0, num_rows)`."""
        return self._core.rows

    @property
    def vocab_size(self) -> int:
        """All tokens are below this number."""
        return int(self._meta["vocab_size"])

    @property
    def profile(self) -> Profile:
        """ "fast" or "compact"."""
        return _profile(self._meta["profile"])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, the text included."""
        return sum(array.nbytes for array in self._arrays.values())

    @property
    def document_lengths(self) -> Ints:
        """int64 [D]: tokens of each document."""
        return np.diff(self._arrays["offsets"])

    @property
    def threads(self) -> int:
        """How many threads a batch may use."""
        return self._core.threads

    @threads.setter
    def threads(self, threads: int) -> None:
        self._core.threads = threads

    # ---- one n-gram ---------------------------------------------------------------------------------------

    def range(self, ngram: Sequence[int] | npt.NDArray[Any]) -> tuple[int, int]:
        """The rows `(lo, hi)` of an n-gram's occurrences; `[]` gives all rows, an absent n-gram `(0, 0)`."""
        lo, hi = np.zeros(1, np.int64), np.full(1, self.num_rows, np.int64)
        for token in as_ints(ngram, "ngram"):
            lo, hi = self._core.step(lo, hi, np.full(1, token, np.int64))
        return int(lo[0]), int(hi[0])

    def count(self, ngram: Sequence[int] | npt.NDArray[Any]) -> int:
        """Occurrences of an n-gram; the empty one occurs before, between and after all tokens."""
        lo, hi = self.range(ngram)
        return hi - lo

    def document_frequency(self, ngram: Sequence[int] | npt.NDArray[Any]) -> int:
        """How many documents hold an n-gram; takes time proportional to its occurrences."""
        lo, hi = self.range(ngram)
        offsets, _ = self.documents([lo], [hi])
        return int(offsets[1])

    def document_start(self) -> tuple[int, int]:
        """The range whose successors are the documents' first tokens."""
        return 0, self.num_documents

    # ---- batches ------------------------------------------------------------------------------------------

    def step(self, lo: npt.ArrayLike, hi: npt.ArrayLike, tokens: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Extend each range by one token.

        Args:
            lo, hi: int64 [B], ranges that this index returned; an empty one stays empty.
            tokens: integers [B]; an unknown token gives the empty range (0, 0).

        Returns:
            lo, hi: int64 [B].
        """
        return self._core.step(as_ints(lo, "lo"), as_ints(hi, "hi"), as_ints(tokens, "tokens"))

    def successors(self, lo: npt.ArrayLike, hi: npt.ArrayLike) -> tuple[Ints, Tokens, Ints]:
        """All tokens that follow each range, with their occurrences.

        Returns:
            offsets: int64 [B + 1]; beam b has the entries `offsets[b]:offsets[b + 1]`.
            tokens: int32 [m], ascending within a beam.
            counts: int64 [m].
        """
        return self._core.successors(as_ints(lo, "lo"), as_ints(hi, "hi"))

    def children(
        self, lo: npt.ArrayLike, hi: npt.ArrayLike, tokens: npt.ArrayLike, counts: npt.ArrayLike
    ) -> tuple[Ints, Ints]:
        """The ranges of chosen successors: `step` at half its price, since the counts are known.

        Args:
            lo, hi: int64 [B], the parents' ranges (gathered, one for each chosen successor).
            tokens, counts: integers [B], as `successors` or `top_successors` gave them.
        """
        ranges = as_ints(lo, "lo"), as_ints(hi, "hi")
        return self._core.children(*ranges, as_ints(tokens, "tokens"), as_ints(counts, "counts"))

    def top_successors(
        self, lo: npt.ArrayLike, hi: npt.ArrayLike, scores: npt.NDArray[np.float32], k: int
    ) -> tuple[Ints, Tokens, Ints]:
        """The `k` best-scored successors of each range; ties go to the smaller token, NaN counts as lowest.

        Args:
            lo, hi: int64 [B].
            scores: float32 [B, V] with V >= vocab_size.
            k: at least 1.

        Returns:
            offsets, tokens, counts as `successors`, ascending by token within a beam.
        """
        return self._core.top_successors(
            as_ints(lo, "lo"), as_ints(hi, "hi"), np.ascontiguousarray(scores), k
        )

    def locate(self, rows: npt.ArrayLike) -> Ints:
        """The offset in `tokens` of the last token of the n-gram at each row.

        The row of a document's start gives the offset before the document's first token.
        """
        return self._core.locate(as_ints(rows, "rows"), True, False)[0]

    def documents_of(self, rows: npt.ArrayLike) -> Ints:
        """int64 [B]: the document of each row."""
        return self._core.locate(as_ints(rows, "rows"), False, True)[1]

    def documents(
        self, lo: npt.ArrayLike, hi: npt.ArrayLike, limit: int | None = None, *, occurrences: bool = False
    ) -> tuple[Ints, ...]:
        """The distinct documents of each range, ascending.

        With `limit` at most so many for each range, those of its first rows; the rows behind are not read.

        Returns:
            offsets: int64 [B + 1].
            documents: int64 [m].
            occurrences: int64 [m], only if asked for: how often the range occurs in each document.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit: expected 0 or more, found {limit}.")
        ranges = as_ints(lo, "lo"), as_ints(hi, "hi")
        offsets, documents, counts = self._core.documents(
            *ranges, -1 if limit is None else limit, occurrences
        )
        return (offsets, documents, counts) if occurrences else (offsets, documents)

    def extract(self, document: int) -> Tokens:
        """int32: the tokens of a document."""
        return self._core.extract(np.full(1, document, np.int64))[1]

    def extract_many(self, documents: npt.ArrayLike) -> tuple[Ints, Tokens]:
        """offsets int64 [B + 1] and tokens int32 of several documents."""
        return self._core.extract(as_ints(documents, "documents"))


def _check_sections(path: str | os.PathLike[str], container: Container) -> None:
    """Refuse a file that has not the sections and values of its profile."""
    expected = SECTIONS.get(str(container.meta.get("profile")))
    if expected is None:
        raise ArtefactError(f"{path}: altered: its profile is {container.meta.get('profile')!r:.80}.")
    container.check(path, expected, META)
    place = container.meta.get("place")
    if container.meta.keys() - META.keys() - {"place"} or not (place is None or type(place) is int):
        raise ArtefactError(f"{path}: altered: its header holds values that an index has not.")
    if not (0 <= container.meta["num_documents"] < 1 << 32 and 1 <= container.meta["vocab_size"] <= 1 << 31):
        raise ArtefactError(f"{path}: altered: its numbers of documents or tokens are out of range.")


def _profile(profile: Any) -> Profile:
    if profile not in ("fast", "compact"):
        raise ValueError(f"profile: expected 'fast' or 'compact', found {profile!r}.")
    checked: Profile = profile
    return checked


def _token_array(tokens: npt.ArrayLike) -> npt.NDArray[Any]:
    """The tokens in a dtype that the core reads, without a copy where that is possible."""
    values = np.asarray(tokens)
    if values.ndim == 1 and values.dtype in (np.uint16, np.int32, np.int64):
        return np.ascontiguousarray(values)
    return as_ints(values, "tokens")


def _vocabulary(tokens: npt.NDArray[Any], vocab_size: int | None) -> int:
    if vocab_size is None:
        return int(tokens.max(initial=0)) + 1
    if not 1 <= vocab_size <= 1 << 31:
        raise ValueError(f"vocab_size: expected 1 to 2^31, found {vocab_size}.")
    return vocab_size
