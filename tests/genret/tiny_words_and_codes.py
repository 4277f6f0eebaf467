"""A retriever whose docids are words and codes, over a decoder that is a linear index; no weights, no training."""

from __future__ import annotations

from typing import Any

from backbones import sentence_encoder

from docid.strategies import DocumentFields, Residual
from genret.corpus import Passage, PassageStore
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.training.linear_index.codebook import CodebookModel, DocidPaths, start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher
from genret.words.words import WordOptions, choose_words

NAMES = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read"]
TEXTS = [f"{first} near {second}" for first in NAMES for second in NAMES]


def retriever(collisions: str = "next", **options: Any) -> GenerativeRetriever:
    encoder = sentence_encoder()
    vectors = encoder.embed(TEXTS)
    shape = {"decoder_layers": 1, "decoder_heads": 4, "decoder_ffn_dim": 64, "max_docid_tokens": 8}
    backbone = FrozenEncoderBackbone.build(encoder, d_model=48, tie_word_embeddings=False, **shape)
    strategy = Residual(levels=4, codes=4, collisions=collisions)  # type: ignore[arg-type]
    unbound = strategy.assign(DocumentFields(len(TEXTS), embeddings=vectors))
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    teacher = DenseTeacher(["passage"], vectors[:1], vectors, gold_share={})
    start_from_codebooks(backbone, CodebookModel(teacher, DocidPaths(table)))
    passages = PassageStore.build([Passage(f"p{row}", "", text) for row, text in enumerate(TEXTS)])
    words = choose_words(passages, encoder.tokenizer, WordOptions(2))
    given = SearchOptions(100, "raw", **options)
    return GenerativeRetriever(backbone, table, passages, words=words, options=given)
