"""Codes in parts: the table of one process, byte by byte, whoever gives which part, and fitted once."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docid.quantisers import kmeans, quantise
from docid.strategies import DocumentFields, Product, Residual, RqVae, Strategy
from docid.strategies import rqvae as rqvae_module
from docid.strategies.residual import Collisions, Quantised
from genret.docids import code_parts
from genret.docids.code_parts import codes_in_parts
from genret.errors import InputError
from genret.jobs.job import Here
from genret.jobs.shards import Shard
from genret.vectors import write_vectors

ROWS = 90


@pytest.fixture
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Many alike, so that codes collide; and parts of a few whole batches."""
    for module in (kmeans, quantise, rqvae_module):
        monkeypatch.setattr(module, "BATCH", 8)
    monkeypatch.setattr(code_parts, "PART_ROWS", 16)
    drawn = np.random.default_rng(0)
    write_vectors(tmp_path / "v.npy", drawn.integers(0, 3, (ROWS, 6)) + drawn.normal(0, 0.1, (ROWS, 6)))
    return tmp_path / "v.npy"


def strategy(kind: type[Quantised], collisions: Collisions) -> Quantised:
    return kind(levels=2, codes=10, collisions=collisions)


def learn(one: Strategy, fields: DocumentFields) -> None:
    """As `fit`; an autoencoder is drawn, not trained."""
    if isinstance(one, RqVae):
        drawn = np.random.default_rng(1)
        layer = drawn.normal(size=(5, 6)).astype(np.float32), np.zeros(5, np.float32)
        one.take([layer], drawn.normal(size=(2, 10, 5)).astype(np.float32))
    else:
        one.fit(fields)


@pytest.mark.parametrize("kind", [Residual, Product, RqVae])
@pytest.mark.parametrize("collisions", ["share", "next", "ordinal"])
def test_the_table_is_that_of_one_process(
    kind: type[Quantised],
    collisions: Collisions,
    vectors: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = DocumentFields(ROWS, embeddings=np.load(vectors))
    one = strategy(kind, collisions)
    learn(one, fields)
    one.assign(fields).save(tmp_path / "one")
    fits: list[int] = []
    monkeypatch.setattr(code_parts, "fit", lambda *given: (fits.append(1), learn(*given)))
    shares = [Shard(index, 4) for index in range(4)]
    random.Random(1).shuffle(shares)
    for share in shares:
        shared = strategy(kind, collisions)
        codes = codes_in_parts(shared, vectors, ROWS, tmp_path / "job", Here(share))
        assert (codes is not None) == (share == shares[-1])
    assert fits == [1]
    shared.assign(replace(fields, codes=codes)).save(tmp_path / "shared")
    assert (tmp_path / "shared").read_bytes() == (tmp_path / "one").read_bytes()


def test_other_options_and_other_vectors_are_refused(vectors: Path, tmp_path: Path) -> None:
    half = Here(Shard(0, 2))
    assert codes_in_parts(strategy(Residual, "share"), vectors, ROWS, tmp_path / "job", half) is None
    with pytest.raises(InputError, match=r"options\.collisions was 'share' and is 'next'"):
        codes_in_parts(strategy(Residual, "next"), vectors, ROWS, tmp_path / "job", half)
    write_vectors(tmp_path / "w.npy", np.load(vectors) + 1)
    with pytest.raises(InputError, match="vectors was"):
        codes_in_parts(strategy(Residual, "share"), tmp_path / "w.npy", ROWS, tmp_path / "job", half)
    with pytest.raises(InputError, match="found 90 rows, expected one for each of 91 documents"):
        codes_in_parts(strategy(Residual, "share"), vectors, ROWS + 1, tmp_path / "new", half)
