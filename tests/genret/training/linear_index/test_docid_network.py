"""The solved network of docids: against least squares written out, by what a search finds, and with new passages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backbones import sentence_encoder
from floats import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable
from docid.strategies import DocumentFields, Residual
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.linear_index.codebook import CodebookModel, DocidPaths
from genret.training.linear_index.docid_network import solve_docid_network
from genret.training.linear_index.start import start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher

DIM = 48
WORDS = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read"]
TEXTS = [f"{first} {second}" for first in WORDS for second in WORDS][:60]


def unit(count: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def backbone_of(
    table: DocidTable, vectors: np.ndarray, width: int
) -> tuple[FrozenEncoderBackbone, DocidTable]:
    """A decoder that ranks by sums of token vectors, and the table in its vocabulary."""
    backbone = FrozenEncoderBackbone.build(
        sentence_encoder(),
        d_model=DIM,
        tie_word_embeddings=False,
        docid_width=width,
        decoder_layers=1,
        decoder_heads=2,
        decoder_ffn_dim=32,
        max_docid_tokens=8,
    )
    bound = table.bind(backbone.extend_vocabulary(table.new_tokens))
    teacher = DenseTeacher(["text"], vectors[:1], vectors, gold_share={})
    start_from_codebooks(backbone, CodebookModel(teacher, DocidPaths(bound)))
    return backbone, bound


def residual(vectors: np.ndarray) -> tuple[Residual, DocidTable]:
    strategy = Residual(levels=3, codes=6, collisions="next")
    return strategy, strategy.assign(DocumentFields(len(vectors), embeddings=vectors))


@torch.no_grad()
def stands_for(backbone: FrozenEncoderBackbone, table: DocidTable) -> np.ndarray:
    """What each docid's score is the inner product with: sums of output rows, and the network; token by token."""
    decoder, start = backbone.model.decoder, backbone.model.config.decoder_start_token_id
    vectors = []
    for row in range(table.num_documents):
        docid = table.sequence(row).tolist()
        summed = sum(decoder.head.weight[token, :DIM] for token in docid)
        vectors.append(summed + decoder.docid(torch.tensor([[start, *docid]]))[0])
    return torch.stack(vectors).double().numpy()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.integers(3, 9), min_size=1, max_size=4), min_size=2, max_size=12),
    st.integers(1, 12),
    st.integers(0, 9),
)
def test_it_is_the_least_squares_network(sequences, width, seed):
    tokens = sorted({token for docid in sequences for token in docid})
    names = [f"<{token}>" for token in tokens]
    places = [[-1 - tokens.index(token) for token in docid] for docid in sequences]
    rows = [str(row) for row in range(len(sequences))]
    vectors = unit(len(sequences), seed)
    backbone, table = backbone_of(DocidTable.build(rows, places, new_tokens=names), vectors, width)
    decoder = backbone.model.decoder
    solve_docid_network(backbone, table, vectors, ridge=0.3, seed=seed)
    docids = [table.sequence(row).tolist() for row in range(len(rows))]
    sums = np.array(
        [sum(decoder.head.weight[token, :DIM].detach().double().numpy() for token in one) for one in docids]
    )
    start = backbone.model.config.decoder_start_token_id
    used = sorted({token for docid in docids for token in docid})
    read = []
    for docid in docids:
        units = decoder.docid.hidden(torch.tensor([[start, *docid]])).detach().double().numpy()[0]
        read.append([*units, *(docid.count(token) for token in used), 1.0])
    features = np.array(read)
    wanted = (sums**2).sum() / (sums * vectors).sum() * vectors - sums
    # Least squares with a row for each weight that asks it to be nothing.
    rows_of = np.concatenate([features, 0.3**0.5 * np.eye(features.shape[1])])
    targets = np.concatenate([wanted, np.zeros((features.shape[1], DIM))])
    expected = sums + features @ np.linalg.lstsq(rows_of, targets, rcond=None)[0]
    assert_close(stands_for(backbone, table), expected, within=1e-3 * np.abs(expected).max())


def search(backbone: FrozenEncoderBackbone, table: DocidTable, count: int) -> list[list[int]]:
    """Documents for each text, best first."""
    constraint = TrieConstraint(table.trie(backbone.eos_token_id))
    with torch.inference_mode():
        found = beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=count, score="raw")
    return [[one.documents[0] for one in hypotheses] for hypotheses in found]


def centred(vectors: np.ndarray) -> np.ndarray:
    """As the decoder's last norm sees them."""
    return vectors - vectors.mean(1, keepdims=True)


def test_a_search_ranks_as_the_vectors_do():
    vectors = unit(60, 0)
    _, table = residual(vectors)
    backbone, bound = backbone_of(table, vectors, width=128)
    asked = centred(sentence_encoder().embed(TEXTS))
    nearest = (asked @ vectors.T).argmax(1)
    before = sum(found[0] == best for found, best in zip(search(backbone, bound, 60), nearest, strict=True))
    solve_docid_network(backbone, bound, vectors, ridge=1e-4)
    after = sum(found[0] == best for found, best in zip(search(backbone, bound, 60), nearest, strict=True))
    assert before < 45
    assert after >= 58


def test_passages_that_came_later_are_known_once_it_is_solved_for_again():
    vectors = unit(60, 1)
    strategy, table = residual(vectors[:40])
    backbone, bound = backbone_of(table, vectors[:40], width=128)
    solve_docid_network(backbone, bound, vectors[:40], ridge=1e-4)
    grown = strategy.assign_new(bound, DocumentFields(20, embeddings=vectors[40:]))

    def error() -> float:
        found = stands_for(backbone, grown)[40:]
        found *= (found * vectors[40:]).sum() / (found**2).sum()
        return float(((found - vectors[40:]) ** 2).sum(1).mean())

    before = error()
    solve_docid_network(backbone, grown, vectors, ridge=1e-4)
    assert before > 0.3
    assert error() < 0.05


def test_what_cannot_be_solved_for_is_refused():
    vectors = unit(60, 2)
    _, table = residual(vectors)
    backbone, bound = backbone_of(table, vectors, width=0)
    with pytest.raises(InputError, match="no network of docids; build it with docid_width above 0"):
        solve_docid_network(backbone, bound, vectors)
    backbone, bound = backbone_of(table, vectors, width=8)
    with pytest.raises(InputError, match=r"found shape \(59, 48\), expected \(60, 48\)"):
        solve_docid_network(backbone, bound, vectors[1:])
