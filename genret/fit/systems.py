"""The systems that a model is compared with on the same passages and queries: itself untrained, BM25, dense.

Knows how each is asked; knows nothing of how results are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from genret.corpus import Judgements, Passage, Query, Run
from genret.errors import UsageError
from genret.evaluation import BM25_TUNED, Evaluation, bm25_run, dense_run, evaluate
from genret.jobs.cache import default_cache
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.retrieval.docids import GenerativeRetriever, Hit
from genret.training.linear_index.codebook import CodebookModel, DocidPaths
from genret.training.linear_index.start import start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher
from genret.vectors import embed_texts

__all__ = ["MODEL_NAME", "SystemScores", "compare_systems", "untrained"]

MODEL_NAME = "the model"
SHAPE = (
    "d_model",
    "decoder_layers",
    "decoder_heads",
    "decoder_ffn_dim",
    "max_docid_tokens",
    "max_source_tokens",
    "memory_tokens",
    "docid_width",
    "docid_min_tokens",
    "decoder_vocabulary",
    "tie_word_embeddings",
)


@dataclass(frozen=True)
class SystemScores:
    """All systems on all queries.

    Attributes:
        evaluations: system name to its values for each query; the model's is under `MODEL_NAME`.
        hits: of the model, by query id.
    """

    evaluations: Mapping[str, Evaluation]
    hits: Mapping[str, list[Hit]]


def compare_systems(
    retriever: GenerativeRetriever,
    passages: Sequence[Passage],
    queries: Sequence[Query],
    judgements: Judgements,
    stages: Stages,
    k: int = 10,
) -> SystemScores:
    """Ask every system every query for its best `k` passages; each is a stage of its own.

    `passages` is what BM25 and the dense retriever search. The dense retriever's vectors are cached by content.
    """
    runs: dict[str, Run] = {}
    with stages.stage("ask the model"):
        hits = _search(retriever, queries, k)
        runs[MODEL_NAME] = _run(hits)
    with stages.stage("ask the untrained model"):
        texts = [passage.full_text for passage in passages]
        vectors = embed_texts(_frozen(retriever).sentence_encoder, texts, cache=default_cache())
        runs["the same, untrained"] = _run(_search(untrained(retriever, vectors), queries, k))
        runs["random weights"] = _run(_search(untrained(retriever), queries, k))
    with stages.stage("ask BM25"):
        runs["BM25"] = bm25_run(passages, queries, k)
    with stages.stage("ask BM25, tuned"):
        runs["BM25, tuned"] = bm25_run(passages, queries, k, BM25_TUNED)
    with stages.stage("ask the dense retriever"):
        encoder = _frozen(retriever).sentence_encoder
        runs["dense, same encoder"] = dense_run(passages, queries, encoder, k, cache=default_cache())
    return SystemScores({name: evaluate(run, judgements) for name, run in runs.items()}, hits)


def untrained(retriever: GenerativeRetriever, vectors: npt.NDArray[Any] | None = None) -> GenerativeRetriever:
    """The control: the same encoder, docids, shape and search, with the decoder as training finds it.

    `vectors` are those of the passages: a decoder of their width, with an output table of its own, starts from
    codebooks made of them. Without vectors, and any other decoder: from random weights.
    """
    trained = _frozen(retriever)
    shape = {name: getattr(trained.model.config, name) for name in SHAPE}
    fresh = FrozenEncoderBackbone.build(trained.sentence_encoder, **shape)
    table = retriever.table
    if fresh.extend_vocabulary(table.new_tokens) != table.arrays.new_token_ids.tolist():
        raise RuntimeError(
            "the untrained model numbers the docid tokens otherwise; its results would mean nothing."
        )
    if vectors is not None and shape["d_model"] == vectors.shape[1] and not shape["tie_word_embeddings"]:
        teacher = DenseTeacher(["passage"], vectors[:1], vectors, gold_share={})
        start_from_codebooks(fresh, CodebookModel(teacher, DocidPaths(table)))
    return GenerativeRetriever(
        fresh, table, retriever.passages, trie=retriever.trie, options=retriever.options
    )


def _frozen(retriever: GenerativeRetriever) -> FrozenEncoderBackbone:
    backbone = retriever.backbone
    if not isinstance(backbone, FrozenEncoderBackbone):
        raise UsageError(
            f"only decoders on a frozen encoder are compared here; this model is a {type(backbone).__name__}."
        )
    return backbone


def _search(retriever: GenerativeRetriever, queries: Sequence[Query], k: int) -> dict[str, list[Hit]]:
    found = retriever.batch_search([query.text for query in queries], k)
    return {query.query_id: hits for query, hits in zip(queries, found, strict=True)}


def _run(hits: Mapping[str, list[Hit]]) -> Run:
    return {query_id: [(hit.passage_id, hit.score) for hit in found] for query_id, found in hits.items()}
