"""Tab-separated columns: which are meant, by their header, and where quotes are quotes.

A field of a quoted format (DPR's) is taken as the module csv writes it where it begins with a quote, doubles every
quote inside and ends with one, before a tab or the line's end; anything else stays as it is, quotes and all. A quoted
field may hold tabs and line ends; but where every line already has the columns that are due, each is a row of its
own: a quote that opens one passage and a quote that closes a later one do not make the rows between them one. MS
MARCO's files are never quoted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

from genret.corpus.formats.datafile import DataFile, show

__all__ = [
    "CORPUS",
    "PAIR",
    "QUERIES",
    "RANKS",
    "flat",
    "header_kind",
    "own_columns",
    "plain_name",
    "rows",
    "table",
]

# What headers call the columns, in lower case, without "_", "-" and spaces.
IDS = frozenset(["id", "pid", "docid", "docno", "did", "passageid", "corpusid"])
TEXTS = frozenset(["text", "contents", "content", "passage", "passagetext", "body", "document"])
QUERY_IDS = frozenset(["id", "qid", "queryid"])
QUERY_TEXTS = frozenset(["query", "question", "text", "querytext", "contents"])
Columns = dict[str, frozenset[str]]
CORPUS: Columns = {"id": IDS, "text": TEXTS, "title": frozenset(["title", "passagetitle"])}
QUERIES: Columns = {"id": QUERY_IDS, "query": QUERY_TEXTS}
PAIR: Columns = {"question": frozenset(["question", "query"]), "answers": frozenset(["answers", "answer"])}
RANKS: Columns = {"qid": QUERY_IDS, "pid": IDS, "rank": frozenset(["rank"])}
NAMES = frozenset().union(*CORPUS.values(), *QUERIES.values(), *PAIR.values(), *RANKS.values())

# What columns of queries are called and a corpus's are not, and those of judgements and runs.
ASKED = frozenset(["qid", "queryid", "query"])
JUDGED = ASKED | {"score", "rel", "relevance", "grade", "rank", "topic"}
# What stands between columns where tabs do not.
MARKS = (",", ";")

QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"(?=\t|\Z)')
INSIDE = re.compile(r'[^"]*(?:""[^"]*)*')
# A quoted field with more lines is none: the quote that would end it belongs to another text.
MOST_LINES = 1000


def rows(
    file: DataFile, columns: Columns, due: Sequence[str], *, quoted: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and the values by column; a header on the first line says which is which.

    Args:
        columns: every column that a header may name, and its names.
        due: the columns of a file without a header, in order; of one with a header, those but for the title.
        quoted: whether fields may be quoted.

    Raises:
        InputError: another number of columns, or a header that does not name them.
    """
    names: list[str | None] = list(due)
    lines, first = _Lines(file), True
    while (record := _next_record(lines, len(names), quoted)) is not None:
        number, values = record
        header = _header(file, number, values, columns, due) if first else None
        first, names = False, header or names
        if header is not None:
            continue
        while len(values) > len(names) and not values[-1].strip():
            values.pop()
        if len(values) != len(names):
            raise file.problem(number, f": expected {_expected(names)}, found {_found(values)}.")
        yield number, {name: value for name, value in zip(names, values, strict=True) if name is not None}


def table(file: DataFile) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line and the values of each row, the header among them; fields may be quoted."""
    lines, width = _Lines(file), 0
    while (record := _next_record(lines, width, quoted=True)) is not None:
        width = width or len(record[1])
        yield record


def header_kind(line: str) -> str | None:
    """Whether a line is the header of a corpus or of queries; None for any other line."""
    named = {plain_name(value) for value in line.split("\t")}
    if not named <= NAMES or not named & (IDS | QUERY_IDS):
        return None
    if named & QUERY_IDS - IDS or named & QUERY_TEXTS - TEXTS:
        return "queries"
    certain = named & IDS - QUERY_IDS or named & (TEXTS - QUERY_TEXTS | CORPUS["title"])
    return "corpus" if certain else "either"


def own_columns(line: str, suffix: str) -> Literal["csv", "tsv"] | None:
    """Whether a line is the header of a corpus with columns of its own; a text's first line is none."""
    if "\t" in line:
        names = line.split("\t")
        return "tsv" if header_kind(line) is None and _names_corpus(names) else None
    is_named = suffix == "" and any(_names_corpus(line.split(mark)) for mark in MARKS)
    return "csv" if is_named else None


def _names_corpus(names: list[str]) -> bool:
    named = {plain_name(name) for name in names}
    others = JUDGED if not named & (TEXTS - {"document"}) else ASKED
    has_more = len(names) > 2 or bool(named & (IDS | CORPUS["title"]))
    return len(names) > 1 and bool(named & TEXTS) and has_more and not named & others


def flat(text: str) -> str:
    """`text` with every run of white space as one space: what a column of a tab-separated file can hold."""
    return " ".join(text.split())


def plain_name(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r'[\s"_-]', "", name).lower()


def _header(
    file: DataFile, number: int, values: list[str], columns: Columns, due: Sequence[str]
) -> list[str | None] | None:
    """What each column of a header is, None where it is of no use; None where the line is no header.

    Raises:
        LineError: it is a header that does not name what is due.
    """
    plain = [plain_name(value) for value in values]
    found = [next((role for role, names in columns.items() if value in names), None) for value in plain]
    needed = [name for name in due if name != "title"]
    if all(found.count(role) == 1 for role in needed) and found.count("title") <= 1:
        return found
    # Names of columns all of them, or an id's name where ids stand: no row has that by chance.
    if len(values) > 1 and (NAMES.issuperset(plain) or plain[0] in IDS | QUERY_IDS):
        listed = "; ".join(f"{role}: {', '.join(sorted(columns[role]))}" for role in needed)
        raise file.problem(
            number,
            f": a header, {show(values)}, that does not name each column once ({listed}); name them so.",
        )
    return None


def _expected(names: Sequence[str | None]) -> str:
    listed = ", ".join(name or "one of no use" for name in names)
    return f"{len(names)} tab-separated columns ({listed})"


def _found(values: list[str]) -> str:
    line = "\t".join(values)
    commas = "; columns separated by commas are not read" if len(values) == 1 and "," in line else ""
    return f"{len(values)}: {show(line)}{commas}"


def _next_record(lines: _Lines, width: int, quoted: bool) -> tuple[int, list[str]] | None:
    """The line number and the fields of the next row; None at the end of the file."""
    for number, line in lines:
        text = _without_end(line)
        if text.strip():
            return number, _fields(lines, line, width) if quoted else text.split("\t")
    return None


def _fields(lines: _Lines, line: str, width: int) -> list[str]:
    """The fields of the record that begins with `line`; takes further lines where it goes on there."""
    text = _without_end(line)
    values, is_open = _split(text)
    if is_open:
        longer = _continued(lines, line, width)
        if longer is not None:
            return longer
    raw = text.split("\t")
    return values if len(values) == width or len(raw) != width else raw


def _continued(lines: _Lines, line: str, width: int) -> list[str] | None:
    """The fields of a record of several lines, which are taken then; None where the lines are rows of their own."""
    text, whole = line, line.count("\t") + 1 == width
    for count, following in enumerate(lines.ahead(MOST_LINES), 1):
        text += following
        whole = whole and following.count("\t") + 1 == width
        quote = INSIDE.match(following).end()  # type: ignore[union-attr]
        if quote == len(following):
            continue
        if _without_end(following[quote + 1 :])[:1] not in ("", "\t"):
            return None
        values, is_open = _split(_without_end(text))
        if not is_open:
            if whole or len(values) != width:
                return None
            lines.take(count)
            return values
    return None


def _split(text: str) -> tuple[list[str], bool]:
    """The fields of a text, and whether the quotes of one are still open at its end."""
    values, at, is_open = [], 0, False
    while True:
        match = QUOTED.match(text, at)
        if match is not None:
            values.append(match[1].replace('""', '"'))
            at = match.end()
        else:
            inside = INSIDE.match(text, at + 1) if text[at : at + 1] == '"' else None
            is_open = is_open or (inside is not None and inside.end() == len(text))
            end = text.find("\t", at)
            end = len(text) if end < 0 else end
            values.append(text[at:end])
            at = end
        if at == len(text):
            return values, is_open
        at += 1


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


class _Lines(Iterator[tuple[int, str]]):
    """The lines of a file with their ends, some of which were looked at ahead."""

    def __init__(self, file: DataFile) -> None:
        self._lines = ((number, file.decode(number, raw)) for number, raw in file.raw_lines())
        self._ahead: deque[tuple[int, str]] = deque()

    def __next__(self) -> tuple[int, str]:
        return self._ahead.popleft() if self._ahead else next(self._lines)

    def ahead(self, most: int) -> Iterator[str]:
        """The next lines, which stay next."""
        for place in range(most):
            if place == len(self._ahead):
                following = next(self._lines, None)
                if following is None:
                    return
                self._ahead.append(following)
            yield self._ahead[place][1]

    def take(self, count: int) -> None:
        """Pass over lines that were looked at."""
        for _ in range(count):
            self._ahead.popleft()
