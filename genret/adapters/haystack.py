"""A retriever as a component of a pipeline of Haystack 2 or 3. Knows Haystack's documents; needs haystack-ai."""

from __future__ import annotations

import asyncio
import os
from functools import cached_property
from typing import Any

from docid.extras import needs
from genret.adapters.filters import where_of
from genret.adapters.frameworks import Model, found_passages, loaded
from genret.errors import UsageError
from genret.retrieval.retriever import Retriever

with needs("the adapter for Haystack", "haystack-ai"):
    from haystack import Document, component, default_from_dict, default_to_dict

__all__ = ["GenretRetriever"]


@component
class GenretRetriever:
    """A Haystack component from `query` to `documents`.

    A document's id and content are the passage's, its `score` the search's; `meta` is the passage's
    own, with `id`, `title`, `score` and what else the hit has (`rank`, `docid`, `code_score`, ...).

    Args:
        model: a model folder, which is loaded when the pipeline starts (`warm_up`); or a retriever of either kind, with
            which a pipeline cannot be written down.
        top_k: passages of a question, at most.
        filters: Haystack's, of `meta.` fields of the passages and of `id`: what they leave out is not found.

    Raises:
        UsageError: the filters are none.
    """

    def __init__(self, model: Model, top_k: int = 10, filters: dict[str, Any] | None = None) -> None:
        self.model = os.fspath(model) if isinstance(model, os.PathLike) else model
        where_of(filters)
        self.top_k, self.filters = top_k, filters

    def warm_up(self) -> None:
        """Load the model, once; errors as for `genret.load`."""
        _ = self._retriever

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, list[Document]]:
        """The best passages for `query`; `top_k` and `filters` in place of the component's own."""
        where = where_of(self.filters if filters is None else filters)
        (found,) = found_passages(self._retriever, [query], self.top_k if top_k is None else top_k, where)
        return {
            "documents": [
                Document(id=one.passage_id, content=one.text, meta=one.metadata, score=one.score)
                for one in found
            ]
        }

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    async def run_async(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, list[Document]]:
        """As `run`, beside other work."""
        return await asyncio.to_thread(self.run, query, top_k, filters)

    def to_dict(self) -> dict[str, Any]:
        """The component as a dictionary, from which `from_dict` makes it.

        Raises:
            UsageError: it was made with a retriever in place of a folder.
        """
        if isinstance(self.model, Retriever):
            raise UsageError(
                "this component was made with a loaded retriever, which a pipeline cannot be written down with; "
                "give it the model folder's path."
            )
        written: dict[str, Any] = default_to_dict(
            self, model=self.model, top_k=self.top_k, filters=self.filters
        )
        return written

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GenretRetriever:
        """The component that `to_dict` wrote; its model is loaded by `warm_up`."""
        made: GenretRetriever = default_from_dict(cls, data)
        return made

    @cached_property
    def _retriever(self) -> Retriever[Any, Any]:
        return loaded(self.model)
