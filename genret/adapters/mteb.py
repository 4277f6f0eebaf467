"""A retriever as MTEB evaluates one: its `SearchProtocol`. Needs mteb.

N. Muennighoff et al., "MTEB: Massive Text Embedding Benchmark", EACL 2023.
"""

from __future__ import annotations

from typing import Any

from docid.extras import needs
from genret.adapters.scores import check_corpus, scores_by_query
from genret.retrieval.retriever import Retriever
from genret.version import __version__

with needs("the adapter for MTEB", "mteb"):
    from mteb._create_dataloaders import create_dataloader
    from mteb.models.model_meta import ModelMeta
    from mteb.types import PromptType

__all__ = ["MtebSearch"]


class MtebSearch:
    """Searches with a model that was built for the task's corpus: `mteb.evaluate(MtebSearch(retriever), task)`.

    Args:
        retriever: of either kind.
        name: under which MTEB stores results: two words with a slash between.
        num_beams: None for what is stored with the model.
    """

    def __init__(
        self, retriever: Retriever[Any, Any], name: str = "genret/model", *, num_beams: int | None = None
    ) -> None:
        self.retriever, self.num_beams = retriever, num_beams
        self.mteb_model_meta = ModelMeta.create_empty({"name": name, "revision": __version__})
        self._corpus = frozenset[str]()

    def index(self, corpus: Any, **about: Any) -> None:
        """Take notice of the corpus (a data set with `id`): the model is its index.

        Raises:
            InputError: it has a passage that the model was not built for.
        """
        self._corpus = frozenset(corpus["id"])
        check_corpus(self.retriever, self._corpus)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        top_k: int,
        top_ranked: Any = None,
        num_proc: int | None = None,
        **about: Any,
    ) -> dict[str, dict[str, float]]:
        """The `top_k` best passages of each query (a data set with `id` and `text`): query id -> passage id -> score.

        Instructions and conversations become text as MTEB has them for embedding models. Of a reranking task, which
        gives `top_ranked`, those passages of each query.
        """
        loader = create_dataloader(
            queries, task_metadata=task_metadata, prompt_type=PromptType.query, num_proc=num_proc
        )
        texts = [text for batch in loader for text in batch["text"]]
        asked = dict(zip(queries["id"], texts, strict=True))
        if top_ranked is None:
            return scores_by_query(self.retriever, asked, top_k, self._corpus, self.num_beams)
        scores: dict[str, dict[str, float]] = {}
        for query_id, text in asked.items():
            named = frozenset(top_ranked[query_id])
            scores |= scores_by_query(self.retriever, {query_id: text}, len(named), named, self.num_beams)
        return scores
