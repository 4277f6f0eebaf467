"""A decoder that starts from codebooks ranks docids as they do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backbones import sentence_encoder

from docid.strategies import DocumentFields, Residual
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models.frozen_encoder import FrozenEncoderBackbone
from genret.training.codebook import CodebookModel, DocidPaths
from genret.training.initialise import start_from_codebooks
from genret.training.teacher import DenseTeacher

WORDS = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read", "who", "where", "near", "lies"]
TEXTS = [f"{first} {second}" for first in WORDS for second in WORDS if first != second]
SHAPE = {"decoder_layers": 2, "decoder_heads": 4, "decoder_ffn_dim": 64, "max_docid_tokens": 8}


def prepared(**shape):
    encoder = sentence_encoder()
    vectors = encoder.embed(TEXTS)
    unbound = Residual(levels=3, codes=6).assign(DocumentFields(len(TEXTS), embeddings=vectors))
    backbone = FrozenEncoderBackbone.build(
        encoder, **{"d_model": 48, "tie_word_embeddings": False, **SHAPE, **shape}
    )
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    teacher = DenseTeacher(TEXTS, vectors, vectors, gold_share={}, neighbours=4)
    index = CodebookModel(teacher, DocidPaths(table, (2,)))
    with torch.no_grad():
        index.query_map.add_(0.1 * torch.randn(48, 48, generator=torch.Generator().manual_seed(0)))
    return backbone, table, index


def test_raw_scores_rank_as_the_linear_index():
    backbone, table, index = prepared()
    start_from_codebooks(backbone, index)
    constraint = TrieConstraint(table.trie(backbone.eos_token_id))
    queries = TEXTS[::17]
    with torch.inference_mode():
        found = beam_search(backbone, backbone.encode(queries), constraint, num_beams=200, score="raw")
        vectors = index.teacher.vectors[index.teacher.rows(queries)]
        expected = index.queries(vectors) @ index.documents(index.paths.paths).T
    for hypotheses, scores in zip(found, expected, strict=True):
        assert len(hypotheses) == table.num_docids
        linear = scores[[one.documents[0] for one in hypotheses]].numpy()
        raw = np.array([one.score for one in hypotheses])
        # One factor for each query, and the mean that the norms take out of every vector.
        assert np.corrcoef(raw, linear)[0, 1] > 0.999


def test_a_decoder_that_cannot_start_so_is_refused():
    _, _, index = prepared()
    narrow = FrozenEncoderBackbone.build(sentence_encoder(), d_model=32, tie_word_embeddings=False, **SHAPE)
    with pytest.raises(InputError, match="needs d_model 48 and tie_word_embeddings false; found d_model 32"):
        start_from_codebooks(narrow, index)
    tied = FrozenEncoderBackbone.build(sentence_encoder(), d_model=48, **SHAPE)
    with pytest.raises(InputError, match="tie_word_embeddings True"):
        start_from_codebooks(tied, index)
