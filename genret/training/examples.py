"""Training examples: what the model reads and the docid that it must emit for it.

Knows texts, judgements and docid tokens; knows no model and no loss. DSI (Tay et al., "Transformer Memory as a
Differentiable Search Index", NeurIPS 2022, section 3.1) names the two kinds: indexing examples lead from a
passage's text to its docid, retrieval examples from a query to the docid of a relevant passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from genret.corpus import Passage
from genret.errors import InputError

if TYPE_CHECKING:
    from docid.table import DocidTable

__all__ = [
    "Example",
    "indexing_examples",
    "retrieval_examples",
    "sentence_examples",
    "span_examples",
]

MIN_SENTENCE_WORDS = 5
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Example(NamedTuple):
    """One training example.

    Attributes:
        source: the text that the model reads.
        target: docid tokens, the end token included.
        task: the name of the source that it came from; mixtures and metrics go by it.
        weight: of each of its tokens in the loss.
        document: the passage's row in the corpus; -1 when there is none.
    """

    source: str
    target: tuple[int, ...]
    task: str
    weight: float = 1.0
    document: int = -1


def indexing_examples(
    passages: Iterable[Passage], table: DocidTable, eos_token_id: int, *, task: str = "indexing"
) -> list[Example]:
    """Passage to docid, one for each passage; passages come in the order of the table's rows."""
    return [
        _example(passage.full_text, row, table, eos_token_id, task) for row, passage in enumerate(passages)
    ]


def retrieval_examples(
    queries: Mapping[str, str],
    judgements: Mapping[str, Mapping[str, int]],
    rows: Mapping[str, int],
    table: DocidTable,
    eos_token_id: int,
    *,
    task: str = "retrieval",
) -> list[Example]:
    """Query to docid, one for each judgement above zero.

    Args:
        queries: query_id to text; queries without a judgement are left out.
        judgements: query_id to passage_id to grade.
        rows: passage_id to its row in the corpus.

    Raises:
        InputError: a judgement names an unknown query or passage.
    """
    examples = []
    for query_id, grades in judgements.items():
        if query_id not in queries:
            raise InputError(f"judgement for query {query_id!r}, which the queries do not hold.")
        for passage_id, grade in grades.items():
            if passage_id not in rows:
                raise InputError(
                    f"query {query_id!r} is judged on passage {passage_id!r}, which is not in the corpus."
                )
            if grade > 0:
                examples.append(_example(queries[query_id], rows[passage_id], table, eos_token_id, task))
    return examples


def sentence_examples(
    passages: Iterable[Passage],
    table: DocidTable,
    eos_token_id: int,
    *,
    limit: int | None = None,
    min_words: int = MIN_SENTENCE_WORDS,
    task: str = "sentences",
) -> list[Example]:
    """Sentence to docid: the first `limit` sentences of at least `min_words` words, and the title, of each passage.

    They stand in for queries where there are none (inner sentence selection; Chen et al., "CorpusBrain", CIKM
    2022, section 3.2).
    """
    examples = []
    for row, passage in enumerate(passages):
        sentences = [text for text in split_sentences(passage.text) if len(text.split()) >= min_words][:limit]
        for text in [passage.title, *sentences]:
            if text.strip():
                examples.append(_example(text, row, table, eos_token_id, task))
    return examples


def span_examples(
    passages: Iterable[Passage],
    table: DocidTable,
    eos_token_id: int,
    *,
    per_passage: int,
    words: tuple[int, int] = (6, 24),
    seed: int = 0,
    task: str = "spans",
) -> list[Example]:
    """Random spans of words to docid, "documents as queries" (Zhuang et al., DSI-QG, 2022, section 2).

    Each passage gives `per_passage` spans of `words[0]` to `words[1]` words, or itself where it is shorter; the
    spans of a passage depend on `seed` and its row only.
    """
    return [
        _example(text, row, table, eos_token_id, task)
        for row, passage in enumerate(passages)
        for text in _spans(passage.text.split(), per_passage, words, np.random.default_rng([seed, row]))
    ]


def split_sentences(text: str) -> list[str]:
    """Sentences by their final punctuation; abbreviations may cut one short, which training tolerates."""
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]


def _spans(
    words: Sequence[str], count: int, lengths: tuple[int, int], rng: np.random.Generator
) -> Iterator[str]:
    for _ in range(count if words else 0):
        length = min(int(rng.integers(lengths[0], lengths[1] + 1)), len(words))
        begin = int(rng.integers(0, len(words) - length + 1))
        yield " ".join(words[begin : begin + length])


def _example(source: str, row: int, table: DocidTable, eos_token_id: int, task: str) -> Example:
    return Example(source, (*map(int, table.sequence(row)), eos_token_id), task, 1.0, row)
