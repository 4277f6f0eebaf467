"""Samples lie inside each other and keep what is judged; what is wrong with them is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import write_study

from genret.config import load_config
from genret.corpus import read_judgements, read_passages
from genret.errors import InputError
from genret.study import Collection, Study
from genret.study.samples import Union, ensure_sample


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return load_config(Study, write_study(tmp_path_factory.mktemp("collection"))).collection


def test_a_passage_whose_title_is_known_is_not_added(collection: Collection) -> None:
    ids = [passage.passage_id for passage in Union(collection, 0).passages]
    assert ids == [f"p{n}" for n in range(20)] + [f"x{n}" for n in range(8)] + ["other"]


@given(st.integers(0, 5), st.integers(4, 29), st.integers(4, 29))
def test_samples_are_nested_and_keep_the_judged_passages(
    collection: Collection, seed: int, one: int, two: int
) -> None:
    union = Union(collection, seed)
    small, large = (set(union.rows("s", size).tolist()) for size in sorted((one, two)))
    assert small <= large
    assert len(small) == min(one, two)
    assert len(large) == max(one, two)
    judged = {int(name[1:]) for grades in union.evaluation.values() for name in grades}
    assert len(union.evaluation) == len(judged) == 4
    assert judged <= small
    trained_on = set(range(0, 20, 2))
    assert small <= judged | trained_on or judged | trained_on <= small
    own = set(range(20))
    assert small <= own or own <= small


def test_the_evaluated_questions_are_the_same_at_every_size(tmp_path: Path) -> None:
    study = load_config(Study, write_study(tmp_path))
    union = Union(study.collection, study.sample_seed)
    small, everything = (ensure_sample(study, size, union) for size in ("small", "all"))
    assert read_judgements(small.evaluation) == read_judgements(everything.evaluation)
    found = {passage.passage_id for passage in read_passages(small.folder)}
    assert len(found) == small.num_passages() == 12
    trained = read_judgements(small.train)
    assert {passage_id for grades in trained.values() for passage_id in grades} <= found
    assert len(read_judgements(everything.train)) == 10


def test_vectors_follow_their_passages(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    np.save(tmp_path / "own.npy", np.arange(20, dtype=np.float16)[:, None] * np.ones((1, 3), np.float16))
    np.save(
        tmp_path / "more.npy", 100 + np.arange(10, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    )
    given = [
        f"collection.vectors={tmp_path / 'own.npy'}",
        f"collection.added_vectors={tmp_path / 'more.npy'}",
    ]
    study = load_config(Study, path, given)
    sample = ensure_sample(study, "all", Union(study.collection, 0))
    expected = [*range(20), *range(100, 108), 109]
    assert np.load(sample.vectors)[:, 0].tolist() == expected
    np.save(tmp_path / "own.npy", np.ones((19, 3), np.float16))
    other = load_config(Study, path, [*given, f"output={tmp_path / 'other'}"])
    with pytest.raises(InputError, match="expected 20 rows"):
        ensure_sample(other, "all", Union(other.collection, 0))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("sizes.small.passages=3", "expected 4 at least, which the evaluated questions are about"),
        ("sizes.small.passages=30", "at most all 29"),
        ("sizes.small.passages=4", "no training question is about a sample of 4 passages"),
    ],
)
def test_a_size_that_cannot_be_sampled_is_refused(tmp_path: Path, override: str, says: str) -> None:
    study = load_config(Study, write_study(tmp_path), [override])
    with pytest.raises(InputError, match=re.escape(says)):
        ensure_sample(study, "small", Union(study.collection, 0))
    assert not list((tmp_path / "study" / "samples").glob("*"))


def test_a_sample_made_with_other_settings_is_refused(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    study = load_config(Study, path)
    ensure_sample(study, "small", Union(study.collection, 0))
    changed = load_config(Study, path, ["sample_seed=1"])
    with pytest.raises(InputError, match="seed was 0 and is 1"):
        ensure_sample(changed, "small", Union(changed.collection, 1))
