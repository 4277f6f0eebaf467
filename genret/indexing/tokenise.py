"""Passages to token ids, in batches, streamed to a file: memory does not grow with the corpus.

Knows tokenizers and passages; knows nothing of indexes. Without a layout a passage's tokens are those of its title
followed by those of its text with a space before it, each tokenised on its own, without special tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from genret.corpus import Passage
from genret.indexing.layout import Layout, encode_field
from genret.jobs.progress import progress
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["TokenPart", "tokenise_passages"]

BATCH = 1024


@dataclass
class TokenPart:
    """The tokens of consecutive passages, in a file.

    Attributes:
        path: int32 tokens.
        lengths: tokens of each passage.
        title_lengths: how many of them are the title's.
    """

    path: Path
    lengths: list[int] = field(default_factory=list)
    title_lengths: list[int] = field(default_factory=list)
    num_tokens: int = 0

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """The tokens, mapped from the file."""
        if self.num_tokens == 0:
            return np.empty(0, np.int32)
        return np.memmap(self.path, np.int32, mode="r", shape=(self.num_tokens,))

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """int64 [passages + 1]."""
        return np.cumsum([0, *self.lengths], dtype=np.int64)


def tokenise_passages(
    passages: Sequence[Passage],
    tokenizer: Tokenizer,
    folder: Path,
    part_tokens: int | None,
    layout: Layout | None = None,
    queries: Sequence[Sequence[str]] | None = None,
) -> Iterator[TokenPart]:
    """Yield the tokens of `passages` in parts of about `part_tokens` tokens (one part when None).

    With a `layout` fields are marked as it says, `queries` being each passage's pseudo-queries.
    """
    with progress(len(passages), "tokenising", "passages") as report:
        row = number = total = 0
        while number == 0 or row < len(passages):
            part = TokenPart(folder / f"tokens-{number}.i32")
            with part.path.open("wb") as file:
                while row < len(passages) and (part_tokens is None or part.num_tokens < part_tokens):
                    rows = range(row, min(row + BATCH, len(passages)))
                    if layout is None:
                        _append(part, file, _plain(passages, rows, tokenizer))
                    else:
                        _append(part, file, _marked(passages, rows, tokenizer, layout, queries))
                    row = rows.stop
                    report.note(f"{(total + part.num_tokens) / 1e6:,.1f} M tokens")
                    report.advance(len(rows))
            number += 1
            total += part.num_tokens
            yield part


def _append(part: TokenPart, file: BinaryIO, batch: Iterator[tuple[list[int], int]]) -> None:
    """Add passages, each given as its tokens and how many of them are its title's."""
    for tokens, title_length in batch:
        file.write(np.array(tokens, np.int32).tobytes())
        part.lengths.append(len(tokens))
        part.title_lengths.append(title_length)
        part.num_tokens += len(tokens)


def _plain(passages: Sequence[Passage], rows: range, tokenizer: Tokenizer) -> Iterator[tuple[list[int], int]]:
    batch = [passages[row] for row in rows]
    titles = text_ids(tokenizer, [passage.title for passage in batch])
    texts = text_ids(tokenizer, [" " + passage.text for passage in batch])
    for title, text in zip(titles, texts, strict=True):
        yield [*title, *text], len(title)


def _marked(
    passages: Sequence[Passage],
    rows: range,
    tokenizer: Tokenizer,
    layout: Layout,
    queries: Sequence[Sequence[str]] | None,
) -> Iterator[tuple[list[int], int]]:
    batch = [passages[row] for row in rows]
    titles = encode_field(tokenizer, [passage.title for passage in batch])
    texts = encode_field(tokenizer, [passage.text for passage in batch])
    asked = [[] if queries is None else encode_field(tokenizer, queries[row]) for row in rows]
    for title, text, own in zip(titles, texts, asked, strict=True):
        yield layout.joined(title, text, own), len(title)
