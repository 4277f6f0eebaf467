"""Files of one format as files of another, what is wrong with them, and what a corpus holds. Knows formats by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from docid.scripts import units
from genret.corpus.documents.folder import LeftOut
from genret.corpus.documents.pieces import DOCUMENT
from genret.corpus.formats.datafile import EmptyFileError, LineError, show
from genret.corpus.formats.registry import FORMATS, find_format
from genret.corpus.read import of_source, source_passages
from genret.corpus.sources import Source, kind_of
from genret.corpus.store import PassageStore
from genret.corpus.types import Passage
from genret.errors import InputError, UsageError

__all__ = ["Summary", "convert", "counted", "problems", "summarise", "told_as"]

MOST_PROBLEMS = 10
EXAMPLES = 3
# Formats of queries, which are ids and texts, and of passages that have no titles.
TITLELESS = {"beir-queries": "beir-corpus", "msmarco-queries": "msmarco-corpus"}
# Characters of an example's title and text, and files that are left out, that are shown.
SHOWN_CHARACTERS, LEFT_SHOWN = 70, 5


def convert(sources: Sequence[Source], target: str | os.PathLike[str], target_format: str) -> list[LeftOut]:
    """Read `sources` (of a corpus; else there is one) and write them as `target_format`; returns the files without text.

    Raises:
        UsageError: the formats are of two kinds, or the target's cannot be written.
        InputError: a source is wrong, or holds what the target's format cannot.
    """
    write = find_format(target_format)
    kind, form = kind_of(sources[0]), sources[0].form
    if kind != write.kind:
        raise UsageError(f"{form} holds {kind}, {target_format} {write.kind}: not the same kind.")
    if write.write is None:
        writable = [name for name, one in FORMATS.items() if one.kind == kind and one.write]
        fault = "can be read only" if write.lines is None else f"holds more than a {kind} file has"
        raise UsageError(f"{target_format} {fault}; a {kind} file can be {', '.join(writable)}.")
    left: list[LeftOut] = []
    write.write(target, source_passages(sources, left) if kind == "corpus" else of_source(sources[0]))
    return left


def problems(sources: Sequence[Source]) -> list[str]:
    """The first ten complaints about files, each of another line, where it can be told by lines at all."""
    found: list[str] = []
    for source in sources:
        found += _problems(source, MOST_PROBLEMS - len(found), ignore_empty=len(sources) > 1)
    return found


def _problems(source: Source, most: int, *, ignore_empty: bool) -> list[str]:
    found: list[str] = []
    while len(found) < most:
        if source.file.blanks is not None:
            source.file.blanks.clear()
        try:
            content = of_source(source)
            for _ in content if isinstance(content, Iterator) else ():
                pass
        except LineError as error:
            found.append(str(error))
            skip = source.file.skip | {error.line}
            source = source._replace(file=replace(source.file, skip=skip))
        except EmptyFileError as error:
            # Where every line was bad nothing remains: that is no problem of its own.
            return found if found or ignore_empty else [str(error)]
        except InputError as error:
            return [*found, str(error)]
        else:
            break
    return found


@dataclass
class Summary:
    """What a corpus holds, as it goes by."""

    forms: Counter[str]
    documents: int = 0
    passages: int = 0
    titled: int = 0
    words: int = 0
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[Passage] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def counted(self, passages: Iterator[Passage]) -> Iterator[Passage]:
        """The passages, as they are counted."""
        last = None
        for passage in passages:
            document = passage.metadata.get(DOCUMENT, passage.passage_id)
            self.documents += document != last
            last = document
            self.passages += 1
            self.titled += bool(passage.title.strip())
            self.words += len(units(passage.text))
            self.fields.update((name, TYPES[type(value)]) for name, value in passage.metadata.items())
            if len(self.examples) < EXAMPLES:
                self.examples.append(passage)
            yield passage

    def lines(self, label: str) -> list[str]:
        """For a person to read."""
        fields = [f"{name} ({kind}, in {count:,})" for (name, kind), count in self.fields.items()]
        return [
            f"{label}: {counted(self.documents, 'document')}, {counted(self.passages, 'passage')}, "
            f"{self.words / max(1, self.passages):.0f} words each on average; {self.titled:,} with a title",
            f"files: {', '.join(f'{form} ({count:,})' for form, count in self.forms.items())}",
            f"metadata: {', '.join(fields) or 'none'}",
            *(_example(one) for one in self.examples),
            *_left_lines(self.left_out),
        ]


TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def summarise(sources: Sequence[Source], left_out: Sequence[LeftOut]) -> Summary:
    """Read a corpus as it would be stored, and count.

    Raises:
        InputError: it cannot be.
    """
    for source in sources:
        if source.file.blanks is not None:
            source.file.blanks.clear()
    summary = Summary(Counter(source.form for source in sources), left_out=list(left_out))
    PassageStore.build(summary.counted(source_passages(sources, summary.left_out)), sources[0].file.reached)
    return summary


def told_as(source: Source) -> list[str]:
    """What a file that holds no corpus was read as, and how it is read as one, where it could be.

    Raises:
        InputError: it cannot be read.
    """
    if kind_of(source) != "queries":
        return []
    number = sum(1 for _ in of_source(source))
    lines = [f"{source.file.label}: {number:,} {'query' if number == 1 else 'queries'}, as {source.form}"]
    if source.form in TITLELESS:
        lines.append(
            f"passages without titles look the same: --from {TITLELESS[source.form]} reads it as a corpus"
        )
    return lines


def counted(number: int, what: str) -> str:
    """As people write it: `1 problem`, `2 problems`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _example(passage: Passage) -> str:
    title, text = (_short(part) for part in (passage.title, passage.text))
    return f"for example {show(passage.passage_id)}: {title or '(no title)'} | {text or '(no text)'}"


def _left_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """Why files are left out, with how many and the first of them."""
    reasons: dict[str, list[str]] = {}
    for place, reason in left_out:
        reasons.setdefault(reason, []).append(place)
    return [
        f"left out, {reason} ({len(places):,}): {', '.join(places[:LEFT_SHOWN])}"
        f"{', ...' if len(places) > LEFT_SHOWN else ''}"
        for reason, places in reasons.items()
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 3]}..."
