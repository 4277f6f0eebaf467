"""Cached vectors: computed once, keyed by content, resumed after an interruption."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from genret.jobs.cache_folder import default_cache
from genret.jobs.job import Executor, Here, Once
from genret.jobs.shards import Shard
from genret.jobs.worker_processes import WorkerProcesses
from genret.vectors import embed_parts, embed_texts, embedding

DIMENSION = 4


class CountingEncoder:
    """Vectors from a hash of the text; counts the texts and stops after `limit` of them."""

    dimension = DIMENSION

    def __init__(self, fingerprint: str = "f", limit: int = 1 << 30) -> None:
        self.fingerprint, self.limit, self.count = fingerprint, limit, 0

    def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> np.ndarray:
        if self.count + len(texts) > self.limit:
            raise KeyboardInterrupt
        self.count += len(texts)
        report.advance(len(texts))
        seeds = [xxhash.xxh3_64_intdigest(f"{max_length} {text}".encode()) for text in texts]
        rows = [np.random.default_rng(seed).standard_normal(DIMENSION) for seed in seeds]
        return np.array(rows, np.float32).reshape(len(texts), DIMENSION)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PART_TEXTS", 5)


TEXTS = [f"text {i}" for i in range(23)]


def plain(texts: Sequence[str], max_length: int = 256) -> np.ndarray:
    return embed_texts(CountingEncoder(), texts, max_length=max_length)


def test_cached_vectors_equal_plain_ones_and_are_computed_once(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    first = embed_texts(encoder, TEXTS, cache=tmp_path)
    second = embed_texts(encoder, TEXTS, cache=tmp_path)
    assert encoder.count == len(TEXTS)
    assert first.dtype == np.float16
    np.testing.assert_array_equal(first, plain(TEXTS))
    np.testing.assert_array_equal(second, first)
    assert [path.suffix for path in tmp_path.iterdir()] == [".vectors"]


@pytest.mark.parametrize("limit", [0, 4, 5, 12, 20, 22])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, limit: int) -> None:
    stopped = CountingEncoder(limit=limit)
    with pytest.raises(KeyboardInterrupt):
        embed_texts(stopped, TEXTS, cache=tmp_path)
    encoder = CountingEncoder()
    found = embed_texts(encoder, TEXTS, cache=tmp_path)
    assert encoder.count == len(TEXTS) - stopped.count
    assert stopped.count == limit // 5 * 5
    np.testing.assert_array_equal(found, plain(TEXTS))


def stopped_at(folder: Path, limit: int) -> Path:
    """The folder of a job that was interrupted."""
    with pytest.raises(KeyboardInterrupt):
        embed_texts(CountingEncoder(limit=limit), TEXTS, cache=folder)
    return next(folder.glob("*.parts"))


@pytest.mark.parametrize("damage", ["cut", "flip", "exchange", "another's"])
def test_a_damaged_part_is_named_and_computed_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = stopped_at(tmp_path / "cache", 12)
    first, second = sorted(job.glob("part-*"))
    data = bytearray(first.read_bytes())
    if damage == "cut":
        data = data[:-3]
    elif damage == "flip":
        data[-3] ^= 1
    elif damage == "exchange":
        data = bytearray(second.read_bytes())
    else:
        embed_texts(CountingEncoder(), TEXTS[:5], cache=tmp_path / "other")
        data = bytearray(next((tmp_path / "other").iterdir()).read_bytes())
    first.write_bytes(data)
    encoder = CountingEncoder()
    np.testing.assert_array_equal(embed_texts(encoder, TEXTS, cache=tmp_path / "cache"), plain(TEXTS))
    assert encoder.count == len(TEXTS) - 5
    assert str(first) in caplog.text


@pytest.mark.parametrize("plan", [b"{", b'{"key": "other"}'])
def test_a_job_whose_plan_is_damaged_or_another_is_begun_anew(
    tmp_path: Path, plan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    job = stopped_at(tmp_path, 12)
    (job / "plan.json").write_bytes(plan)
    encoder = CountingEncoder()
    np.testing.assert_array_equal(embed_texts(encoder, TEXTS, cache=tmp_path), plain(TEXTS))
    assert encoder.count == len(TEXTS)
    assert "computed again" in caplog.text


def test_of_two_that_want_the_same_vectors_one_computes_them_and_the_other_waits(tmp_path: Path) -> None:
    """Threads open the lock's file apart from each other, as processes do."""
    begun, go_on, encoders = threading.Event(), threading.Event(), [CountingEncoder(), CountingEncoder()]

    class Held(CountingEncoder):
        def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> np.ndarray:
            begun.set()
            assert go_on.wait(60)
            return super().embed(texts, max_length, report=report)

    first = Held()
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(embed_texts, first, TEXTS, cache=tmp_path)]
        assert begun.wait(60)
        found += [pool.submit(embed_texts, encoder, TEXTS, cache=tmp_path) for encoder in encoders]
        time.sleep(0.2)  # whoever does not wait begins to compute
        go_on.set()
        for one in found:
            np.testing.assert_array_equal(one.result(), plain(TEXTS))
    assert first.count == len(TEXTS)
    assert [encoder.count for encoder in encoders] == [0, 0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".vectors"]


def test_the_key_covers_encoder_length_and_every_text(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    embed_texts(encoder, ["a", "bc"], cache=tmp_path)
    for texts, length, fingerprint in [
        (["ab", "c"], 256, "f"),
        (["bc", "a"], 256, "f"),
        (["a", "bc", ""], 256, "f"),
        (["a", "bc"], 128, "f"),
        (["a", "bc"], 256, "g"),
    ]:
        other = CountingEncoder(fingerprint)
        found = embed_texts(other, texts, max_length=length, cache=tmp_path)
        assert other.count == len(texts)
        np.testing.assert_array_equal(found, plain(texts, length))
    assert len(list(tmp_path.iterdir())) == 6


def test_no_texts(tmp_path: Path) -> None:
    assert embed_texts(CountingEncoder(), [], cache=tmp_path).shape == (0, DIMENSION)


def test_a_damaged_cache_is_named_and_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = embed_texts(CountingEncoder(), TEXTS, cache=tmp_path).copy()
    path = next(tmp_path.glob("*.vectors"))
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    np.testing.assert_array_equal(embed_texts(CountingEncoder(), TEXTS, cache=tmp_path), expected)
    assert path.name in caplog.text


def test_the_default_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "genret" / "embeddings"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "genret" / "embeddings"


EXECUTORS = {
    "shards": [Here(Shard(1, 3)), Here(Shard(0, 3)), Here(Shard(2, 3))],
    "more shards later": [Here(Shard(0, 2)), Here(Shard(3, 4)), Here(Shard(1, 4))],
    "processes": [WorkerProcesses(2)],
}


@pytest.mark.parametrize("executors", EXECUTORS.values(), ids=EXECUTORS)
def test_whoever_computes_the_parts_the_vectors_are_the_same(
    executors: list[Executor], tmp_path: Path
) -> None:
    texts, left = partial(list, TEXTS), []
    for executor in executors:
        left.append(embed_parts(Once(CountingEncoder), texts, executor, cache=tmp_path))
    assert left[-1] == 0
    assert all(left[:-1])
    encoder = CountingEncoder()
    np.testing.assert_array_equal(embed_texts(encoder, TEXTS, cache=tmp_path), plain(TEXTS))
    assert encoder.count == 0
    one = tmp_path / "one"
    embed_texts(encoder, TEXTS, cache=one)
    (expected,) = one.glob("*.vectors")
    assert (tmp_path / expected.name).read_bytes() == expected.read_bytes()
    never = Once(lambda: CountingEncoder(limit=0))
    assert embed_parts(never, texts, Here(), cache=tmp_path) == 0
