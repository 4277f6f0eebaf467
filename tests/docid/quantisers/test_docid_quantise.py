"""Quantisers and their docids: error falls level by level, collisions go by the rule, codes spread when balanced."""

from __future__ import annotations

from itertools import islice, pairwise, product
from pathlib import Path

import numpy as np
import pytest
from floats import FORWARD, SINGLE, assert_close

from docid import InputError
from docid.quantisers.quantise import ProductQuantiser, Quantiser, ResidualQuantiser, with_ordinals
from docid.strategies import DocumentFields, Product, Residual, load_strategy
from docid.strategies.codes import taken_codes
from fm_index.container import ArtefactError


def vectors(count: int, seed: int = 0, dimensions: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)


def fit(kind: str, points: np.ndarray, levels: int, codes: int, seed: int = 0) -> Quantiser:
    kinds = {"rq": ResidualQuantiser.fit, "shared": ResidualQuantiser.fit_shared, "pq": ProductQuantiser.fit}
    return kinds[kind](points, levels, codes, seed)


@pytest.mark.parametrize("kind", ["rq", "shared", "pq"])
def test_codes_stand_for_the_nearest_that_greed_finds(kind: str) -> None:
    points = vectors(200)
    quantiser = fit(kind, points, 4, 8)
    for point, code in zip(points[:50], quantiser.encode(points), strict=False):
        total, rest = np.zeros(8), point.astype(np.float64)
        for level in range(4):
            stretch = slice(level * 2, level * 2 + 2) if kind == "pq" else slice(None)
            distances = ((rest[stretch] - quantiser.codebooks[level]) ** 2).sum(axis=1)
            assert_close(distances[code[level]], distances.min(), ulps=FORWARD)
            total[stretch] += quantiser.codebooks[level][code[level]]
            rest = point - total if kind != "pq" else rest
        assert_close(quantiser.decode(code[None])[0], total, ulps=FORWARD)


@pytest.mark.parametrize("kind", ["rq", "shared"])
def test_each_level_takes_error_away(kind: str) -> None:
    points = vectors(300)
    errors = [float((points**2).sum()) / 300]
    for levels in (1, 2, 4):
        quantiser = fit(kind, points, levels, 16)
        errors.append(quantiser.error(points, quantiser.encode(points)))
    assert all(after < 0.8 * before for before, after in pairwise(errors))


def test_all_vectors_decide_where_only_a_sample_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    points = vectors(4096, dimensions=16)
    monkeypatch.setattr("docid.quantisers.kmeans.SAMPLE", 512)
    monkeypatch.setattr("docid.quantisers.kmeans.SAMPLE_PER_CLUSTER", 1)
    ours = ResidualQuantiser.fit(points, 6, 16, 0)
    of_sample = ResidualQuantiser.fit(points[:512], 6, 16, 0)
    errors = [quantiser.error(points, quantiser.encode(points)) for quantiser in (ours, of_sample)]
    assert errors[0] < errors[1]


def test_levels_extend_each_other_and_seeds_decide() -> None:
    points = vectors(200)
    short, long = (ResidualQuantiser.fit(points, levels, 8, 3).encode(points) for levels in (2, 4))
    np.testing.assert_array_equal(short, long[:, :2])
    assert not np.array_equal(short, ResidualQuantiser.fit(points, 2, 8, 4).encode(points))


def test_the_error_is_the_mean_squared_distance() -> None:
    points = vectors(100)
    quantiser = ResidualQuantiser.fit(points, 2, 8, 0)
    codes = quantiser.encode(points)
    expected = ((points - quantiser.decode(codes)) ** 2).sum(axis=1).mean()
    assert_close(quantiser.error(points, codes), float(expected), relative=SINGLE)


def test_balanced_codes_are_used_about_equally_often() -> None:
    points = np.concatenate([vectors(1000) * 0.3, vectors(1000, seed=1)])
    spread = []
    for balanced in (False, True):
        quantiser = ResidualQuantiser.fit(points, 2, 16, 0, balanced=balanced)
        counts = np.bincount(quantiser.encode(points)[:, 0], minlength=16)
        spread.append(counts.max() / counts.mean())
    assert spread[1] < 1.1
    assert spread[0] > 1.5


def test_alternatives_are_all_codes_once_the_nearest_first() -> None:
    quantiser = ResidualQuantiser.fit(vectors(50), 2, 3, 0)
    point = vectors(1, seed=9)[0]
    found = list(quantiser.alternatives(point))
    assert sorted(found) == sorted(product(range(3), repeat=2))
    assert found[0] == tuple(quantiser.encode(point[None])[0])
    assert {code[0] for code in found[:3]} == {found[0][0]}


@pytest.mark.parametrize("count", [0, 1, 2, 101])
@pytest.mark.parametrize("kind", [Residual, Product])
def test_every_docid_has_the_same_levels_and_is_found(kind: type[Residual], count: int) -> None:
    for collisions, length in (("share", 2), ("next", 2), ("ordinal", 3)):
        strategy = kind(levels=2, codes=16, collisions=collisions)
        table = strategy.assign(DocumentFields(count, embeddings=vectors(count)))
        assert table.num_documents == count
        assert collisions == "share" or table.num_docids == count
        for document in range(count):
            assert len(table.sequence(document)) == length
            assert document in table.documents(table.docid(document))


def test_identical_vectors_share_a_docid_or_are_told_apart() -> None:
    fields = DocumentFields(150, embeddings=np.repeat(vectors(3), 50, axis=0))
    shared = Residual(levels=4, codes=16).assign(fields)
    assert shared.num_docids == 3
    assert shared.documents(shared.docid(60)).tolist() == list(range(50, 100))
    ordinals = taken_codes(Residual(levels=4, codes=4, collisions="ordinal").assign(fields)).values.reshape(
        150, 5
    )
    assert ordinals[:, 4].tolist() == [*range(50)] * 3
    assert Residual(levels=4, codes=4, collisions="next").assign(fields).num_docids == 150


def test_the_first_document_keeps_its_codes_and_later_ones_get_the_nearest_that_are_free() -> None:
    points = np.repeat(vectors(4), 3, axis=0)
    plain = taken_codes(Residual(levels=2, codes=8).assign(DocumentFields(12, embeddings=points))).values
    strategy = Residual(levels=2, codes=8, collisions="next")
    table = strategy.assign(DocumentFields(12, embeddings=points))
    codes = taken_codes(table).values.reshape(12, 2)
    plain = plain.reshape(12, 2)
    np.testing.assert_array_equal(codes[::3], plain[::3])
    taken: set[tuple[int, ...]] = set(map(tuple, plain[::3].tolist()))
    for document in range(12):
        if document % 3:
            free = (code for code in strategy.quantiser().alternatives(points[document]) if code not in taken)
            assert tuple(codes[document]) == next(free)
            taken.add(tuple(codes[document].tolist()))


def test_more_documents_than_codes_cannot_be_told_apart_by_the_next_best() -> None:
    with pytest.raises(InputError, match="20 documents and only 16 docids of 2 levels"):
        Residual(levels=2, codes=4, collisions="next").assign(DocumentFields(20, embeddings=vectors(20)))
    strategy = Residual(levels=2, codes=2, collisions="next")
    full = strategy.assign(DocumentFields(4, embeddings=vectors(4)))
    with pytest.raises(InputError, match="5 documents and only 4 docids of 2 levels"):
        strategy.assign_new(full, DocumentFields(1, embeddings=vectors(1)))


def test_ordinals_count_on_from_those_given_before() -> None:
    before = np.array([[1, 2, 0], [1, 2, 1], [3, 3, 0]])
    codes = np.array([[3, 3], [1, 2], [0, 0], [1, 2]])
    assert with_ordinals(codes, before)[:, 2].tolist() == [1, 2, 0, 3]
    assert with_ordinals(codes, np.empty((0, 0), int))[:, 2].tolist() == [0, 0, 0, 1]
    assert with_ordinals(codes[:0], np.empty((0, 0), int)).shape == (0, 3)
    # One of the equal ones was taken out: the next comes behind the highest.
    assert with_ordinals(codes, before[1:])[:, 2].tolist() == [1, 2, 0, 3]


def test_levels_have_tokens_of_their_own_unless_shared() -> None:
    fields = DocumentFields(50, embeddings=vectors(50))
    table = Residual(levels=2, codes=4).assign(fields)
    assert table.new_tokens == [f"<c{level}_{code}>" for level, code in product((1, 2), range(4))]
    assert Residual(levels=3, codes=4, shared=True).assign(fields).new_tokens == [
        f"<c_{code}>" for code in range(4)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "levels is 0"),
        ({"codes": 1}, "codes 1; expected"),
        ({"collisions": "wrap"}, "collisions is 'wrap'; expected share, next, ordinal"),
        ({"balanced": True, "shared": True}, "balanced and shared are both true"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Residual(**options)  # type: ignore[arg-type]


def test_what_cannot_be_quantised_is_named() -> None:
    points = vectors(5)
    points[3, 1] = np.nan
    with pytest.raises(InputError, match="rows 3"):
        Residual().assign(DocumentFields(5, embeddings=points))
    with pytest.raises(InputError, match="needs the documents' embeddings"):
        Residual().assign(DocumentFields(5))
    with pytest.raises(
        InputError, match="levels is 3 and the embeddings have 8 dimensions; it must divide them"
    ):
        Product(levels=3).assign(DocumentFields(9, embeddings=vectors(9)))


def test_the_last_levels_alternatives_come_first() -> None:
    quantiser = ResidualQuantiser.fit(vectors(500), 3, 8, 0)
    first = list(islice(quantiser.alternatives(vectors(1, seed=5)[0]), 8))
    assert len({code[:2] for code in first}) == 1


def later_by_hand(quantiser: ResidualQuantiser, vector: np.ndarray, kept: float) -> list[int]:
    """Level by level the code of the least squared distance and, twice, squared difference along the vector."""
    length = float(np.linalg.norm(vector))
    unit, rest, along = vector / length, vector.astype(np.float64), 0.0
    codes = []
    for codebook in quantiser.codebooks.astype(np.float64):
        costs = [
            np.sum((rest - code) ** 2) + 2.0 * (kept * length - along - unit @ code) ** 2 for code in codebook
        ]
        chosen = int(np.argmin(costs))
        codes.append(chosen)
        rest, along = rest - codebook[chosen], along + float(unit @ codebook[chosen])
    return codes


@pytest.mark.parametrize("kept", [0.5, 0.9, 1.0])
def test_later_vectors_get_the_codes_by_hand(kept: float) -> None:
    rng = np.random.default_rng(0)
    quantiser = ResidualQuantiser.fit(rng.normal(size=(60, 5)).astype(np.float32), 4, 6, 0)
    later = rng.normal(size=(25, 5)).astype(np.float32)
    found = quantiser.encode_later(later, kept)
    assert found.tolist() == [later_by_hand(quantiser, vector, kept) for vector in later]
    assert quantiser.encode_later(np.zeros((1, 5), np.float32), kept).shape == (1, 4)


def test_codes_keep_as_much_of_later_vectors_as_of_the_first() -> None:
    """Along the vector, which is what inner products with a query that matches it depend on."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(600, 48)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    strategy = Residual(levels=8, codes=16, collisions="share")
    first = strategy.assign(DocumentFields(300, embeddings=vectors[:300]))
    quantiser = strategy.quantiser()
    kept = float((strategy.state or {})["kept"][0])
    old = np.einsum("ij,ij->i", vectors[:300], quantiser.decode(quantiser.encode(vectors[:300])))
    assert_close(kept, old.mean(), ulps=FORWARD)
    nearest = np.einsum("ij,ij->i", vectors[300:], quantiser.decode(quantiser.encode(vectors[300:])))
    grown = strategy.assign_new(first, DocumentFields(300, embeddings=vectors[300:]))
    codes = np.array([[int(code) for code in grown.docid(row).split("-")] for row in range(300, 600)])
    later = np.einsum("ij,ij->i", vectors[300:], quantiser.decode(codes))
    assert nearest.mean() < 0.8 * kept
    assert kept - later.mean() < 0.75 * (kept - nearest.mean())


def test_a_strategy_of_before_gives_later_vectors_the_nearest_codes(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(80, 6)).astype(np.float32)
    strategy = Residual(levels=3, codes=5)
    table = strategy.assign(DocumentFields(40, embeddings=vectors[:40]))
    strategy.state = {name: array for name, array in (strategy.state or {}).items() if name != "kept"}
    strategy.save(tmp_path / "before")
    again = load_strategy(tmp_path / "before")
    grown = again.assign_new(table, DocumentFields(40, embeddings=vectors[40:]))
    codes = strategy.quantiser().encode(vectors[40:])
    assert [grown.docid(row) for row in range(40, 80)] == ["-".join(map(str, row)) for row in codes.tolist()]


@pytest.mark.parametrize(
    "kept", [np.ones(2, np.float32), np.array([np.nan], np.float32), np.ones(1, np.int64)]
)
def test_what_codes_keep_is_one_number(tmp_path: Path, kept: np.ndarray) -> None:
    strategy = Residual(levels=2, codes=3)
    strategy.assign(
        DocumentFields(9, embeddings=np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32))
    )
    strategy.state = {**(strategy.state or {}), "kept": kept}
    strategy.save(tmp_path / "strategy")
    with pytest.raises(ArtefactError, match="what its codes keep is no number"):
        load_strategy(tmp_path / "strategy")
