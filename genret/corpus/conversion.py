"""Files of one format as files of another, and what is wrong with one. Knows formats by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from genret.corpus.formats.datafile import DataFile, EmptyFileError, LineError
from genret.corpus.formats.registry import FORMATS, find_format
from genret.errors import InputError, UsageError

__all__ = ["convert", "problems"]

MOST_PROBLEMS = 10


def convert(source: DataFile, source_format: str, target: str | os.PathLike[str], target_format: str) -> None:
    """Read `source` and write it as `target_format`.

    Raises:
        UsageError: the formats are of two kinds, or the target's cannot be written.
        InputError: the source is wrong, or holds what the target's format cannot.
    """
    read, write = find_format(source_format), find_format(target_format)
    if read.kind != write.kind:
        raise UsageError(
            f"{source_format} holds {read.kind}, {target_format} {write.kind}: not the same kind."
        )
    if write.write is None:
        writable = [name for name, one in FORMATS.items() if one.kind == read.kind and one.write]
        fault = "can be read only" if write.lines is None else f"holds more than a {read.kind} file has"
        raise UsageError(f"{target_format} {fault}; a {read.kind} file can be {', '.join(writable)}.")
    write.write(target, read.read(source))


def problems(source: DataFile, source_format: str) -> list[str]:
    """The first ten complaints about a file, each of another line, where it can be told by lines at all."""
    found: list[str] = []
    read = find_format(source_format).read
    while len(found) < MOST_PROBLEMS:
        if source.blanks is not None:
            source.blanks.clear()
        try:
            content = read(source)
            for _ in content if isinstance(content, Iterator) else ():
                pass
        except LineError as error:
            found.append(str(error))
            source = replace(source, skip=source.skip | {error.line})
        except EmptyFileError as error:
            # Where every line was bad nothing remains: that is no problem of its own.
            return found or [str(error)]
        except InputError as error:
            return [*found, str(error)]
        else:
            break
    return found
