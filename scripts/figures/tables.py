"""Tables of Markdown pages, as rows of cells."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def tables(page: Path) -> Iterator[list[list[str]]]:
    """Every table of a page, its header first, without the line below it."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for is_table, group in itertools.groupby(lines, key=lambda line: line.startswith("|")):
        if is_table:
            rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in group]
            yield [row for row in rows if set("".join(row)) - set("-: ")]


def table_with(page: Path, *columns: str, number: int = 0) -> list[list[str]]:
    """The table of a page whose header has these columns; `number`, from 0, where it has several."""
    found = [table for table in tables(page) if set(columns) <= set(table[0])]
    if len(found) <= number:
        sys.exit(f"{page.name}: found {len(found)} tables with the columns {', '.join(columns)}.")
    return found[number]
