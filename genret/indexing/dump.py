"""What an index holds, as lines of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from genret.indexing.text_index import TextIndex

__all__ = ["token_lines"]


def token_lines(folder: str | os.PathLike[str], limit: int | None) -> Iterator[str]:
    """One line for each passage, at most `limit`: its passage_id, title_tokens and text_tokens."""
    loaded = TextIndex.load(folder)
    count = len(loaded.passages) if limit is None else min(limit, len(loaded.passages))
    for document in range(count):
        tokens = loaded.index.extract(document).tolist()
        cut = int(loaded.title_lengths[document])
        line = {
            "passage_id": loaded.passages.passage_ids[document],
            "title_tokens": tokens[:cut],
            "text_tokens": tokens[cut:],
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"
