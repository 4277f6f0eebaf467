"""The control of a trained model: the same, as training found it.

Knows decoders on a frozen encoder, and what they start from; trains nothing.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from genret.errors import UsageError
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.retrieval.docids import GenerativeRetriever
from genret.training.linear_index.codebook import CodebookModel, DocidPaths
from genret.training.linear_index.start import codebook_vectors, start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher
from genret.words import Words

__all__ = ["frozen_backbone", "untrained"]

SHAPE = (
    "d_model",
    "decoder_layers",
    "decoder_heads",
    "decoder_ffn_dim",
    "max_docid_tokens",
    "max_source_tokens",
    "memory_tokens",
    "decoder_vocabulary",
    "tie_word_embeddings",
)


def untrained(retriever: GenerativeRetriever, vectors: npt.NDArray[Any] | None = None) -> GenerativeRetriever:
    """The control: the same encoder, docids, shape and search, with decoder and words as training finds them.

    `vectors` are those of the passages: a decoder that started from codebooks does so again, with the codes' vectors as
    the model has them. Without vectors, and any other decoder: from random weights.
    """
    trained = frozen_backbone(retriever)
    shape = {name: getattr(trained.model.config, name) for name in SHAPE}
    fresh = FrozenEncoderBackbone.build(trained.sentence_encoder, **shape)
    table = retriever.table
    if fresh.extend_vocabulary(table.new_tokens) != table.arrays.new_token_ids.tolist():
        raise RuntimeError(
            "the untrained model numbers the docid tokens otherwise; its results would mean nothing."
        )
    paths = DocidPaths(table)
    tokens = codebook_vectors(trained, paths.token_ids)
    if vectors is not None and tokens is not None:
        teacher = DenseTeacher(["passage"], vectors[:1], vectors, gold_share={})
        start_from_codebooks(fresh, CodebookModel(teacher, paths, tokens=tokens))
    learned = retriever.words
    words = learned and Words(learned.sets, learned.tokenizer, learned.title_weight)
    return GenerativeRetriever(
        fresh, table, retriever.passages, trie=retriever.trie, words=words, options=retriever.options
    )


def frozen_backbone(retriever: GenerativeRetriever) -> FrozenEncoderBackbone:
    """The retriever's model, which is a decoder on a frozen encoder.

    Raises:
        UsageError: it is another one.
    """
    backbone = retriever.backbone
    if not isinstance(backbone, FrozenEncoderBackbone):
        raise UsageError(
            f"only decoders on a frozen encoder are compared here; this model is a {type(backbone).__name__}."
        )
    return backbone
