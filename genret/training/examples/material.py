"""What a training run reads: corpus, queries and judgements, as material for the sources.

Knows files and which queries are kept out of training; knows no docid and no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genret.config import Fraction, check_bounds
from genret.corpus import Judgements, PassageStore, in_corpus, read_judged, read_judgements, read_queries
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.documents.judged import onto_pieces
from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer
from genret.training.examples.sources import EvaluationQueries, Material

__all__ = ["DataOptions", "evaluation_queries", "held_back_queries", "read_material", "split_held_back"]


@dataclass(frozen=True)
class DataOptions:
    """What is read.

    Attributes:
        corpus: BEIR folder or corpus file.
        queries: BEIR folder or queries file; None: the corpus folder's.
        judgements: of the training queries; None: no labels, and no source "labelled".
        evaluation: judgements of queries that nothing may be trained on; a source's texts that are among them are left out.
        passage_vectors: a .npy file of unit vectors, a row a passage; None: computed, and cached.
        held_back: this fraction of the training queries is left out, to choose settings by: a trained decoder's weight of
            words beside codes is one.
        packed: examples that `genret data prepare` wrote; None: they are made while training.
        id: field of the corpus's records that names a passage; None: the usual names. As `title` and `text`, a path with
            dots leads into objects.
        title: field of its title.
        text: field of its text.
        split: how texts are split into passages: none, sections, sentences, words:N or sentences:N.
        skip_empty: leave out passages that have neither title nor text, and their judgements.
    """

    corpus: str
    queries: str | None = None
    judgements: str | None = None
    evaluation: str | None = None
    passage_vectors: str | None = None
    held_back: Fraction = 0.0
    packed: str | None = None
    id: str | None = None
    title: str | None = None
    text: str | None = None
    split: str = "none"
    skip_empty: bool = False

    def __post_init__(self) -> None:
        check_bounds(self)
        self.reading  # noqa: B018  (refused here, and not when the corpus is read)

    @property
    def reading(self) -> CorpusOptions:
        """How the corpus is read."""
        return CorpusOptions(self.id, self.title, self.text, self.split, self.skip_empty)


def read_material(
    data: DataOptions, passages: PassageStore, tokenizer: Tokenizer | None, seed: int
) -> Material:
    """Everything that sources read.

    Raises:
        InputError: a file cannot be read, or names a query or passage that is not there.
    """
    if data.judgements is None and data.evaluation is None:
        return Material(passages, tokenizer=tokenizer, seed=seed)
    queries = {query.query_id: query.text for query in read_queries(data.queries or data.corpus)}
    tested = read_judgements(data.evaluation, query_ids=queries) if data.evaluation else {}
    judged = read_judged(data.judgements, queries, passages) if data.judgements else {}
    judged = onto_pieces(in_corpus(judged, passages), passages)
    kept, _ = split_held_back(list(judged), data.held_back, seed)
    return Material(
        passages,
        queries,
        {query_id: judged[query_id] for query_id in kept},
        EvaluationQueries(queries[query_id] for query_id in tested),
        tokenizer=tokenizer,
        seed=seed,
    )


def evaluation_queries(data: DataOptions, passages: PassageStore) -> list[tuple[str, frozenset[int]]]:
    """Texts of the queries of `data.evaluation`, and the rows of their relevant passages.

    Raises:
        InputError: there are none.
    """
    if data.evaluation is None:
        raise InputError(
            "eval_steps: evaluation needs data.evaluation, judgements of queries; it is not given."
        )
    queries, judged = _judged(data, data.evaluation, passages)
    return [(queries[query_id], _relevant(grades, passages)) for query_id, grades in judged.items()]


def held_back_queries(
    data: DataOptions, passages: PassageStore, seed: int
) -> list[tuple[str, frozenset[int]]]:
    """Texts of the training queries that `read_material` leaves out, and the rows of their relevant passages."""
    if data.judgements is None or not data.held_back:
        return []
    queries, judged = _judged(data, data.judgements, passages)
    _, held = split_held_back(list(judged), data.held_back, seed)
    return [(queries[query_id], _relevant(judged[query_id], passages)) for query_id in held]


def split_held_back(query_ids: Sequence[str], fraction: float, seed: int) -> tuple[list[str], list[str]]:
    """Query ids to train on, and the fraction held back; both in the given order."""
    count = round(len(query_ids) * fraction)
    held = set(np.random.default_rng([seed, 3]).permutation(len(query_ids))[:count].tolist())
    kept = [query_id for row, query_id in enumerate(query_ids) if row not in held]
    return kept, [query_id for row, query_id in enumerate(query_ids) if row in held]


def _judged(data: DataOptions, judgements: str, passages: PassageStore) -> tuple[dict[str, str], Judgements]:
    """All queries' texts, and the judgements of a file as far as the corpus has their passages; a document's, its pieces."""
    queries = {query.query_id: query.text for query in read_queries(data.queries or data.corpus)}
    judged = in_corpus(read_judged(judgements, queries, passages), passages)
    return queries, onto_pieces(judged, passages)


def _relevant(grades: Mapping[str, int], passages: PassageStore) -> frozenset[int]:
    return frozenset(passages.row(one) for one, grade in grades.items() if grade > 0)
