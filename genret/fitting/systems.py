"""The systems that a model is compared with on the same passages and queries: itself untrained, and all baselines.

The untrained one is the control: the same encoder, docids, shape and search, with the decoder as training finds it.
Knows how each is asked; trains nothing, and knows nothing of how results are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from genret.corpus import Judgements, Passage, Query, Run
from genret.corpus.documents.judged import counting
from genret.errors import UsageError
from genret.evaluation import Evaluation, evaluate
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.baseline_runs import Baselines
from genret.retrieval.docids import GenerativeRetriever, Hit
from genret.training.linear_index.codebook import (
    CodebookModel,
    DocidPaths,
    codebook_vectors,
    start_from_codebooks,
)
from genret.training.linear_index.teacher import DenseTeacher
from genret.vectors.embedding import passage_vectors
from genret.words import Words

__all__ = ["MODEL_NAME", "SystemScores", "compare_systems", "frozen_backbone", "untrained"]

MODEL_NAME = "the model"
# Of a decoder, and the same in its control.
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
    vectors: npt.NDArray[Any] | None = None,
    labelled: Sequence[tuple[str, int]] = (),
) -> SystemScores:
    """Ask every system every query for its best `k` passages; each is a stage of its own.

    Where documents are judged that the retriever's passages are pieces of, every system is asked for more, and each
    document counts once, at its best piece.

    Args:
        passages: what the baselines search.
        vectors: those of `passages` by the model's encoder, floats [N, d]; computed, and cached, where None.
        labelled: what `Baselines` fine-tunes dense retrieval on.
    """
    runs: dict[str, Run] = {}
    count = counting(judgements, retriever.passages)
    depth = count.depth(k)
    encoder = frozen_backbone(retriever).sentence_encoder
    with stages.stage("ask the model"):
        hits = _search(retriever, queries, depth)
        runs[MODEL_NAME] = _run(hits)
    with stages.stage("ask the untrained model"):
        if vectors is None:
            vectors = passage_vectors(None, passages, encoder)
        runs["the same, untrained"] = _run(_search(untrained(retriever, vectors), queries, depth))
        runs["random weights"] = _run(_search(untrained(retriever), queries, depth))
    runs |= Baselines(passages, vectors, encoder, labelled).ask(queries, depth, stages)
    scores = {name: evaluate(count.counted(run), count.judgements) for name, run in runs.items()}
    return SystemScores(scores, {query_id: found[:k] for query_id, found in hits.items()})


def _search(retriever: GenerativeRetriever, queries: Sequence[Query], k: int) -> dict[str, list[Hit]]:
    found = retriever.batch_search([query.text for query in queries], k)
    return {query.query_id: hits for query, hits in zip(queries, found, strict=True)}


def _run(hits: Mapping[str, list[Hit]]) -> Run:
    return {query_id: [(hit.passage_id, hit.score) for hit in found] for query_id, found in hits.items()}


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
