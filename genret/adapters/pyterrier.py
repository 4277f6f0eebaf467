"""A retriever as a PyTerrier transformer: topics in, ranked results out.

Knows data frames with PyTerrier's columns; PyTerrier and pandas are imported when a transformer is made. C. Macdonald
et al., "PyTerrier: Declarative Experimentation in Python from BM25 to Dense Retrieval", CIKM 2021.
"""

from __future__ import annotations

from typing import Any

from docid.extras import needs
from genret.corpus.formats.runs import strictly_decreasing
from genret.retrieval.retriever import Retriever

__all__ = ["pyterrier_transformer"]


def pyterrier_transformer(
    retriever: Retriever[Any, Any], k: int = 10, *, num_beams: int | None = None
) -> Any:
    """A `pyterrier.Transformer` whose `transform` gives each query's `k` best passages.

    Topics have `qid` and `query`; results keep every column of theirs and have `docno`, `score` and `rank` (from 0)
    as well; scores strictly decrease. A query without hits has no row, as everywhere in PyTerrier.

    Raises:
        MissingPackage: PyTerrier is not installed.
    """
    with needs("the adapter for PyTerrier", "python-terrier"):
        import pyterrier

    class GenerativeTransformer(pyterrier.Transformer):  # type: ignore[misc]
        """Closes over the retriever."""

        def transform(self, topics: Any) -> Any:
            found = retriever.iter_search(topics["query"].tolist(), k, num_beams=num_beams)
            return _results(topics, found)

    return GenerativeTransformer()


def _results(topics: Any, found: Any) -> Any:
    """One row a hit, in the order of the topics."""
    import pandas as pd

    rows = [
        (place, passage_id, score, rank)
        for place, (query_id, hits) in enumerate(zip(topics["qid"], found, strict=True))
        for rank, (passage_id, score) in enumerate(
            strictly_decreasing(str(query_id), [(hit.passage_id, float(hit.score)) for hit in hits])
        )
    ]
    hits = pd.DataFrame(rows, columns=["place", "docno", "score", "rank"])
    kept = topics.drop(columns=[name for name in ("docno", "score", "rank") if name in topics])
    repeated = kept.iloc[hits["place"]].reset_index(drop=True)
    return pd.concat([repeated, hits.drop(columns="place")], axis=1)
