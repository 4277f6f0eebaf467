"""What a file is, told from its first bytes: compressed, another encoding, or no text at all.

Knows magic numbers; opens nothing. Each sentence says what was found and what to do, and leaves the file alone.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

__all__ = ["HEAD", "compression", "encoding_hint", "foreign"]

# So many bytes are looked at: a tar archive is told by those at 257.
HEAD = 4096
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
UNPACK = "unpack a copy and name the file in it"
# First bytes, what they begin, and what to do.
BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (GZIP, "data compressed twice, by gzip inside", "unpack it once (gzip -dc FILE > COPY)"),
    (ZSTD, "data compressed twice, by zstandard inside", "unpack it once (zstd -dc FILE > COPY)"),
    (b"\xfd7zXZ\0", "compressed by xz", "unpack a copy (xz -dc FILE > COPY), or compress it as .gz or .zst"),
    (b"BZh", "compressed by bzip2", "unpack a copy (bzip2 -dc FILE > COPY), or compress it as .gz or .zst"),
    (b"\x04\x22\x4d\x18", "compressed by lz4", "unpack a copy (lz4 -dc FILE > COPY)"),
    (b"\x5d\0\0", "compressed by lzma", "unpack a copy (xz -dc FILE > COPY)"),
    (b"\x1f\x9d", "compressed by compress", "unpack a copy (gzip -dc FILE > COPY)"),
    (b"PK\x03\x04", "a zip archive", "give it a name that ends in .zip, or unpack it"),
    (b"PK\x05\x06", "a zip archive with nothing in it", "look for the right file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PAR1", "a Parquet table", "a corpus is read from it where its name ends in .parquet"),
    (b"ARROW1", "an Arrow table", "a corpus is read from it where its name ends in .arrow"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "a corpus is read from it where its name ends in .arrow"),
    (b"FEA1", "a Feather table", "write its rows as JSON lines or as Parquet"),
    (b"Obj\x01", "an Avro file", "write its rows as JSON lines"),
    (b"\x93NUMPY", "a NumPy array", "texts are read as JSON lines or tab-separated columns"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write its rows as JSON lines"),
    (b"SQLite format 3\0", "an SQLite database", "write its rows as JSON lines"),
    (b"GENRETCF", "an artefact of genret itself", "name the file that it was made from"),
    (b"%PDF-", "a PDF document", "take its text out first"),
    (b"\xd0\xcf\x11\xe0", "an Office document", "write its text as JSON lines or tab-separated columns"),
    (b"\x89PNG", "a picture", "look for the right file"),
    (b"\xff\xd8\xff", "a picture", "look for the right file"),
    (b"\x7fELF", "a program", "look for the right file"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS, not the file that it stands for",
        "fetch that with `git lfs pull`",
    ),
)
PICKLE = "a Python pickle"
NO_PICKLE = "nothing is read from pickles, they can run code; write its rows as JSON lines"
TAR, TAR_AT = b"ustar", 257
HTML = (b"<!doctype html", b"<html")
# So many bytes beyond ASCII's are not UTF-8 by chance.
UTF_8 = 8
# So many characters beyond ASCII's stand together in no language of the Latin alphabet.
OTHER_ALPHABET = re.compile(rb"[\x80-\xff]{4}")
# The byte order marks of UTF-32 begin with those of UTF-16.
MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def compression(head: bytes) -> Literal["gzip", "zstandard"] | None:
    """What a file that begins so is compressed by, of what is read here, whatever its name."""
    if head.startswith(GZIP):
        return "gzip"
    # A skippable frame, as parallel compressors write them first, is zstandard's as well.
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[:1] and head[0] >> 4 == 5
    return "zstandard" if head.startswith(ZSTD) or skippable else None


def foreign(head: bytes, *, html: bool = False) -> str | None:
    """A sentence's end for a file that begins so and is no text in UTF-8, or `html` no page; None where it may be one."""
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), None)
    found = None if encoding is not None else _no_text(head, html)
    encoding = encoding or (_unmarked(head) if found is None else None)
    if encoding is not None:
        return f"text in {encoding}, where UTF-8 is read; write a copy (iconv -f {encoding} -t UTF-8 FILE > COPY)."
    return found


def _no_text(head: bytes, html: bool) -> str | None:
    for beginning, what, advice in BEGINNINGS:
        if head.startswith(beginning):
            return f"{what}, no text; {advice}."
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"{PICKLE}, no text; {NO_PICKLE}."
    if head[TAR_AT : TAR_AT + len(TAR)] == TAR:
        return f"a tar archive, no text; {UNPACK}."
    if not html and head.lstrip()[:20].lower().startswith(HTML):
        return "an HTML page, as a download that failed leaves it; fetch the data itself."
    if b"\n" not in head and head.rstrip(b"\r").count(b"\r") > 1:
        return "text whose lines end in CR alone; write a copy (tr '\\r' '\\n' < FILE > COPY)."
    return None


def encoding_hint(line: bytes, at: int) -> str:
    """What a line that is no UTF-8 from byte `at` on may be, and what to do."""
    if (
        len(line.rstrip(b"\r\n")) - at < 4
        and line[at] >= 0xC2
        and all(b & 0xC0 == 0x80 for b in line[at + 1 :])
    ):
        return "a character is cut off: the file may be cut short; compare its size with the original's."
    if sum(byte >= 0x80 for byte in line[:at]) >= UTF_8:
        return "what stands before it is UTF-8: the line is damaged, or holds two encodings; write it anew."
    if OTHER_ALPHABET.search(line):
        return (
            "an encoding of another alphabet (GB18030, Big5, Shift_JIS, EUC-KR, Windows-1251, ...); write a copy in UTF-8 "
            "(iconv -f ENCODING -t UTF-8 FILE > COPY)."
        )
    try:
        character = ascii(line[at : at + 1].decode("cp1252"))
    except UnicodeDecodeError:
        return (
            "the file is in another encoding or damaged; write a copy in UTF-8 (iconv -f ENCODING -t UTF-8)."
        )
    return (
        f"{character} in Latin-1 or Windows-1252; if it is in that, write a copy in UTF-8 "
        "(iconv -f WINDOWS-1252 -t UTF-8 FILE > COPY)."
    )


def _unmarked(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by where the zeros of its ASCII characters stand."""
    if b"\0" not in head:
        return None
    whole = head[: len(head) // 4 * 4]
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        zeros = whole[(0 if encoding.endswith("BE") else 1) :: 2].count(0)
        # ASCII's punctuation makes a sixteenth of the characters, in any language.
        if zeros >= max(2, len(whole) / 32) and _is_text(whole, encoding):
            return encoding
    return None


def _is_text(data: bytes, encoding: str) -> bool:
    """Whether data decodes to characters that texts have; its end may be cut off."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
    return all(character.isprintable() or character.isspace() for character in text.replace("\ufffd", "\0"))
