"""A corpus of KILT's size, made after a real one: pages as the knowledge source has them, 100 words a paragraph.

    python -m benchmarks.scale.corpus CORPUS --output pages.jsonl                    5.9 M pages, 36 M passages
    python -m benchmarks.scale.corpus CORPUS --output part.jsonl --begin 590000 --end 1180000
    python -m benchmarks.scale.corpus CORPUS --output titles.jsonl --titles

Lengths, titles, words and what follows what are CORPUS's (anything that the library reads), stretched to 6.1 passages
a page; see `resample`. A page depends on seed and number alone: ranges can be made apart, on any machine. With
`--titles` the lines have no paragraphs. The file is streamed; compressed where its name ends in .gz or .zst.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.scale.resample import Page, Pages
from genret.corpus import read_passages
from genret.corpus.writing import text_writer
from genret.jobs.progress import progress

PAGES, PASSAGES = 5_900_000, 36_000_000


def pages_after(corpus: Path, passages: float, seed: int) -> Pages:
    """Pages after a corpus's."""
    found = [(passage.title.split(), passage.text.split()) for passage in read_passages(corpus)]
    titles, texts = zip(*found, strict=True)
    return Pages(titles, texts, passages, seed)


def pages(source: Pages, numbers: range, titles_alone: bool) -> Iterator[Page]:
    if not titles_alone:
        yield from source.of(numbers)
        return
    for number, title in zip(numbers, source.titles_of(numbers), strict=True):
        yield Page(number, title, [])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--begin", type=int, default=0, help="the first page")
    parser.add_argument("--end", type=int, default=PAGES, help="the page after the last")
    parser.add_argument("--passages-a-page", type=float, default=PASSAGES / PAGES)
    parser.add_argument("--titles", action="store_true", help="no paragraphs")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    source, numbers = (
        pages_after(given.corpus, given.passages_a_page, given.seed),
        range(given.begin, given.end),
    )
    paragraphs = 0
    with progress(len(numbers), "writing", "pages") as report, text_writer(given.output) as file:
        for page in pages(source, numbers, given.titles):
            line = {"wikipedia_id": str(page.number), "wikipedia_title": page.title, "text": page.paragraphs}
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            paragraphs += len(page.paragraphs)
            report.advance()
    print(f"{given.output}: {len(numbers):,} pages, {paragraphs:,} passages")


if __name__ == "__main__":
    main()
