"""Text files line by line: plain or compressed, in a folder or inside a zip archive (a wheel is one).

The content says whether gzip or zstandard compressed it, not the name. Knows bytes, lines and where they are; knows nothing of what a line means. A complaint names file and line.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from genret.corpus.corpus_options import AS_IS, CorpusOptions
from genret.corpus.formats.content import HEAD, compression, encoding_hint, foreign
from genret.corpus.standard_input import STANDARD_INPUT, STDIN, as_address, as_text, spooled_input
from genret.corpus.writing import uncompressed_suffix
from genret.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "BLANK",
    "Blanks",
    "DataFile",
    "EmptyFileError",
    "LineError",
    "data_file",
    "find_file",
    "list_files",
    "show",
]

COMPRESSIONS = ("", ".gz", ".zst")
ARCHIVES = (".zip", ".whl")
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, zipfile.BadZipFile)
CHUNK = 1 << 18
BLANK = (
    "has neither title nor text; give it one, or leave such passages out with --skip-empty (in a configuration, "
    "data.skip_empty: true)."
)
BOM = "\ufeff"
SHOWN_CHARACTERS = 60
BLANKS_NAMED = 10


class LineError(InputError):
    """A complaint about one line of a file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Blanks:
    """The passages of a corpus that have neither title nor text and are left out: which, and where they stand."""

    def __init__(self) -> None:
        self.passage_ids: list[str] = []
        self._places: list[str] = []

    def add(self, place: str, passage_id: str) -> None:
        """One more, and where it stands."""
        if len(self._places) < BLANKS_NAMED:
            self._places.append(f"{place} ({show(passage_id)})")
        self.passage_ids.append(passage_id)

    def clear(self) -> None:
        """Forget them: the file is read again."""
        self.passage_ids.clear()
        self._places.clear()

    def told(self, label: str) -> str:
        """A sentence for the user: how many, and the first of them."""
        more = ", ..." if len(self.passage_ids) > len(self._places) else ""
        return (
            f"{label}: left out {len(self.passage_ids):,} passages that have neither title nor text: "
            f"{', '.join(self._places)}{more}."
        )


class EmptyFileError(InputError):
    """A complaint about a file without a single line of what it should hold."""


@dataclass(frozen=True)
class DataFile:
    """One file of text lines; `member` is its name inside the archive `path`, if it is in one.

    Lines whose numbers are in `skip` are passed over unread: so a check goes on after a bad line. Passages without
    title and text are added to `blanks` and left out, or refused where there is none. With `one_word`, ids that
    columns between blanks cannot hold are refused: what is made of this file is written in such columns. `options` are
    those of a corpus; `name` is its path below the place that was named, `unit` what its parts are called. `reached` is given
    the place of each record.
    """

    path: Path
    member: str | None = None
    skip: frozenset[int] = frozenset()
    blanks: Blanks | None = None
    one_word: bool = False
    options: CorpusOptions = AS_IS
    name: str | None = None
    unit: str = "line"
    reached: deque[str] | None = None

    @property
    def label(self) -> str:
        """How complaints call it."""
        if self.is_standard_input:
            return STANDARD_INPUT
        place = as_text(self.path)
        return place if self.member is None else f"{place}!{self.member}"

    @property
    def place(self) -> PurePath:
        """Its name and the folders around it, on disk or in its archive."""
        if self.is_standard_input:
            return PurePath(STDIN)
        return self.path.absolute() if self.member is None else PurePosixPath(self.member)

    @property
    def is_standard_input(self) -> bool:
        """Whether it holds what came in there."""
        return self.name == STDIN

    @property
    def document_id(self) -> str:
        """What names its content: its path below the place that was named, as in an address, without white space."""
        return as_address(self.name or self.place.name)

    @property
    def stem(self) -> str:
        """Its name without what says how its content is written and compressed."""
        place = self.place
        return as_text(PurePath(place.stem if place.suffix.lower() in COMPRESSIONS[1:] else place.name).stem)

    @property
    def suffix(self) -> str:
        """What its name says its content is: `.md` of `A.md` and of `a.md.gz`."""
        return uncompressed_suffix(self.place).lower()

    def lines(self) -> Iterator[tuple[int, str]]:
        """Line numbers from 1, and lines without their end; a byte order mark is dropped, blank lines skipped.

        Raises:
            InputError: as `raw_lines`, or a line is not UTF-8 or holds a NUL.
        """
        for number, raw in self.raw_lines():
            line = self.decode(number, raw).rstrip("\r\n")
            if line and not line.isspace():
                yield number, line

    def raw_lines(self, *, html: bool = False) -> Iterator[tuple[int, bytes]]:
        """Line numbers from 1, and lines as they are, blank ones and line ends too; those of `skip` are left out.

        With `html` a page is expected, which is refused as anything else.

        Raises:
            InputError: it cannot be opened, is no text, or its compression is damaged or cut short.
        """
        number = 0
        try:
            with ExitStack() as stack:
                for number, raw in enumerate(self._open(stack, html), 1):
                    if number not in self.skip:
                        yield number, raw
        except DAMAGE as error:
            raise InputError(
                f"{self.label}, after line {number}: the compressed data is damaged or cut short ({error}); "
                "fetch the file again."
            ) from error
        except OSError as error:
            raise InputError(f"{self.label}: cannot be read: {error.strerror or error}.") from error

    def content(self, *, html: bool = False) -> bytes:
        """All of it, decompressed; `html` says that a page is what is expected.

        Raises:
            InputError: as `raw_lines`.
        """
        return b"".join(raw for _, raw in self.raw_lines(html=html))

    def text(self) -> str:
        """All of it, each line ended by a line feed.

        Raises:
            InputError: as `lines`.
        """
        decoded = "".join(self.decode(number, raw) for number, raw in self.raw_lines())
        return decoded.replace("\r\n", "\n")

    def problem(self, line: int, text: str) -> LineError:
        """A complaint about one line, to be raised."""
        return LineError(f"{self.label}, {self.unit} {line}{text}", line)

    def reach(self, line: int | None = None) -> None:
        """The record of a line is next, or all of the file."""
        if self.reached is not None:
            self.reached.append(self.label if line is None else f"{self.label}, {self.unit} {line}")

    def add_blank(self, line: int, passage_id: str) -> None:
        """Leave out a passage without title and text.

        Raises:
            LineError: such passages are not to be left out.
        """
        if self.blanks is None:
            raise self.problem(line, f": passage {show(passage_id)} {BLANK}")
        self.blanks.add(f"{self.unit} {line}", passage_id)

    def decode(self, number: int, raw: bytes) -> str:
        """A line as text, without a byte order mark: files put end to end have one in the middle.

        Raises:
            LineError: it is not UTF-8, or holds a NUL.
        """
        if b"\0" in raw:
            raise self.problem(
                number,
                f": a NUL at byte {raw.index(0) + 1}; expected text: the file is damaged or binary{self._named}.",
            )
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.problem(
                number,
                f": not UTF-8 at byte {error.start + 1} of the line (0x{raw[error.start]:02x}): "
                f"{encoding_hint(raw, error.start)}{self._named}",
            ) from error
        return line.lstrip(BOM)

    @property
    def _named(self) -> str:
        """What a complaint about bytes adds where a name promises a compression that the content has not."""
        suffix = PurePosixPath(self.member or self.path.name).suffix
        if suffix not in COMPRESSIONS[1:] or self._is_compressed():
            return ""
        return f" (its name ends in {suffix}, but its content does not begin so)"

    def _is_compressed(self) -> bool:
        with ExitStack() as stack:
            return compression(self._bytes(stack).peek(HEAD)) is not None

    def _open(self, stack: ExitStack, html: bool) -> io.BufferedReader:
        """The decompressed bytes, the compression told by the content; what was opened is closed with `stack`."""
        stream = self._bytes(stack)
        packed = compression(stream.peek(HEAD))
        if packed == "gzip":
            stream = stack.enter_context(cast(io.BufferedReader, gzip.GzipFile(fileobj=stream)))
        elif packed is not None:
            stream = io.BufferedReader(_ZstdStream(stream), CHUNK)
        problem = foreign(stream.peek(HEAD)[:HEAD], html=html)
        if problem is not None:
            raise InputError(f"{self.label}: {problem}")
        return stream

    def _bytes(self, stack: ExitStack) -> io.BufferedReader:
        """The bytes as they are stored."""
        if not self.path.is_file():
            # Opening a pipe would wait for a writer, and no pipe can be read twice.
            raise InputError(
                f"{self.path}: not a file that can be read (a folder, pipe or device); name a file."
            )
        if self.member is None:
            return stack.enter_context(self.path.open("rb"))
        archive = stack.enter_context(zipfile.ZipFile(self.path))
        return stack.enter_context(cast(io.BufferedReader, archive.open(self.member)))


class _ZstdStream(io.RawIOBase):
    """Zstandard frames, one after the other; unlike the library's reader it notices a frame that is cut short."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._started = False
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._ready and self._fill():
            pass
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _fill(self) -> bool:
        """Decompress one more piece; False at the end of the file."""
        data = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._started = zstandard.ZstdDecompressor().decompressobj(), False
        data = data or self._source.read(CHUNK)
        if not data:
            if self._started:
                raise EOFError("the last frame has no end")
            return False
        self._started = True
        self._ready = self._frame.decompress(data)
        return True


def list_files(place: Path) -> list[str]:
    """The names of the files in a folder (its own and one level below) or an archive, sorted.

    Raises:
        InputError: `place` is neither.
    """
    if place.is_dir():
        found = [*place.iterdir(), *place.glob("*/*")]
        return sorted(path.relative_to(place).as_posix() for path in found if path.is_file())
    if not place.exists():
        raise InputError(f"{place}: no such file or folder.")
    try:
        with zipfile.ZipFile(place) as archive:
            return sorted(name for name in archive.namelist() if not name.endswith("/"))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{place}: expected a folder or a zip archive ({error}).") from error


def find_file(place: Path, name: str) -> DataFile | None:
    """The file `name` of a folder or an archive, plain or compressed; in an archive at any depth.

    Raises:
        InputError: an archive has several files of that name, none of them nearer to its root.
    """
    names = list_files(place)
    for candidate in (name + suffix for suffix in COMPRESSIONS):
        if place.is_dir():
            if candidate in names:
                return DataFile(place / candidate)
            continue
        parts = PurePosixPath(candidate).parts
        found = [member for member in names if PurePosixPath(member).parts[-len(parts) :] == parts]
        if found:
            return DataFile(place, _nearest(place, found))
    return None


def _nearest(place: Path, members: list[str]) -> str:
    """The member nearest to the archive's root."""
    ordered = sorted(members, key=lambda member: (member.count("/"), member))
    if len(ordered) > 1 and ordered[0].count("/") == ordered[1].count("/"):
        raise InputError(f"{place}: holds both {ordered[0]} and {ordered[1]}; unpack the one that is meant.")
    return ordered[0]


def data_file(path: str | os.PathLike[str]) -> DataFile | None:
    """`path` itself as a file of lines; None if it is a folder or an archive.

    Raises:
        InputError: there is no such file or folder, or it is a pipe or a device.
    """
    if os.fspath(path) == "-":
        return DataFile(spooled_input(), name=STDIN)
    place = Path(path)
    if not place.exists():
        raise InputError(f"{place}: no such file or folder.")
    if place.is_dir():
        return None
    if not place.is_file():
        raise InputError(
            f"{place}: a pipe or a device; files are read more than once: write it to a file first, or pipe it into the "
            "command and name it -."
        )
    return None if place.suffix in ARCHIVES and _is_archive(place) else DataFile(place)


def _is_archive(place: Path) -> bool:
    """Whether a file with an archive's name begins as one does; what does not is read as what it is."""
    with place.open("rb") as file:
        return file.read(2) == b"PK"


def show(value: object) -> str:
    """A value as a complaint quotes it: short, on one line, every character visible."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
