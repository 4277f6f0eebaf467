"""Passages to token ids, in batches, streamed to a file: memory does not grow with the corpus.

Knows tokenizers and passages; knows nothing of indexes. A passage's tokens are those of its title followed by
those of its text with a space before it, each tokenised on its own, without special tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genret.corpus import Passage, PassageStore
from genret.progress import progress

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
    passages: PassageStore, tokenizer: Any, folder: Path, part_tokens: int | None
) -> Iterator[TokenPart]:
    """Yield the tokens of `passages` in parts of about `part_tokens` tokens (one part when None)."""
    with progress(len(passages), "tokenising", "passages") as report:
        row = number = total = 0
        while number == 0 or row < len(passages):
            part = TokenPart(folder / f"tokens-{number}.i32")
            with part.path.open("wb") as file:
                while row < len(passages) and (part_tokens is None or part.num_tokens < part_tokens):
                    batch = [passages[i] for i in range(row, min(row + BATCH, len(passages)))]
                    _append(part, file, batch, tokenizer)
                    row += len(batch)
                    report.note(f"{(total + part.num_tokens) / 1e6:,.1f} M tokens")
                    report.advance(len(batch))
            number += 1
            total += part.num_tokens
            yield part


def _append(part: TokenPart, file: BinaryIO, batch: Sequence[Passage], tokenizer: Any) -> None:
    titles = _encode(tokenizer, [passage.title for passage in batch])
    texts = _encode(tokenizer, [" " + passage.text for passage in batch])
    for title, text in zip(titles, texts, strict=True):
        file.write(np.array([*title, *text], np.int32).tobytes())
        part.lengths.append(len(title) + len(text))
        part.title_lengths.append(len(title))
        part.num_tokens += part.lengths[-1]


def _encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids without special tokens; a fast tokenizer works on all texts of the batch in parallel."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]
