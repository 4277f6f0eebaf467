"""The systems that the demo compares: the model, the same model untrained, BM25, dense.

Knows how each is asked all questions; knows nothing of how the results are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from genret.corpus import Query, Run
from genret.demo.questions import judgements_of
from genret.errors import UsageError
from genret.evaluation import BM25_TUNED, bm25_run, default_cache, dense_run, evaluate, result_table
from genret.models.frozen_encoder import FrozenEncoderBackbone
from genret.retriever import GenerativeRetriever, Hit

if TYPE_CHECKING:
    from genret.demo.collection import Collection
    from genret.evaluation import Evaluation, ResultTable
    from genret.stages import Stages

__all__ = ["Comparison", "compare_systems", "untrained"]

MODEL = "the model"
SHAPE = (
    "d_model",
    "decoder_layers",
    "decoder_heads",
    "decoder_ffn_dim",
    "max_docid_tokens",
    "max_source_tokens",
    "memory_tokens",
    "decoder_vocabulary",
)


class Comparison(NamedTuple):
    """All systems on all questions.

    Attributes:
        table: a row a system.
        evaluation: of the model, question by question.
        hits: of the model, by query id.
    """

    table: ResultTable
    evaluation: Evaluation
    hits: dict[str, list[Hit]]


def compare_systems(
    collection: Collection, retriever: GenerativeRetriever, stages: Stages, k: int = 10
) -> Comparison:
    """Ask every system every question for its best `k` passages; each is a stage of its own."""
    queries = [Query(one.query_id, one.text) for one in collection.questions]
    runs: dict[str, Run] = {}
    with stages.stage("ask the model"):
        hits = _search(retriever, queries, k)
        runs[MODEL] = _run(hits)
    with stages.stage("ask the untrained model"):
        runs["untrained"] = _run(_search(untrained(retriever), queries, k))
    with stages.stage("ask BM25"):
        runs["BM25"] = bm25_run(collection.passages, queries, k)
    with stages.stage("ask BM25, tuned"):
        runs["BM25, tuned"] = bm25_run(collection.passages, queries, k, BM25_TUNED)
    with stages.stage("ask the dense retriever"):
        encoder = _frozen(retriever).sentence_encoder
        runs["dense"] = dense_run(collection.passages, queries, encoder, k, cache=default_cache())
    judgements = judgements_of(collection.questions)
    evaluations = {name: evaluate(run, judgements) for name, run in runs.items()}
    return Comparison(result_table(evaluations), evaluations[MODEL], hits)


def untrained(retriever: GenerativeRetriever, seed: int = 1) -> GenerativeRetriever:
    """The control: the same encoder, docids, shape and search, with a decoder that has learned nothing."""
    trained = _frozen(retriever)
    shape = {name: getattr(trained.model.config, name) for name in SHAPE}
    fresh = FrozenEncoderBackbone.build(trained.sentence_encoder, seed=seed, **shape)
    table = retriever.table
    if fresh.extend_vocabulary(table.new_tokens) != table.arrays.new_token_ids.tolist():
        raise RuntimeError(
            "the untrained model numbers the docid tokens otherwise; its results would mean nothing."
        )
    return GenerativeRetriever(
        fresh, table, retriever.passages, trie=retriever.trie, settings=retriever.settings
    )


def _frozen(retriever: GenerativeRetriever) -> FrozenEncoderBackbone:
    backbone = retriever.backbone
    if not isinstance(backbone, FrozenEncoderBackbone):
        raise UsageError(
            f"the demo compares decoders on a frozen encoder; this model is a {type(backbone).__name__}."
        )
    return backbone


def _search(retriever: GenerativeRetriever, queries: Sequence[Query], k: int) -> dict[str, list[Hit]]:
    found = retriever.batch_search([query.text for query in queries], k)
    return {query.query_id: hits for query, hits in zip(queries, found, strict=True)}


def _run(hits: dict[str, list[Hit]]) -> Run:
    return {query_id: [(hit.passage_id, hit.score) for hit in found] for query_id, found in hits.items()}
