"""The residual-quantised autoencoder: its quantiser against another implementation's numbers, and what it learns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from floats import FORWARD, SINGLE, assert_close
from torch.nn.functional import linear

from docid import InputError
from docid.quantisers.quantise import ResidualQuantiser
from docid.strategies import DocumentFields, RqVae, load_strategy
from docid.strategies.codes import taken_codes
from genret.docids.autoencoder import ResidualAutoencoder, RqVaeOptions, train_rqvae

LATENTS = torch.sin(torch.arange(24.0).reshape(6, 4) * 7)
SCALES = torch.tensor([1.0, 0.5, 0.25])[:, None, None]
CODEBOOKS = torch.sin(torch.arange(60.0).reshape(3, 5, 4) * 1.3) * SCALES
# Of vector-quantize-pytorch 1.32.0 (MIT), ResidualVQ with these codebooks, commitment_weight=0.25.
GOLDEN_CODES = [[1, 0, 4], [4, 2, 0], [1, 4, 2], [4, 1, 2], [2, 1, 0], [0, 4, 0]]
GOLDEN_COMMITMENT = 0.05076621100306511 + 0.039480388164520264 + 0.03142952919006348
GOLDEN_GRADIENT = [0.042022086679935455, 0.015396712347865105, 0.006160179618746042, 0.04812828078866005]
SMALL = RqVaeOptions(hidden=(16,), latent=4, steps=300, batch_size=128, learning_rate=1e-2)


def model_with_codebooks() -> ResidualAutoencoder:
    model = ResidualAutoencoder(10, 3, 5, RqVaeOptions(hidden=(), latent=4))
    with torch.no_grad():
        model.codebooks.copy_(CODEBOOKS)
    return model


def test_codes_sums_and_commitment_are_those_of_another_implementation() -> None:
    model, latents = model_with_codebooks(), LATENTS.clone().requires_grad_()
    quantised, codebook, commitment = model.quantise(latents)
    sums = sum(CODEBOOKS[level][torch.tensor(GOLDEN_CODES)[:, level]] for level in range(3))
    assert_close(quantised, sums, ulps=FORWARD)
    (0.25 * commitment).backward()
    assert latents.grad is not None
    assert_close(float(0.25 * commitment.detach()), GOLDEN_COMMITMENT, relative=SINGLE)
    assert_close(latents.grad.flatten()[:4], GOLDEN_GRADIENT, relative=SINGLE)
    assert model.codebooks.grad is None
    assert_close(codebook.item(), commitment.item(), relative=SINGLE)
    found = ResidualQuantiser(CODEBOOKS.numpy(), np.zeros((3, 5), np.float32)).encode(LATENTS.numpy())
    assert found.tolist() == GOLDEN_CODES


def test_the_codebook_loss_moves_codes_to_what_they_stand_for() -> None:
    model, latents = model_with_codebooks(), LATENTS.clone().requires_grad_()
    model.quantise(latents)[1].backward()
    assert latents.grad is None and model.codebooks.grad is not None  # noqa: PT018
    members = [row for row, codes in enumerate(GOLDEN_CODES) if codes[0] == 4]
    expected = 2 * (CODEBOOKS[0, 4] - LATENTS[members]).sum(0) / LATENTS.numel()
    assert_close(model.codebooks.grad[0, 4], expected, ulps=FORWARD)
    assert not model.codebooks.grad[0, 3].any()


def blobs(per_blob: int = 40) -> np.ndarray:
    centres = np.eye(6, 12, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 0.05, (6 * per_blob, 12))
    return (np.repeat(centres, per_blob, axis=0) + noise).astype(np.float32)


def fitted(collisions: str = "share") -> tuple[RqVae, np.ndarray]:
    strategy = RqVae(levels=2, codes=8, collisions=collisions)  # type: ignore[arg-type]
    train_rqvae(strategy, blobs(), SMALL)
    return strategy, blobs()


def test_training_lowers_the_loss_and_near_documents_get_near_docids() -> None:
    strategy = RqVae(levels=2, codes=8)
    history = train_rqvae(strategy, blobs(), SMALL)
    first, last = (
        float(np.mean([losses.reconstruction for losses in part])) for part in (history[:20], history[-20:])
    )
    assert last < 0.3 * first
    table = strategy.assign(DocumentFields(240, embeddings=blobs()))
    docids = table.docids(range(240))
    firsts = [docid.split("-")[0] for docid in docids]
    assert all(len(set(firsts[begin : begin + 40])) <= 2 for begin in range(0, 240, 40))
    pairs = Counter((docid, row // 40) for row, docid in enumerate(docids))
    purest = {docid: max(count for (one, _), count in pairs.items() if one == docid) for docid in set(docids)}
    assert sum(purest.values()) >= 0.95 * 240


def test_the_same_seed_gives_the_same_docids_and_a_saved_strategy_too(tmp_path: Path) -> None:
    (strategy, vectors), (again, _) = fitted("ordinal"), fitted("ordinal")
    table = strategy.assign(DocumentFields(200, embeddings=vectors[:200]))
    assert again.assign(DocumentFields(200, embeddings=vectors[:200])).docids(range(200)) == table.docids(
        range(200)
    )
    strategy.save(tmp_path / "strategy")
    loaded = load_strategy(tmp_path / "strategy")
    grown = loaded.assign_new(table, DocumentFields(40, embeddings=vectors[200:]))
    assert grown.docids(range(200)) == table.docids(range(200))
    assert grown.num_docids == 240


def test_the_codes_are_those_of_the_trained_model() -> None:
    strategy, vectors = fitted()
    state = strategy.state or {}
    arrays = {name: torch.from_numpy(array) for name, array in state.items()}
    hidden = torch.relu(linear(torch.from_numpy(vectors), arrays["weight_0"], arrays["bias_0"]))
    latents = linear(hidden, arrays["weight_1"], arrays["bias_1"])
    assert_close(strategy.inputs(vectors), latents.numpy(), ulps=FORWARD)
    table = strategy.assign(DocumentFields(240, embeddings=vectors))
    first = torch.cdist(latents, torch.from_numpy(state["codebooks"][0])).argmin(1)
    assert taken_codes(table).values.reshape(240, 2)[:, 0].tolist() == first.tolist()


def test_what_cannot_be_trained_is_told() -> None:
    with pytest.raises(
        InputError, match="is trained by genret: use `genret docid build --strategy rqvae`, `genret train`"
    ):
        RqVae().assign(DocumentFields(3, embeddings=np.ones((3, 4), np.float32)))
    with pytest.raises(InputError, match="learns from vectors; there are none"):
        train_rqvae(RqVae(), np.ones((0, 4), np.float32), SMALL)
    with pytest.raises(InputError, match=r"1 of 3 rows hold NaN.*\(rows 1\)"):
        train_rqvae(RqVae(), np.array([[1.0], [np.nan], [2.0]]), SMALL)
    with pytest.raises(InputError, match=r"codebooks: found shape \(2, 8, 4\), expected \(2, 9, 4\)"):
        RqVae(levels=2, codes=9).take([(np.ones((4, 3)), np.ones(4))], np.ones((2, 8, 4)))


def test_the_scale_and_the_place_of_the_vectors_do_not_matter() -> None:
    strategy, moved = fitted()[0], RqVae(levels=2, codes=8)
    train_rqvae(moved, 1e-3 * blobs() + 0.5, SMALL)
    for one, vectors in ((strategy, blobs()), (moved, 1e-3 * blobs() + 0.5)):
        table = one.assign(DocumentFields(240, embeddings=vectors))
        firsts = [docid.split("-")[0] for docid in table.docids(range(240))]
        assert len(set(firsts)) >= 4
