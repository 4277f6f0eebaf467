"""A retriever as LangChain calls one. Knows LangChain's documents; needs langchain-core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genret.adapters.frameworks import Found, found_passages, framework
from genret.errors import InputError
from genret.retrieval.retriever import Retriever

with framework("LangChain", "langchain-core"):
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables.config import run_in_executor

__all__ = ["GenretRetriever"]


class GenretRetriever(BaseRetriever):  # type: ignore[misc]
    """A `langchain_core.retrievers.BaseRetriever`: `invoke`, `batch`, `stream`, their asynchronous forms, chains.

    A document's `page_content` is the passage's text, its `id` the passage's; `metadata` is the
    passage's own, with `id`, `title`, `score` and what else the hit has (`rank`, `docid`, `code_score`, ...). A call may say another number of passages:
    `invoke(question, k=3)`. `batch` and `abatch` search all questions in one pass of the model.

    Args:
        retriever: of either kind, as `genret.load(folder)` gives it.
        k: passages of a question, at most.
    """

    retriever: Retriever[Any, Any]
    k: int = 10
    # What a batch has found already, while its questions are asked one by one for their callbacks.
    _answers: dict[str, list[Document]] | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: Any, k: int | None = None
    ) -> list[Document]:
        if self._answers is not None:
            return self._answers[query]
        (found,) = found_passages(self.retriever, [query], self.k if k is None else k)
        return [_document(one) for one in found]

    def batch(self, inputs: Sequence[str], *arguments: Any, **options: Any) -> list[Any]:
        searched = self._searched(inputs, options.get("k"))
        found: list[Any] = super(GenretRetriever, searched).batch(inputs, *arguments, **options)
        return found

    async def abatch(self, inputs: Sequence[str], *arguments: Any, **options: Any) -> list[Any]:
        searched = await run_in_executor(None, self._searched, inputs, options.get("k"))
        found: list[Any] = await super(GenretRetriever, searched).abatch(inputs, *arguments, **options)
        return found

    def _searched(self, queries: Sequence[str], k: int | None) -> GenretRetriever:
        """The same retriever, to which these queries are known; each by itself where one of them is refused."""
        try:
            found = found_passages(self.retriever, queries, self.k if k is None else k)
        except InputError:
            return self
        searched: GenretRetriever = self.model_copy()
        searched._answers = {
            query: [_document(one) for one in hits] for query, hits in zip(queries, found, strict=True)
        }
        return searched


def _document(found: Found) -> Document:
    return Document(id=found.passage_id, page_content=found.text, metadata=found.metadata)
