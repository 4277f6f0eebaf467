"""Sets of words: what is chosen, how they grow, what a file must be; and a slow twin of the choice."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from docid_damage import assert_damage_is_refused, rewrite
from floats import assert_close
from hypothesis import given
from hypothesis import strategies as st

from docid.errors import InputError
from docid.ragged import as_ragged
from docid.table import DocidTable
from docid.words import WordSets, WordStatistics
from fm_index.container import ArtefactError, read_container, write_container

VOCABULARY = 7
texts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=9), max_size=12)


def slow_share(document: list[int], token: int, mean: float) -> float:
    """BM25's formula, with k1 = .6 and b = .75."""
    count, length = document.count(token), len(document) / max(mean, 1e-9)
    return count / (count + 0.6 * (0.25 + 0.75 * length))


def slow_sets(documents: list[list[int]], counted: list[list[int]], limit: int) -> list[list[int]]:
    """The weightiest, document by document; statistics of `counted`."""
    held = Counter(token for document in counted for token in set(document))
    mean = sum(map(len, counted)) / len(counted) if counted else 0.0
    found = []
    for document in documents:

        def weight(token: int, document: list[int] = document) -> float:
            df = held[token]
            idf = np.float32(math.log1p((len(counted) - df + 0.5) / (df + 0.5)))
            return float(slow_share(document, token, mean) * idf)

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


@given(texts, texts)
def test_a_word_counts_its_share_to_a_thirty_second(first: list[list[int]], later: list[list[int]]) -> None:
    words = WordSets.choose(as_ragged(first), VOCABULARY).extended(as_ragged(later))
    mean = sum(map(len, first)) / len(first) if first else 0.0
    documents, tokens = first + later, np.arange(VOCABULARY)
    found = words.shares(tokens, np.arange(len(documents)))
    for row, document in enumerate(documents):
        for token in tokens.tolist():
            if token in document:
                share = max(slow_share(document, token, mean), 1 / 16)
                assert_close(found[token, row], share, within=1 / 32 + 1e-6)
            else:
                assert found[token, row] == 0


def test_documents_that_join_sets_of_an_earlier_version_count_as_those_do(tmp_path: Path) -> None:
    """Every token of which counts the whole of its idf."""
    WordSets.choose(as_ragged([[1, 2], [], [3, 1]]), VOCABULARY).save(tmp_path / "words")
    stored = read_container(tmp_path / "words", kind="docid-words", version=3)
    arrays = {"offsets": stored.arrays["offsets"], "frequencies": stored.arrays["frequencies"]}
    arrays["documents"] = stored.arrays["postings"] >> 4
    write_container(tmp_path / "earlier", kind="docid-words", version=2, meta=stored.meta, arrays=arrays)
    words = WordSets.load(tmp_path / "earlier").extended(as_ragged([[2, 4, 4]]))
    assert as_lists(words) == [[1, 2], [], [1, 3], [2, 4]]
    assert set(words.shares(np.arange(VOCABULARY), np.arange(4)).reshape(-1).tolist()) == {0.0, 1.0}
    words.save(tmp_path / "words")
    assert np.array_equal(WordSets.load(tmp_path / "words").postings, words.postings)


@given(texts, texts, st.integers(1, 4), st.data())
def test_scores_that_are_given_choose_in_place_of_bm25(
    first: list[list[int]], later: list[list[int]], limit: int, data: st.DataObject
) -> None:
    statistics = WordStatistics.of(as_ragged(first), VOCABULARY)
    words, expected = WordSets.none(statistics, limit=limit), []
    for documents in (first, later):
        scores = [[data.draw(st.integers(-3, 3)) / 2 for _ in document] for document in documents]
        flat = np.array([score for row in scores for score in row], np.float32)
        words = words.extended(as_ragged(documents), flat)
        for document, own in zip(documents, scores, strict=True):
            highest = {
                token: max(s for t, s in zip(document, own, strict=True) if t == token) for token in document
            }
            expected.append(sorted(sorted(highest, key=lambda token: (-highest[token], token))[:limit]))
    assert as_lists(words) == expected
    assert words.statistics is statistics
    assert words._wrong() is None


changes = st.lists(st.one_of(texts, st.sets(st.integers(0, 40), max_size=4)), max_size=5)


@given(texts, changes)
def test_words_grow_and_lose_documents_as_a_table_does(
    first: list[list[int]], changes: list[list[list[int]] | set[int]]
) -> None:
    def docids(count: int, begin: int = 0) -> tuple[list[str], list[list[int]]]:
        return [f"d{number}" for number in range(begin, begin + count)], [[7]] * count

    words = WordSets.choose(as_ragged(first), VOCABULARY, limit=3)
    table = DocidTable.build(*docids(len(first)))
    expected = slow_sets(first, first, 3)
    for change in changes:
        if isinstance(change, list):
            table = table.extended(*docids(len(change), table.num_documents))
            words = words.extended(as_ragged(change))
            expected += slow_sets(change, first, 3)
        else:
            gone = [number for number in change if number < table.num_documents]
            table, words = table.without(gone), words.without(np.array(gone, int))
            expected = [[] if number in gone else held for number, held in enumerate(expected)]
        assert words.num_documents == table.num_documents
        assert as_lists(words) == expected
        assert all(not expected[number] for number in table.arrays.removed)
        assert words._wrong() is None


@given(texts, st.sets(st.integers(0, 40)))
def test_words_of_some_documents_alone(documents: list[list[int]], kept: set[int]) -> None:
    rows = sorted(row for row in kept if row < len(documents))
    words = WordSets.choose(as_ragged(documents), VOCABULARY, limit=3)
    fewer = words.only(np.array(rows, int))
    expected = slow_sets(documents, documents, 3)
    assert as_lists(fewer) == [expected[row] for row in rows]
    assert (fewer.num_documents, fewer._wrong()) == (len(rows), None)
    assert fewer.statistics is words.statistics
    with pytest.raises(InputError, match="expected distinct ones"):
        words.only(np.array([len(documents)]))


def test_more_documents_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docid.ragged.CHUNK", 7)
    random = np.random.default_rng(0)
    documents = [random.integers(0, VOCABULARY, random.integers(0, 9)).tolist() for _ in range(50)]
    words = WordSets.choose(as_ragged(documents[:30]), VOCABULARY, limit=3).extended(
        as_ragged(documents[30:])
    )
    assert as_lists(words) == slow_sets(documents, documents[:30], 3)
    assert words._wrong() is None


@given(texts, st.integers(0, VOCABULARY + 1))
def test_what_a_document_shares_with_a_query(documents: list[list[int]], token: int) -> None:
    words = WordSets.choose(as_ragged(documents), VOCABULARY, limit=3)
    asked = np.array([token, 0, 1])
    held = words.shares(asked, np.arange(len(documents))) > 0
    expected = [[one in own for own in as_lists(words)] for one in asked.tolist()]
    assert held.tolist() == expected


def test_a_saved_file_is_the_same_and_is_mapped(tmp_path: Path) -> None:
    words = WordSets.choose(as_ragged([[1, 2, 2], [], [3, 1]]), VOCABULARY)
    words.save(tmp_path / "words")
    again = WordSets.load(tmp_path / "words")
    assert as_lists(again) == as_lists(words) == [[1, 2], [], [1, 3]]
    assert isinstance(again.postings.base, np.memmap) or isinstance(again.postings, np.memmap)
    assert np.array_equal(again.postings, words.postings)
    assert as_lists(again.extended(as_ragged([[2]]))) == [[1, 2], [], [1, 3], [2]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"offsets": np.array([0, 2, 1, 3, 4, 4, 4, 4])}, "offsets do not lead"),
        ({"offsets": np.array([0, 1, 1, 2, 2, 2, 2, 5])}, "offsets do not lead"),
        ({"offsets": np.array([], np.int64)}, "offsets do not lead"),
        ({"offsets": np.array([0, 2, 4])}, "not of its vocabulary"),
        ({"offsets": np.zeros((2, 8), np.int64)}, "'offsets' is int64 of 2 dimensions"),
        ({"postings": np.array([32, 0, 0, 32], np.uint32)}, "not in order"),
        ({"postings": np.array([32, 33, 0, 32], np.uint32)}, "not in order"),
        ({"postings": np.array([0, 32, 0, 48], np.uint32)}, "beyond its 3"),
        ({"postings": np.array([0, 32, 0, 32], np.int64)}, "'postings' is int64"),
        ({"frequencies": np.array([0, 4, 1, 1, 0, 0, 0])}, "a token is in 4 of 3 documents"),
        ({"frequencies": np.array([0, 2, 1, -1, 0, 0, 0])}, "a token is in -1 of 3 documents"),
        ({"frequencies": np.ones(7)}, "'frequencies' is float64"),
        ({"more": np.ones(7)}, "a section 'more'"),
        ({"limit": 0}, "0 words for each"),
        ({"limit": -3}, "-3 words for each"),
        ({"limit": True}, "limit is True, expected int"),
        ({"limit": "64"}, "limit is '64', expected int"),
        ({"num_documents": 2}, "beyond its 2"),
        ({"num_documents": -1}, "of -1 documents"),
        ({"num_documents": 1 << 70}, "words for each of"),
        ({"counted": 1}, "a token is in 2 of 1 documents"),
        ({"counted": -1}, "statistics are of -1"),
        ({"counted": 1 << 70}, "statistics are of"),
        ({"mean_length": -1.0}, "-1.0 tokens in the mean"),
        ({"mean_length": 2}, "mean_length is 2, expected float"),
    ],
)
def test_a_file_with_a_right_checksum_and_wrong_contents_is_refused(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    WordSets.choose(as_ragged([[1, 2], [], [3, 1]]), VOCABULARY).save(tmp_path / "words")

    def change(meta: dict[str, object], arrays: dict[str, object]) -> None:
        for name, value in changed.items():
            (arrays if isinstance(value, np.ndarray) else meta)[name] = value

    rewrite(tmp_path / "words", "docid-words", change)
    with pytest.raises(ArtefactError, match=message):
        WordSets.load(tmp_path / "words")


@pytest.mark.parametrize("name", ["offsets", "postings", "frequencies", "limit", "mean_length"])
def test_a_file_that_lacks_a_part_is_refused(tmp_path: Path, name: str) -> None:
    WordSets.choose(as_ragged([[1, 2], [], [3, 1]]), VOCABULARY).save(tmp_path / "words")

    def change(meta: dict[str, object], arrays: dict[str, object]) -> None:
        (arrays if name in arrays else meta).pop(name)

    rewrite(tmp_path / "words", "docid-words", change)
    with pytest.raises(ArtefactError, match=name):
        WordSets.load(tmp_path / "words")


@pytest.mark.parametrize("length", [math.nan, math.inf])
def test_a_mean_that_is_no_number_is_no_statistic(length: float) -> None:
    # JSON, as the container writes it, has no such numbers, but 1e999 is read as one.
    assert "tokens in the mean" in str(WordStatistics(np.zeros(1, np.int64), 0, length).fault())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    WordSets.choose(as_ragged([[1, 2], [], [3, 1]]), VOCABULARY).save(tmp_path / "words")
    assert_damage_is_refused(tmp_path / "words", WordSets.load, seed=0, count=30)


def test_wrong_arguments_are_sentences() -> None:
    with pytest.raises(InputError, match="document 1: token 9 is outside of the vocabulary of 7"):
        WordSets.choose(as_ragged([[1], [2, 9]]), VOCABULARY)
    with pytest.raises(InputError, match="limit: expected at least 1"):
        WordSets.choose(as_ragged([[1]]), VOCABULARY, limit=0)
    words = WordSets.choose(as_ragged([[1]]), VOCABULARY)
    with pytest.raises(InputError, match="document 1: no such document; there are words of 1"):
        words.without(np.array([0, 1]))
    with pytest.raises(InputError, match=r"scores: found shape \(1,\), expected one for each of 2 tokens"):
        words.extended(as_ragged([[1, 2]]), np.ones(1, np.float32))
    for bad in (math.nan, math.inf):
        with pytest.raises(InputError, match=r"document 2: the score of its token 5 is (nan|inf); expected"):
            words.extended(as_ragged([[1], [], [4, 5]]), np.array([1, 2, bad], np.float32))


def test_a_vocabulary_of_further_tokens_changes_no_set() -> None:
    words = WordSets.choose(as_ragged([[1, 2, 2], [0]]), 3)
    wider = words.widened(5, "wider")
    assert wider.sets().values.tolist() == words.sets().values.tolist()
    assert (wider.vocab_size, wider.vocabulary, wider.statistics.frequencies.tolist()) == (
        5,
        "wider",
        [1, 1, 1, 0, 0],
    )
    held = wider.extended(as_ragged([[4, 4]])).shares(np.array([4]), np.arange(3)) > 0
    assert held.tolist() == [[False, False, True]]
    with pytest.raises(InputError, match="expected at least 3, found 2"):
        words.widened(2, "narrower")


@pytest.mark.parametrize(
    ("field", "value"), [("vocabulary", 3), ("title_weight", "three"), ("title_weight", True)]
)
def test_what_words_were_chosen_with_is_of_its_type(tmp_path: Path, field: str, value: object) -> None:
    words = WordSets.choose(as_ragged([[1]]), 3)
    object.__setattr__(words, field, value)
    words.save(tmp_path / "docids.words")
    with pytest.raises(ArtefactError, match=f"its {field} is"):
        WordSets.load(tmp_path / "docids.words")
