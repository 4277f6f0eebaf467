"""A retriever as LlamaIndex calls one. Knows LlamaIndex's nodes; needs llama-index-core."""

from __future__ import annotations

import asyncio
from typing import Any

from docid.extras import needs
from genret.adapters.frameworks import Model, found_passages, loaded

with needs("the adapter for LlamaIndex", "llama-index-core"):
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

__all__ = ["GenretRetriever"]


class GenretRetriever(BaseRetriever):  # type: ignore[misc]
    """A LlamaIndex `BaseRetriever`: `retrieve`, `aretrieve`, query engines.

    A node's id and text are the passage's. Its `metadata` is the passage's own, with `id`, `title`, `score` and what else
    the hit has; language models and embeddings are shown the title and the passage's own.

    Args:
        retriever: of either kind, as `genret.load(folder)` gives it; or the folder.
        similarity_top_k: passages of a question, at most.
        where: a condition on the passages' fields, such as `year >= 2020`; others are not found.
        options: of `BaseRetriever`, such as `callback_manager`.
    """

    def __init__(
        self,
        retriever: Model,
        similarity_top_k: int = 10,
        where: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.retriever, self.similarity_top_k, self.where = loaded(retriever), similarity_top_k, where

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        asked = [query_bundle.query_str]
        (found,) = found_passages(self.retriever, asked, self.similarity_top_k, self.where)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=one.passage_id,
                    text=one.text,
                    metadata=one.metadata,
                    excluded_llm_metadata_keys=["id", "score", *one.parts],
                    excluded_embed_metadata_keys=["id", "score", *one.parts],
                ),
                score=one.score,
            )
            for one in found
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
