"""Strategies: unique or shared as declared, prefix-free or ended, the same every time, for any number of documents."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from strategy_cases import CASES

from docid import DocidTable, InputError
from docid.strategies import Atomic, DocumentFields, Semantic, String, Title
from docid.strategies.codes import taken_codes

EOS = 1


def tokenize(texts: Sequence[str]) -> list[list[int]]:
    """Bytes from 3 on, a leading space and all lower case: the manner of a subword tokenizer."""
    return [
        [byte + 3 for byte in f" {text.lower()}".encode()] if text.strip("\u200b") else [] for text in texts
    ]


def embeddings(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def fields(count: int) -> DocumentFields:
    return DocumentFields(
        count, titles=[f"Title {row}" for row in range(count)], embeddings=embeddings(count)
    )


@pytest.mark.parametrize(("strategy", "field"), [("title", "titles"), ("semantic", "embeddings")])
def test_a_missing_field_is_told(strategy: str, field: str) -> None:
    with pytest.raises(InputError, match=f"'{strategy}' needs the documents' {field}"):
        CASES[strategy].make().assign(DocumentFields(3), tokenize)


@pytest.mark.parametrize("strategy", ["title", "string"])
def test_a_missing_tokenizer_is_told(strategy: str) -> None:
    with pytest.raises(
        InputError, match=f"'{strategy}' spells docids as text and needs the model's tokenizer"
    ):
        CASES[strategy].make().assign(fields(3))


def test_fields_have_a_row_for_each_document() -> None:
    with pytest.raises(InputError, match="titles: found 2 rows, expected one for each of 3 documents"):
        DocumentFields(3, titles=["a", "b"])


def title_table(titles: list[str], **options: str) -> DocidTable:
    return Title(**options).assign(DocumentFields(len(titles), titles=titles), tokenize)  # type: ignore[arg-type]


def test_equal_titles_share_a_docid() -> None:
    table = title_table(["Paris", "Rome", "Paris", " Paris  "])
    assert table.documents("Paris").tolist() == [0, 2, 3]
    assert table.trie(EOS).documents(table.sequence(0).tolist()) == [0, 2, 3]


def test_titles_that_the_tokenizer_cannot_tell_apart_share_a_leaf() -> None:
    table = title_table(["Paris", "PARIS"])
    assert table.docids([0, 1]) == ["Paris", "PARIS"]
    assert table.trie(EOS).documents(table.sequence(0).tolist()) == [0, 1]


def test_equal_titles_get_a_suffix_that_no_other_title_has() -> None:
    table = title_table(["Paris", "Paris", "paris (2)", "PARIS", "Paris", "Rome"], equal="suffix")
    docids = table.docids(range(6))
    assert docids[0] == "Paris" and docids[5] == "Rome" and docids[1].startswith("Paris (")  # noqa: PT018
    assert len({tuple(table.sequence(row).tolist()) for row in range(6)}) == len(set(docids)) == 6
    assert all(table.sequence(row).tolist() == tokenize([docids[row]])[0] for row in range(6))


def test_a_title_that_is_a_prefix_of_another_can_be_decoded() -> None:
    table = title_table(["Paris", "Paris (disambiguation)"])
    trie = table.trie(EOS)
    assert trie.documents(table.sequence(0).tolist()) == [0]
    assert EOS in trie.allowed(table.sequence(0).tolist())


def test_titles_without_text_are_untitled_by_number() -> None:
    table = title_table(["", "Rome", " \n\t", "\u200b", "\0"])
    assert table.docids(range(5)) == ["untitled 0", "Rome", "untitled 2", "untitled 3", "untitled 4"]


def test_later_numbers_are_not_those_of_documents_that_stayed() -> None:
    """Of five documents the second is gone, and the table without it has four."""
    named = DocidTable.build(["0", "2", "3", "4"], [[5], [7], [8], [9]])
    strategy = String()
    strategy.fit(DocumentFields(5))
    grown = strategy.assign_new(named, DocumentFields(2), tokenize)
    assert grown.docids([4, 5]) == ["5", "6"]
    titles = DocidTable.build(["untitled 0", "1984", "untitled 7"], [[5], [7], [8]])
    title = Title()
    title.fit(DocumentFields(5, titles=[""] * 5))
    grown = title.assign_new(titles, DocumentFields(2, titles=["", "Rome"]), tokenize)
    assert grown.docids([3, 4]) == ["untitled 8", "Rome"]


def test_a_title_of_two_thousand_tokens_is_kept_whole() -> None:
    long = " ".join(["word"] * 400)
    table = title_table([long, long + " end", "short"])
    assert table.docid(0) == long
    assert table.trie(EOS).documents(table.sequence(1).tolist()) == [1]


def test_many_titles_that_differ_in_case_alone_are_all_told_apart() -> None:
    """Each spelling counted for itself, (2) to (21) of one would be those of the other, round after round."""
    table = title_table(["High School", "High school"] * 40, equal="suffix")
    assert table.num_docids == 80
    assert len({tuple(table.sequence(row).tolist()) for row in range(80)}) == 80


def test_suffixes_go_on_behind_those_given_before_however_many() -> None:
    strategy = Title(equal="suffix")
    table = strategy.assign(DocumentFields(30, titles=["Paris"] * 30), tokenize)
    grown = strategy.assign_new(table, DocumentFields(2, titles=["Paris"] * 2), tokenize)
    assert grown.docids([29, 30, 31]) == ["Paris (30)", "Paris (31)", "Paris (32)"]


def test_a_tokenizer_without_digits_cannot_separate_titles() -> None:
    with pytest.raises(InputError, match=r"row 1: the tokenizer cannot tell .* from another docid"):
        Title(equal="suffix").assign(
            DocumentFields(2, titles=["Paris", "Paris"]), lambda texts: [[9] for _ in texts]
        )


def test_an_unknown_rule_for_equal_titles_is_refused() -> None:
    with pytest.raises(InputError, match="equal is 'merge'; expected 'share' or 'suffix'"):
        Title(equal="merge")  # type: ignore[arg-type]


def test_string_docids_are_the_document_numbers_spelled_as_text() -> None:
    table = String().assign(DocumentFields(12), tokenize)
    assert table.docid(11) == "11"
    assert table.sequence(11).tolist() == tokenize(["11"])[0]
    assert table.new_tokens == []


def test_atomic_docids_are_one_new_token_each() -> None:
    table = Atomic().assign(DocumentFields(3))
    assert table.new_tokens == table.docids(range(3)) == ["<doc_0>", "<doc_1>", "<doc_2>"]
    assert [table.sequence(row).tolist() for row in range(3)] == [[-1], [-2], [-3]]


def codes(vectors: np.ndarray, branching: int = 10, leaf_size: int = 100, seed: int = 0) -> list[list[int]]:
    strategy = Semantic(branching, leaf_size, seed)
    ragged = taken_codes(strategy.assign(DocumentFields(len(vectors), embeddings=vectors)))
    return [row.tolist() for row in np.split(ragged.values, ragged.offsets[1:-1])]


def assert_unique_and_prefix_free(rows: list[list[int]]) -> None:
    ordered = sorted(map(tuple, rows))
    assert all(longer[: len(short)] != short for short, longer in itertools.pairwise(ordered))


def test_a_group_within_the_leaf_size_gets_ordinals_only() -> None:
    assert codes(embeddings(80)) == [[ordinal] for ordinal in range(80)]
    assert codes(embeddings(100)) == [[ordinal] for ordinal in range(100)]


def test_a_group_above_the_leaf_size_is_clustered() -> None:
    rows = codes(embeddings(101))
    assert_unique_and_prefix_free(rows)
    assert all(len(row) >= 2 for row in rows)
    assert {row[0] for row in rows} == set(range(10))


def test_identical_vectors_above_the_leaf_size_terminate_with_distinct_docids() -> None:
    rows = codes(np.ones((150, 5), np.float32))
    assert len(set(map(tuple, rows))) == 150
    assert_unique_and_prefix_free(rows)


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((600, 3)),
        np.repeat(np.eye(3), 200, axis=0),
        np.concatenate([np.zeros((599, 3)), np.ones((1, 3))]),
        np.logspace(-12, 12, 600).reshape(-1, 1),
        np.arange(600).reshape(-1, 1) % 7.0,
        np.full((600, 2), 1e15),
    ],
    ids=["equal", "three heaps", "one outlier", "ever wider", "seven values", "huge"],
)
@pytest.mark.parametrize(("branching", "leaf_size"), [(2, 1), (3, 1), (4, 10), (50, 2)])
def test_any_vectors_terminate_with_few_levels(vectors: np.ndarray, branching: int, leaf_size: int) -> None:
    rows = codes(vectors, branching, leaf_size)
    assert len(set(map(tuple, rows))) == 600
    assert_unique_and_prefix_free(rows)
    even = np.log(600 / leaf_size) / np.log(branching)
    assert max(map(len, rows)) <= 3 * np.ceil(even) + 5
    assert max(code for row in rows for code in row) < max(branching, leaf_size)


def test_near_vectors_share_a_longer_prefix_than_far_ones() -> None:
    centres = 20 * np.eye(8, dtype=np.float32)
    vectors = np.repeat(centres, 40, axis=0) + embeddings(320) * 0.1
    firsts = [row[0] for row in codes(vectors, 8, 10)]
    assert [len(set(firsts[begin : begin + 40])) for begin in range(0, 320, 40)] == [1] * 8


def test_the_seed_matters_and_the_document_order_of_ordinals_is_kept() -> None:
    vectors = embeddings(300)
    assert codes(vectors, 5, 20, seed=1) == codes(vectors, 5, 20, seed=1) != codes(vectors, 5, 20, seed=2)
    leaves: dict[tuple[int, ...], list[int]] = {}
    for row in codes(vectors, 5, 20):
        leaves.setdefault(tuple(row[:-1]), []).append(row[-1])
    assert all(ordinals == list(range(len(ordinals))) for ordinals in leaves.values())


def test_levels_have_tokens_of_their_own_by_default() -> None:
    table = Semantic(3, 5).assign(DocumentFields(40, embeddings=embeddings(40)))
    for document in range(40):
        tokens = [table.new_tokens[-1 - token] for token in table.sequence(document)]
        expected = [
            f"<c{level}_{code}>" for level, code in enumerate(table.docid(document).split("-"), start=1)
        ]
        assert tokens == expected


def test_levels_can_share_their_tokens() -> None:
    table = Semantic(3, 5, per_level=False).assign(DocumentFields(40, embeddings=embeddings(40)))
    assert table.new_tokens == [f"<c_{code}>" for code in range(5)]
    assert [table.new_tokens[-1 - token] for token in table.sequence(7)] == [
        f"<c_{code}>" for code in table.docid(7).split("-")
    ]


def test_unusable_embeddings_are_named_by_row() -> None:
    vectors = embeddings(10)
    vectors[[2, 7], 3] = np.nan
    with pytest.raises(InputError, match=r"embeddings: 2 of 10 rows hold NaN.*\(rows 2, 7\)"):
        Semantic().assign(DocumentFields(10, embeddings=vectors))


@pytest.mark.parametrize(("branching", "leaf_size"), [(1, 5), (0, 5), (5, 0)])
def test_impossible_shapes_of_the_hierarchy_are_refused(branching: int, leaf_size: int) -> None:
    with pytest.raises(InputError, match="expected at least 2 clusters a group and 1 document a leaf"):
        Semantic(branching, leaf_size)
