"""What a fit reads, and what it keeps out of training for the test.

Judgements are those given, or else those in the corpus folder (`qrels/train.tsv`, and `test`, `dev` or `validation`).
With test judgements the test is theirs. Without them, a tenth of the judged queries is held back; without any
labels, sentences are: each is taken out of its passage before anything sees the passage (the inverse cloze task;
Lee et al., "Latent Retrieval for Weakly Supervised Open Domain Question Answering", ACL 2019, section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from docid.scripts import units
from genret.corpus import (
    Judgements,
    Passage,
    PassageStore,
    Query,
    in_corpus,
    judged_splits,
    read_judged,
    read_queries,
    read_store,
)
from genret.corpus.documents.judged import onto_pieces
from genret.corpus.formats import boolq
from genret.corpus.formats.datafile import find_file
from genret.corpus.sources import PlaceName, one_place, places_of, shown
from genret.corpus.split import sentences
from genret.errors import InputError
from genret.fitting.fit_options import FitOptions

__all__ = ["FitData", "read_data"]

MAX_HELD_BACK = 300
MIN_SENTENCES = 3
MIN_WORDS = 6
# What BEIR calls the splits of judgements that a fit uses: for training, and for the test, the first that is there.
TRAIN = "train"
TESTS = ("test", "dev", "validation", "valid", "val")


@dataclass(frozen=True)
class FitData:
    """The inputs of a fit.

    Attributes:
        store: the passages as they are searched.
        passages: the passages as training and every compared system see them: without held-back sentences.
        train: judgements of the queries that are trained on, of passages; empty without labels.
        test: judgements of the test queries, of passages, or of documents that the passages are pieces of.
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


class Found(NamedTuple):
    """The splits beside the corpus that are used."""

    train: str | None = None
    test: str | None = None


def read_data(settings: FitOptions, announce: Callable[[str], None] = lambda line: None) -> FitData:
    """Read and check corpus, queries and judgements, and set the test aside.

    Args:
        announce: receives a line about the judgements that were found beside the corpus.

    Raises:
        InputError: a file is missing or a line of it is wrong; the corpus is too small to search.
    """
    store = read_store(settings.corpus, settings.reading)
    if len(store) < 2:
        raise InputError(
            f"{shown(settings.corpus)}: holds {len(store)} passage; a search needs at least two."
        )
    found = Found()
    if settings.judgements is None and settings.test_judgements is None:
        found = _found_beside(settings, announce)
        if found == Found():
            return _hold_sentences_back(store, settings.seed)
    queries = {
        query.query_id: query.text for query in read_queries(settings.queries or _beside(settings, "queries"))
    }

    def read(path: Path | None, split: str | None) -> Judgements:
        if path is None and split is None:
            return {}
        return read_judged(path or _beside(settings, "judgements"), queries, store, split)

    train = in_corpus(read(settings.judgements, found.train), store)
    if settings.test_judgements is None and found.test is None:
        kept, held = _split_queries(train, settings.seed)
        kept = onto_pieces(kept, store)
        return FitData(store, store, kept, held, "judged queries held back from training", queries)
    test = read(settings.test_judgements, found.test)
    leaked = sorted(test.keys() & train.keys())
    if leaked and settings.test_judgements is not None:
        raise InputError(
            f"{settings.test_judgements}: query {leaked[0]!r} ({len(leaked)} in all) is judged for training too; "
            "a query may be in one of the two files only."
        )
    if leaked:
        announce(f"{len(leaked):,} queries are judged for both; they are in the test only.")
        train = {query_id: grades for query_id, grades in train.items() if query_id not in test}
    name = "the test queries given" if found.test is None else f"queries of qrels/{found.test}"
    return FitData(store, store, onto_pieces(train, store), test, name, queries)


def _found_beside(settings: FitOptions, announce: Callable[[str], None]) -> Found:
    """The splits of judgements in the corpus folder that train and test, as they are said to the user."""
    places = places_of(settings.corpus)
    splits = judged_splits(places[0]) if len(places) == 1 else []
    if not splits:
        return Found()
    listed = f"found beside the corpus: judgements of {', '.join(splits)}"
    found = Found(
        TRAIN if TRAIN in splits else None, next((split for split in TESTS if split in splits), None)
    )
    if found == Found():
        announce(
            f"{listed}; not used: none is called {TRAIN} or {TESTS[0]}. Pass --judgements to use a file."
        )
        return found
    if settings.queries is None and not _has_queries(Path(places[0])):
        announce(f"{listed}; not used: there are no queries. Pass --queries to use them.")
        return Found()
    trains = f"{found.train} trains" if found.train else "training is on the passages alone"
    tests = f"{found.test} tests" if found.test else "a part of it is held back for the test"
    left = [split for split in splits if split not in (found.train, found.test)]
    rest = f" ({', '.join(left)}: not used)" if left else ""
    announce(f"{listed}; {trains}, {tests}{rest}.")
    return found


def _beside(settings: FitOptions, what: str) -> PlaceName:
    return one_place(settings.corpus, what)


def _has_queries(corpus: Path) -> bool:
    """Whether a folder or an archive that holds judgements holds queries too."""
    return boolq.holds(corpus) or find_file(corpus, "queries.jsonl") is not None


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
        found = sentences(passage.text)
        inner = [i for i in range(1, len(found)) if len(units(found[i])) >= MIN_WORDS]
        if len(found) < MIN_SENTENCES or not inner:
            continue
        taken = inner[int(rng.integers(len(inner)))]
        query_id = f"sentence-of-{passage.passage_id}"
        queries[query_id], test[query_id] = found[taken], {passage.passage_id: 1}
        rest = " ".join(found[:taken] + found[taken + 1 :])
        passages[row] = passage._replace(text=rest)
    return FitData(store, passages, {}, test, "sentences held back from their passages", queries)
