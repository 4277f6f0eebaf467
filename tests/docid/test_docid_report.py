"""The quality report: each number against a naive count, on docids small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from floats import DOUBLE, FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable, DocidTrie, InputError
from docid.quality.imitation import imitation_scores, nearest_prefixes, prefix_means
from docid.quality.report import describe
from docid.quality.report_figure import draw, report_table
from docid.ragged import as_ragged
from docid.words import WordSets

EOS = 1
SEQUENCES = [[5, 6, 7], [5, 6, 8], [5, 9], [10, 11, 12, 13], [10], [5, 9]]


def table(sequences: list[list[int]]) -> DocidTable:
    return DocidTable.build(
        [" ".join(map(str, row)) for row in sequences], sequences, [f"<{i}>" for i in range(9)]
    )


def test_sharing_lengths_and_prefixes() -> None:
    report = describe(table(SEQUENCES))
    assert (report.documents, report.docids, report.new_tokens) == (6, 5, 9)
    assert_close(report.unique_share, 4 / 6, relative=DOUBLE)
    assert report.buckets == {1: 4, 2: 1}
    assert report.lengths == {1: 1, 2: 2, 3: 2, 4: 1}
    assert_close(report.prefix_share, 1 / 6, relative=DOUBLE)


def test_entropy_branching_and_successors_of_the_first_levels() -> None:
    first, second, *_ = describe(table(SEQUENCES)).levels
    assert (first.documents, first.tokens, first.branching, first.successors) == (6, 2, 2, 2)
    shares = np.array([4, 2]) / 6
    assert_close(first.entropy, float(-(shares * np.log2(shares)).sum()), relative=DOUBLE)
    assert_close(first.perplexity, 2**first.entropy, relative=DOUBLE)
    assert_close(first.usage, 2**first.entropy / 2, relative=DOUBLE)
    # After 5: 6 and 9; after 10: the end and 11.
    assert (second.documents, second.tokens, second.branching) == (5, 3, 2)


def test_purity_is_the_share_of_the_most_frequent_label_below_a_prefix() -> None:
    first, second, *_ = describe(table(SEQUENCES), ["a", "a", "b", "c", "c", "b"]).levels
    assert_close(first.purity, (2 + 2) / 6, relative=DOUBLE)
    assert_close(second.purity, (2 + 2 + 1) / 5, relative=DOUBLE)
    assert describe(table(SEQUENCES)).levels[0].purity is None


PAIRS = st.lists(
    st.tuples(st.integers(0, 2), st.sets(st.integers(0, 3), max_size=3)), min_size=1, max_size=12
)


@given(PAIRS, st.sets(st.integers(0, 11)))
@settings(max_examples=100, deadline=None)
def test_codes_and_words_together_tell_documents_apart(
    pairs: list[tuple[int, set[int]]], gone: set[int]
) -> None:
    """Among those that are not removed: a removed document has no words, and nobody finds it."""
    words = WordSets.choose(as_ragged([sorted(held) for _, held in pairs]), 4, limit=4)
    removed = [row for row in sorted(gone) if row < len(pairs)]
    docids = table([[-1 - code] for code, _ in pairs]).without(removed)
    report = describe(docids, sets=words.without(np.array(removed, np.int64)))
    living = [pair for row, pair in enumerate(pairs) if row not in gone]
    counts = [living.count(pair) for pair in living]
    assert report.documents == len(pairs)
    assert_close(report.unique_share, np.mean([n == 1 for n in counts]) if counts else 1.0, relative=DOUBLE)
    assert report.buckets == {n: counts.count(n) // n for n in sorted(set(counts))}
    assert (report.to_mend is None) == (report.unique_share >= 0.9)


def test_words_of_another_number_of_documents_are_refused() -> None:
    with pytest.raises(InputError, match="found words of 1 documents and docids of 6"):
        describe(table(SEQUENCES), sets=WordSets.choose(as_ragged([[1]]), 3))


DOCIDS = st.lists(st.lists(st.sampled_from([-2, -1, 3, 4]), min_size=1, max_size=4), min_size=1, max_size=10)


@given(DOCIDS)
@settings(max_examples=100, deadline=None)
def test_it_equals_a_naive_count(sequences: list[list[int]]) -> None:
    report = describe(table(sequences))
    docids = {tuple(row) for row in sequences}
    ended = [(*row, "end") for row in docids]
    choices = {
        prefix: len(
            {row[len(prefix)] for row in ended if len(row) > len(prefix) and row[: len(prefix)] == prefix}
        )
        for row in ended
        for prefix in (row[:length] for length in range(len(row)))
    }
    steps = [choices[tuple(row[:length])] for row in sequences for length in range(len(row) + 1)]
    assert_close(report.successors, np.mean(steps), relative=DOUBLE)
    begins = [
        any(len(other) > len(row) and list(other[: len(row)]) == row for other in docids) for row in sequences
    ]
    assert_close(report.prefix_share, np.mean(begins), relative=DOUBLE)
    assert_close(
        report.unique_share, np.mean([sequences.count(row) == 1 for row in sequences]), relative=DOUBLE
    )
    for depth, level in enumerate(report.levels):
        here = [row for row in sequences if len(row) > depth]
        assert level.tokens == len({row[depth] for row in here})
        assert_close(
            level.branching,
            np.mean([choices[prefix] for prefix in {tuple(r[:depth]) for r in here}]),
            relative=DOUBLE,
        )
        assert_close(
            level.successors, np.mean([choices[tuple(row[:depth])] for row in here]), relative=DOUBLE
        )


def test_an_empty_table_has_a_report() -> None:
    report = describe(DocidTable.build([], []))
    assert (report.documents, report.docids, report.levels, report.prefix_share) == (0, 0, [], 0)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize("sequences", [SEQUENCES, [[2], [3]], [[2, 3]], [[2], [2]]])
def test_prefix_means_are_means_of_what_lies_below(sequences: list[list[int]]) -> None:
    trie, points = DocidTrie.build(sequences, EOS), vectors(len(sequences))
    means = prefix_means(trie, points)
    targets = trie.edge_targets()
    for row in sequences:
        for length in range(1, len(row) + 1):
            state = trie.walk(row[:length])
            if state in targets:
                below = trie.documents_below(row[:length])
                assert_close(means[targets.tolist().index(state)], points[below].mean(axis=0), ulps=FORWARD)


def test_a_wide_beam_finds_the_nearest_docid_and_greed_follows_the_nearest_prefix() -> None:
    trie, points = DocidTrie.build(SEQUENCES[:5], EOS), vectors(5)
    means = prefix_means(trie, points)
    for query, found in zip(points, nearest_prefixes(trie, means, points, 5), strict=True):
        assert sorted(found) == [0, 1, 2, 3, 4]
        assert found == np.argsort(((points - query) ** 2).sum(axis=1), kind="stable").tolist()
    for query, found in zip(
        vectors(5, seed=3), nearest_prefixes(trie, means, vectors(5, seed=3), 1), strict=True
    ):
        left, right = points[:3].mean(axis=0), points[3:].mean(axis=0)
        goes_left = ((query - left) ** 2).sum() < ((query - right) ** 2).sum()
        assert (found[0] < 3) == goes_left


def test_flat_docids_retrieve_as_the_vectors_do() -> None:
    points, queries = vectors(50), vectors(30, seed=1)
    relevant = [{row} for row in range(30)]
    scores = imitation_scores(
        DocidTrie.build([[row + 2] for row in range(50)], EOS), points, queries, relevant
    )
    assert scores["greedy hit@1"] == scores["beam hit@1"] == scores["dense hit@1"]
    assert scores["beam hit@10"] == scores["dense hit@10"] > scores["dense hit@1"]


def test_mismatched_vectors_are_told() -> None:
    trie = DocidTrie.build([[2], [3]], EOS)
    with pytest.raises(InputError, match="found 3 embeddings for 2 documents"):
        imitation_scores(trie, vectors(3), vectors(1), [{0}])
    with pytest.raises(InputError, match="found 2 query embeddings and 1 judged queries"):
        imitation_scores(trie, vectors(2), vectors(2), [{0}])
    with pytest.raises(InputError, match="query embeddings: found 3 dimensions"):
        imitation_scores(trie, vectors(2), np.ones((1, 3)), [{0}])


def test_table_json_and_figure(tmp_path: Path) -> None:
    reports = {
        "one": describe(table(SEQUENCES)),
        "two": describe(table([[2], [3]]), imitation={"beam hit@1": 0.5}),
    }
    text = report_table(reports)
    assert "| documents | 6 | 2 |" in text
    assert "| beam hit@1 | - | 0.500 |" in text
    assert json.loads(json.dumps(reports["one"].json()))["levels"][0]["tokens"] == 2
    draw(reports, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="cannot write this kind of figure"):
        draw(reports, tmp_path / "figure.magic")
