"""A retriever as LangChain calls one. Knows LangChain's documents; needs langchain-core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from docid.extras import needs
from genret.adapters.frameworks import found_passages, loaded
from genret.errors import InputError
from genret.retrieval.retriever import Retriever

with needs("the adapter for LangChain", "langchain-core"):
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables.config import run_in_executor
    from pydantic import BeforeValidator

__all__ = ["GenretRetriever"]


class GenretRetriever(BaseRetriever):  # type: ignore[misc]
    """A `langchain_core.retrievers.BaseRetriever`: `invoke`, `batch`, `stream`, their asynchronous forms, chains.

    A document's `page_content` is the passage's text, its `id` the passage's; `metadata` is the passage's own, with `id`,
    `title`, `score` and what else the hit has (`rank`, `docid`, `code_score`, ...). A call may have options of its own:
    `invoke(question, k=3, where="year >= 2020")`. `batch` and `abatch` search all questions in one pass of the model.

    Args:
        retriever: of either kind, as `genret.load(folder)` gives it; or the folder.
        k: passages of a question, at most.
        where: a condition on the passages' fields; others are not found.
    """

    retriever: Annotated[Retriever[Any, Any], BeforeValidator(loaded)]
    k: int = 10
    where: str | None = None
    # What a batch has found already, while its questions are asked one by one for their callbacks.
    _answers: dict[str, list[Document]] | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: Any, **options: Any) -> list[Document]:
        return self._documents([query], **options)[0] if self._answers is None else self._answers[query]

    def batch(self, inputs: Sequence[str], *arguments: Any, **options: Any) -> list[Any]:
        searched = self._searched(inputs, options)
        found: list[Any] = super(GenretRetriever, searched).batch(inputs, *arguments, **options)
        return found

    async def abatch(self, inputs: Sequence[str], *arguments: Any, **options: Any) -> list[Any]:
        searched = await run_in_executor(None, self._searched, inputs, options)
        found: list[Any] = await super(GenretRetriever, searched).abatch(inputs, *arguments, **options)
        return found

    def _searched(self, queries: Sequence[str], options: dict[str, Any]) -> GenretRetriever:
        """The same retriever, to which these queries are known; each by itself where one of them is refused."""
        own = {name: value for name, value in options.items() if name in ("k", "where")}
        try:
            found = self._documents(queries, **own)
        except InputError:
            return self
        searched: GenretRetriever = self.model_copy()
        searched._answers = dict(zip(queries, found, strict=True))
        return searched

    def _documents(self, queries: Sequence[str], **options: Any) -> list[list[Document]]:
        searched = found_passages(self.retriever, queries, **{"k": self.k, "where": self.where, **options})
        return [
            [Document(id=one.passage_id, page_content=one.text, metadata=one.metadata) for one in found]
            for found in searched
        ]
