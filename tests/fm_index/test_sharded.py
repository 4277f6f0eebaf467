"""Shards against one index over the same documents, and removal."""

from __future__ import annotations

from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index import ArtefactError, FMIndex, Profile, ShardedFMIndex
from fm_index.container import write_container
from fm_index.sharded import KIND, MANIFEST

document = st.lists(st.integers(0, 3), max_size=8)


def sharded(parts: list[list[list[int]]], profile: Profile = "fast") -> ShardedFMIndex:
    return ShardedFMIndex([FMIndex.from_documents(part, profile=profile) for part in parts])


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.lists(document, max_size=4), min_size=1, max_size=4),
    profile=st.sampled_from(["fast", "compact"]),
    data=st.data(),
)
def test_shards_answer_as_one(parts: list[list[list[int]]], profile: Profile, data: st.DataObject) -> None:
    index = sharded(parts, profile)
    documents = [tokens for part in parts for tokens in part]
    removed = set(data.draw(st.lists(st.integers(0, len(documents) - 1)))) if documents else set()
    index.remove(sorted(removed))
    ngrams = [*naive.ngrams(documents, 3), (9,)]
    lo, hi = (np.stack(bounds) for bounds in zip(*map(index.range, ngrams), strict=True))
    offsets, tokens, counts, shard_counts = index.successors(lo, hi)
    np.testing.assert_array_equal(shard_counts.sum(axis=1), counts)
    doc_offsets, found, occurrences = index.documents(lo, hi, occurrences=True)
    for b, ngram in enumerate(ngrams):
        part = slice(offsets[b], offsets[b + 1])
        expected = naive.successors(documents, ngram)
        assert dict(zip(tokens[part].tolist(), counts[part].tolist(), strict=True)) == expected
        ends = [d for d, _ in naive.ends(documents, ngram)]
        assert index.count(ngram) == len(ends)
        alive = sorted({d for d in ends if d not in removed})
        assert index.document_frequency(ngram) == len(alive)
        part = slice(doc_offsets[b], doc_offsets[b + 1])
        assert found[part].tolist() == alive
        assert occurrences[part].tolist() == [ends.count(d) for d in alive]
    parents = np.repeat(np.arange(len(ngrams)), np.diff(offsets))
    below = index.children(lo[parents], hi[parents], tokens, shard_counts)
    stepped = index.step(lo[parents], hi[parents], tokens)
    np.testing.assert_array_equal(below[1] - below[0], stepped[1] - stepped[0])
    nonempty = stepped[1] > stepped[0]
    np.testing.assert_array_equal(below[0][nonempty], stepped[0][nonempty])
    check_top_and_rows(index, documents, lo, hi)


def check_top_and_rows(
    index: ShardedFMIndex, documents: list[list[int]], lo: np.ndarray, hi: np.ndarray
) -> None:
    scores = np.random.default_rng(1).integers(0, 3, (len(lo), index.vocab_size)).astype(np.float32)
    offsets, tokens, counts, _ = index.successors(lo, hi)
    best_offsets, best_tokens, best_counts, _ = index.top_successors(lo, hi, scores, 2)
    for b in range(len(lo)):
        part, best = slice(offsets[b], offsets[b + 1]), slice(best_offsets[b], best_offsets[b + 1])
        order = np.sort(np.lexsort((tokens[part], -scores[b, tokens[part]]))[:2])
        assert best_tokens[best].tolist() == tokens[part][order].tolist()
        assert best_counts[best].tolist() == counts[part][order].tolist()
    shards = np.repeat(np.arange(len(index.shards)), [shard.num_rows for shard in index.shards])
    rows = np.concatenate([np.arange(shard.num_rows) for shard in index.shards])
    positions, owners = index.locate(shards, rows), index.documents_of(shards, rows)
    starts = np.cumsum([0, *map(len, documents)])
    assert sorted(zip(owners.tolist(), positions.tolist(), strict=True)) == [
        (d, int(starts[d]) + i - 1) for d, tokens in enumerate(documents) for i in range(len(tokens) + 1)
    ]


def test_removal_and_compaction(tmp_path: Path) -> None:
    index = sharded([[[1, 2], [3, 4]], [[5]]])
    assert index.add([[3, 4, 9], []]).tolist() == [3, 4]
    index.remove([1, 2])
    lo, hi = index.range([5])
    assert index.count([5]) == 1
    assert index.documents(lo[None], hi[None])[1].tolist() == []
    assert index.documents(*(bound[None] for bound in index.range([3, 4])), 1)[1].tolist() == [3]
    index.save(tmp_path)
    again = ShardedFMIndex.load(tmp_path, verify="full")
    assert again.removed.tolist() == index.removed.tolist()
    assert again.compact().tolist() == [0, -1, -1, 1, 2]
    assert len(again.shards) == 2
    assert again.count([5]) == 0
    assert again.count([3, 4]) == 1
    assert [again.extract(d).tolist() for d in range(again.num_documents)] == [[1, 2], [3, 4, 9], []]
    again.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert ShardedFMIndex.load(tmp_path).num_documents == 3
    again.remove([0, 1, 2])
    assert again.compact().tolist() == [-1, -1, -1]
    assert again.num_documents == 0
    again.verify()


def test_removed_documents_take_no_place_of_a_limit() -> None:
    index = sharded([[[5], [5], [5]], [[5]]])
    index.remove([0, 1])
    lo, hi = index.range([5])
    assert index.documents(lo[None], hi[None], 1)[1].tolist() == [2]
    assert index.documents(lo[None], hi[None], 2)[1].tolist() == [2, 3]


def test_one_shard_named_twice_is_refused(tmp_path: Path) -> None:
    """In a folder of version 1, whose shards do not say which place is theirs."""
    name = f"shard-{0:032x}.fmi"
    FMIndex.from_documents([[1]]).save(tmp_path / name)
    arrays = {"removed": np.zeros(2, np.bool_)}
    write_container(tmp_path / MANIFEST, kind=KIND, version=1, meta={"shards": [name, name]}, arrays=arrays)
    with pytest.raises(ArtefactError, match="its shards are"):
        ShardedFMIndex.load(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded([[[1]], [[2]]]).save(tmp_path)
    next(tmp_path.glob("shard-*")).unlink()
    with pytest.raises(ArtefactError, match="shard-"):
        ShardedFMIndex.load(tmp_path)
