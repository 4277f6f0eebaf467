"""Packed examples: what is read is what was written, in steps that fit the budget and do not depend on processes."""

from __future__ import annotations

import signal
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranks import run_ranks

from docid import DocidTable
from genret.artefact import MANIFEST
from genret.errors import ArtefactError, InputError
from genret.jobs.job import HERE, Executor, Here
from genret.jobs.shards import Shard
from genret.jobs.worker_processes import WorkerProcesses
from genret.training.engines.processes import World
from genret.training.examples.example import Example
from genret.training.examples.packed import PackedExamples, shard_path
from genret.training.examples.packed_feed import PackedFeed, budget_cuts
from genret.training.examples.preparation import Readings, prepare_examples
from genret.training.loop.training_options import TrainingOptions

WORDS = ["a", "bb", "ccc", "dddd", "eeeee"]
TABLE = DocidTable.build([str(n) for n in range(6)], [[5 + n] for n in range(6)])


def examples(name: str, count: int) -> list[Example]:
    """Texts of 1 to 30 words, targets of 2 to 5 tokens."""
    rng = np.random.default_rng(len(name))
    return [
        Example(
            " ".join(WORDS[i] for i in rng.integers(0, 5, rng.integers(1, 31))),
            (*rng.integers(2, 90, rng.integers(1, 5)).tolist(), 1),
            name,
            1.0,
            row % 7 - 1,
        )
        for row in range(count)
    ]


SOURCES = {"titles": examples("titles", 130), "questions": examples("questions", 701)}


def tokenise(texts: list[str]) -> list[list[int]]:
    return [[*(100 + len(word) for word in text.split()), 1] for text in texts]


def prepare(folder: Path, executor: Executor = HERE, tokenizer: str = "x", **other: list[Example]) -> object:
    read = partial(Readings, {**SOURCES, **other}, tokenise, TABLE)
    return prepare_examples(read, folder, {"tokenizer": tokenizer}, executor, shard_examples=64)


def prepared(folder: Path, executor: Executor = HERE) -> PackedExamples:
    assert prepare(folder, executor) is not None
    return PackedExamples.load(folder)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("packed") / "examples")


def test_every_example_reads_back(packed):
    assert packed.sizes == {"titles": 130, "questions": 701}
    for name, rows in SOURCES.items():
        for row, example in enumerate(rows):
            found = packed.example(name, row)
            assert found.source.tolist() == tokenise([example.source])[0]
            assert tuple(found.target.tolist()) == example.target
            assert found.document == example.document
            assert packed.lengths(name, row) == (len(found.source), len(found.target))
    assert packed.table.docid(1) == "1"


@pytest.mark.parametrize("executor", [WorkerProcesses(2), Here(Shard(2, 3))])
def test_whoever_prepares_them_the_shards_are_the_same_bytes(packed, executor, tmp_path):
    for index in range(executor.share.count - 1):
        assert prepare(tmp_path / "examples", Here(Shard(index, executor.share.count))) is None
    other = prepared(tmp_path / "examples", executor)
    assert not (tmp_path / "examples.parts").exists()
    paths = sorted(path.relative_to(packed.folder) for path in packed.folder.rglob("*") if path.is_file())
    assert len(paths) > 14
    for path in paths:
        if path.name != MANIFEST:  # names each build anew
            assert (packed.folder / path).read_bytes() == (other.folder / path).read_bytes(), path


class Broken(list):
    """A source that fails in the middle, as a killed preparation would end."""

    def __getitem__(self, place):
        if place == 300:
            raise KeyboardInterrupt
        return super().__getitem__(place)


def test_a_preparation_goes_on_where_it_was(packed, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "x", questions=Broken(SOURCES["questions"]))
    # Three shards of titles, and four of the questions before the one that failed.
    done = {path.name for path in (tmp_path / "x.parts").glob("part-*")}
    assert done == {f"part-{part:06}.jsonl" for part in range(7)}
    again = prepared(tmp_path / "x")
    assert again.example("questions", 700).source.tolist() == packed.example("questions", 700).source.tolist()


def test_a_preparation_does_not_go_on_with_other_settings(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "x", tokenizer="y", questions=Broken(SOURCES["questions"]))
    with pytest.raises(InputError, match="tokenizer was 'y' and is 'x'"):
        prepared(tmp_path / "x")


def test_a_damaged_shard_is_named(tmp_path):
    packed = prepared(tmp_path / "examples")
    path = shard_path(packed.folder, "titles", 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"titles/shard-00001\.bin: damaged"):
        PackedExamples.load(packed.folder)


def options(tokens: int = 600, **others: object) -> TrainingOptions:
    return TrainingOptions(max_steps=1, batch_tokens=tokens, seed=3, **others)


def feed(packed: PackedExamples, rank: int = 0, size: int = 1, **others: object) -> PackedFeed:
    world = World(rank, size, rank)
    return PackedFeed(packed, {"titles": 1, "questions": 2}, options(**others), pad_token_id=0, world=world)


def rows(batch) -> list[tuple[int, ...]]:
    """The unpadded content of each row of a batch."""
    found = []
    for source, mask, target, weight in zip(*batch.source_tokens, batch.targets, batch.weights, strict=True):
        found.append((*source[mask].tolist(), -1, *target[weight > 0].tolist()))
    return found


def test_processes_and_micro_batches_share_a_step_without_overlap(packed):
    alone = feed(packed)
    parts = [feed(packed, rank, 2, gradient_accumulation_steps=2) for rank in range(2)]
    for step in range(12):
        whole = [rows(batch) for batch in alone.batches(step)]
        shared = [rows(batch) for part in parts for batch in part.batches(step)]
        assert len(shared) == 4
        assert sorted(chain(*shared)) == sorted(chain(*whole))


def test_steps_fit_the_budget(packed):
    alone = feed(packed)
    for step in range(100):
        (batch,) = alone.batches(step)
        assert batch.targets.numel() + batch.source_tokens.ids.numel() <= 600 * 1.25


def test_a_batch_counts_the_tokens_that_its_budget_does(packed):
    alone, parts = feed(packed), [feed(packed, rank, 2) for rank in range(2)]
    for step in range(5):
        (whole,) = alone.batches(step)
        assert whole.tokens == whole.targets.numel() + whole.source_tokens.ids.numel() > 0
        assert sum(part.batches(step)[0].tokens for part in parts) <= whole.tokens * 1.25


def test_a_pool_holds_what_the_mixture_draws(packed):
    alone, seen = feed(packed), []
    while alone.state()["pool"] == 0:
        seen += alone.next_draws()
    assert alone.seen(0)["examples"] == len(seen) == alone.pool_size
    assert sorted(seen) == sorted(alone.mixture.draw(position) for position in range(alone.pool_size))


def test_a_feed_restored_goes_on_where_it_was(packed):
    first, second = feed(packed), feed(packed)
    for step in range(37):
        first.batches(step)
    second.restore(first.state())
    for step in range(37, 60):
        assert [rows(batch) for batch in first.batches(step)] == [
            rows(batch) for batch in second.batches(step)
        ]


def test_too_small_a_budget_for_the_processes_is_refused(packed):
    with pytest.raises(InputError, match=r"batch_tokens: a step has \d+ examples for 64 processes"):
        feed(packed, 0, 64).batches(0)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 12)), min_size=1, max_size=80), st.integers(1, 200)
)
def test_cuts_cover_everything_and_respect_the_budget(pairs, tokens):
    lengths = np.array(sorted(pairs))
    cuts = budget_cuts(lengths, tokens)
    assert cuts[0] == 0
    assert cuts[-1] == len(lengths)
    assert cuts == sorted(set(cuts))
    for number, (begin, end) in enumerate(pairwise(cuts)):
        padded = (end - begin) * int(lengths[begin:end, 0].max() + lengths[begin:end, 1].max())
        last = number == len(cuts) - 2
        assert end - begin == 1 or padded <= tokens or (last and padded <= 2 * tokens + 52)


def prepare_and_die(folder: Path) -> None:
    import os

    class Deadly(list):
        def __getitem__(self, place):
            if place == 300:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(place)

    prepare(folder, questions=Deadly(SOURCES["questions"]))


def test_a_killed_preparation_leaves_no_folder_and_goes_on(packed, tmp_path):
    run_ranks(1, prepare_and_die, tmp_path / "x", expect=-signal.SIGKILL)
    assert not (tmp_path / "x").exists()
    assert prepared(tmp_path / "x").sizes == packed.sizes
