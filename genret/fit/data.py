"""What a fit reads, and what it keeps out of training for the test.

With test judgements the test is theirs. Without them, a tenth of the judged queries is held back; without any
labels, sentences are: each is taken out of its passage before anything sees the passage (the inverse cloze task;
Lee et al., "Latent Retrieval for Weakly Supervised Open Domain Question Answering", ACL 2019, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genret.corpus import (
    Judgements,
    Passage,
    PassageStore,
    Query,
    read_judgements,
    read_passages,
    read_queries,
)
from genret.errors import InputError
from genret.fit.settings import FitSettings
from genret.training.examples.sources.texts import split_sentences

__all__ = ["FitData", "read_data"]

MAX_HELD_BACK = 300
MIN_SENTENCES = 3
MIN_WORDS = 6


@dataclass(frozen=True)
class FitData:
    """The inputs of a fit.

    Attributes:
        store: the passages as they are searched.
        passages: the passages as training and every compared system see them: without held-back sentences.
        train: judgements of the queries that are trained on; empty without labels.
        test: judgements of the test queries.
        queries: query_id to text, of both.
        test_name: what the test consists of, in words.
    """

    store: PassageStore
    passages: Sequence[Passage]
    train: Judgements
    test: Judgements
    test_name: str
    queries: dict[str, str] = field(default_factory=dict)

    @property
    def test_queries(self) -> list[Query]:
        """The test queries, in the order of their judgements."""
        return [Query(query_id, self.queries[query_id]) for query_id in self.test]


def read_data(settings: FitSettings) -> FitData:
    """Read and check corpus, queries and judgements, and set the test aside.

    Raises:
        InputError: a file is missing or a line of it is wrong; the corpus is too small to search.
    """
    store = PassageStore.build(read_passages(settings.corpus))
    if len(store) < 2:
        raise InputError(f"{settings.corpus}: holds {len(store)} passage; a search needs at least two.")
    if settings.judgements is None and settings.test_judgements is None:
        return _hold_sentences_back(store, settings.seed)
    queries = {query.query_id: query.text for query in read_queries(settings.queries or settings.corpus)}
    train = _read(settings.judgements, queries, store)
    if settings.test_judgements is not None:
        test = _read(settings.test_judgements, queries, store)
        leaked = sorted(test.keys() & train.keys())
        if leaked:
            raise InputError(
                f"{settings.test_judgements}: query {leaked[0]!r} ({len(leaked)} in all) is judged for training too; "
                "a query may be in one of the two files only."
            )
        return FitData(store, store, train, test, "the test queries given", queries)
    kept, held = _split_queries(train, settings.seed)
    return FitData(store, store, kept, held, "judged queries held back from training", queries)


def _read(path: Path | None, queries: dict[str, str], store: PassageStore) -> Judgements:
    if path is None:
        return {}
    return read_judgements(path, query_ids=queries, passage_ids=frozenset(store.passage_ids))


def _split_queries(judgements: Judgements, seed: int) -> tuple[Judgements, Judgements]:
    """Training and held-back judgements: a tenth, at most `MAX_HELD_BACK` queries, is held back."""
    query_ids = sorted(judgements)
    count = min(MAX_HELD_BACK, max(1, len(query_ids) // 10))
    held = set(np.random.default_rng([seed, 1]).permutation(query_ids)[:count].tolist())
    kept = {query_id: grades for query_id, grades in judgements.items() if query_id not in held}
    return kept, {query_id: judgements[query_id] for query_id in query_ids if query_id in held}


def _hold_sentences_back(store: PassageStore, seed: int) -> FitData:
    """Take one inner sentence out of each of some passages; it becomes the query for the rest of the passage."""
    rng = np.random.default_rng([seed, 2])
    passages = list(store)
    queries: dict[str, str] = {}
    test: Judgements = {}
    for row in rng.permutation(len(passages)).tolist():
        if len(test) >= min(MAX_HELD_BACK, max(1, len(passages) // 10)):
            break
        passage = passages[row]
        sentences = split_sentences(passage.text)
        inner = [i for i in range(1, len(sentences)) if len(sentences[i].split()) >= MIN_WORDS]
        if len(sentences) < MIN_SENTENCES or not inner:
            continue
        taken = inner[int(rng.integers(len(inner)))]
        query_id = f"sentence-of-{passage.passage_id}"
        queries[query_id], test[query_id] = sentences[taken], {passage.passage_id: 1}
        rest = " ".join(sentences[:taken] + sentences[taken + 1 :])
        passages[row] = passage._replace(text=rest)
    return FitData(store, passages, {}, test, "sentences held back from their passages", queries)
