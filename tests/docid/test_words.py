"""Sets of words: what is chosen, how they grow, what a file must be; and a slow twin of the choice."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid.errors import InputError
from docid.ragged import as_ragged
from docid.words import WordSets
from fm_index.container import ArtefactError

VOCABULARY = 7
texts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=9), max_size=12)


def slow_sets(documents: list[list[int]], counted: list[list[int]], limit: int) -> list[list[int]]:
    """BM25's formula, document by document; statistics of `counted`."""
    held = Counter(token for document in counted for token in set(document))
    mean = sum(map(len, counted)) / len(counted) if counted else 0.0
    found = []
    for document in documents:

        def weight(token: int, document: list[int] = document) -> float:
            count, df = document.count(token), held[token]
            length = len(document) / max(mean, 1e-9)
            idf = np.float32(math.log1p((len(counted) - df + 0.5) / (df + 0.5)))
            return float(count * 1.9 / (count + 0.9 * (0.6 + 0.4 * length)) * idf)

        best = sorted(set(document), key=lambda token: (-weight(token), token))[:limit]
        found.append(sorted(best))
    return found


def as_lists(words: WordSets) -> list[list[int]]:
    sets = words.sets()
    return [
        sets.values[begin:end].tolist() for begin, end in zip(sets.offsets, sets.offsets[1:], strict=False)
    ]


@given(texts, texts, st.integers(1, 4))
def test_the_best_words_of_first_and_later_documents(
    first: list[list[int]], later: list[list[int]], limit: int
) -> None:
    words = WordSets.choose(as_ragged(first), VOCABULARY, limit=limit)
    assert as_lists(words) == slow_sets(first, first, limit)
    grown = words.extended(as_ragged(later))
    assert as_lists(grown) == slow_sets(first + later, first, limit)
    assert grown.num_documents == len(first) + len(later)
    assert grown._wrong() is None


@given(texts, st.data())
def test_a_title_counts_as_often_as_it_is_said_to(documents: list[list[int]], data: st.DataObject) -> None:
    titles = [data.draw(st.lists(st.integers(0, VOCABULARY - 1), max_size=3)) for _ in documents]
    words = WordSets.choose(
        as_ragged(documents), VOCABULARY, limit=2, titles=as_ragged(titles), title_weight=2
    )
    repeated = [[*title, *title, *text] for title, text in zip(titles, documents, strict=True)]
    assert as_lists(words) == slow_sets(repeated, repeated, 2)


@given(texts, st.integers(0, VOCABULARY + 1))
def test_what_a_document_shares_with_a_query(documents: list[list[int]], token: int) -> None:
    words = WordSets.choose(as_ragged(documents), VOCABULARY, limit=3)
    asked = np.array([token, 0, 1])
    held = words.holds(asked, np.arange(len(documents)))
    expected = [[one in own for own in as_lists(words)] for one in asked.tolist()]
    assert held.tolist() == expected


def test_a_saved_file_is_the_same_and_is_mapped(tmp_path: Path) -> None:
    words = WordSets.choose(as_ragged([[1, 2, 2], [], [3, 1]]), VOCABULARY)
    words.save(tmp_path / "words")
    again = WordSets.load(tmp_path / "words")
    assert as_lists(again) == as_lists(words) == [[1, 2], [], [1, 3]]
    assert isinstance(again.documents.base, np.memmap) or isinstance(again.documents, np.memmap)
    assert as_lists(again.extended(as_ragged([[2]]))) == [[1, 2], [], [1, 3], [2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": np.array([0, 2, 1, 3, 4, 4, 4, 4])}, "offsets do not lead"),
        ({"offsets": np.array([0, 1, 1, 2, 2, 2, 2, 5])}, "offsets do not lead"),
        ({"documents": np.array([2, 0, 0, 2], np.uint32)}, "not in order"),
        ({"documents": np.array([2, 2, 0, 2], np.uint32)}, "not in order"),
        ({"documents": np.array([0, 2, 0, 3], np.uint32)}, "beyond its 3"),
        ({"documents": np.array([0, 2, 0, 2], np.int64)}, "other types"),
        ({"limit": 0}, "statistics"),
        ({"num_documents": 2}, "beyond its 2"),
    ],
)
def test_a_file_with_a_right_checksum_and_wrong_contents_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    words = WordSets.choose(as_ragged([[1, 2], [], [3, 1]]), VOCABULARY)
    replace(words, **change).save(tmp_path / "words")  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match=message):
        WordSets.load(tmp_path / "words")


def test_wrong_arguments_are_sentences() -> None:
    with pytest.raises(InputError, match="document 1: token 9 is outside of the vocabulary of 7"):
        WordSets.choose(as_ragged([[1], [2, 9]]), VOCABULARY)
    with pytest.raises(InputError, match="limit: expected at least 1"):
        WordSets.choose(as_ragged([[1]]), VOCABULARY, limit=0)
    with pytest.raises(InputError, match="titles: found 2, expected one for each of 1"):
        WordSets.choose(as_ragged([[1]]), VOCABULARY, titles=as_ragged([[1], [2]]))
