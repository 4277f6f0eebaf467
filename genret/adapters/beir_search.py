"""A retriever as BEIR's `EvaluateRetrieval` calls one: `search(corpus, queries, top_k)`.

Knows dictionaries; needs nothing of BEIR to be installed. N. Thakur et al., "BEIR", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genret.adapters.scores import check_corpus, scores_by_query
from genret.retrieval.retriever import Retriever

__all__ = ["BeirSearch"]


class BeirSearch:
    """Searches with a model that was built for the corpus: the model is the index, so no corpus is indexed here.

    Args:
        retriever: of either kind, with `passages`.
        num_beams: None for what is stored with the model.
    """

    def __init__(self, retriever: Retriever[Any, Any], *, num_beams: int | None = None) -> None:
        self.retriever, self.num_beams = retriever, num_beams

    def search(
        self,
        corpus: Mapping[str, Mapping[str, str]],
        queries: Mapping[str, str],
        top_k: int,
        score_function: object = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, float]]:
        """The `top_k` best passages of each query: query id -> passage id -> score.

        `score_function` and `kwargs`, which BEIR hands to dense models, are not read. Scores strictly decrease, so
        that trec_eval, which BEIR scores with, sees the order that a run file would have.

        Raises:
            InputError: the corpus has a passage that the model was not built for.
        """
        check_corpus(self.retriever, corpus)
        return scores_by_query(self.retriever, queries, top_k, corpus, self.num_beams)
