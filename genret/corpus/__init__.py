"""Corpora, queries, judgements and runs: reading, checking, writing and storing them.

Every complaint of a reader names the file, the line, the field and the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.corpus.corpus_options import CorpusOptions
    from genret.corpus.formats.dpr import Question
    from genret.corpus.formats.judgements import write_judgements
    from genret.corpus.formats.kilt_inputs import KiltInputs
    from genret.corpus.formats.runs import NO_PASSAGE, write_run
    from genret.corpus.read import (
        in_corpus,
        judged_splits,
        read_judged,
        read_judgements,
        read_passages,
        read_queries,
        read_questions,
        read_run,
        read_store,
    )
    from genret.corpus.store import PassageStore
    from genret.corpus.types import Judgements, MetadataValue, Passage, Query, Run

__all__ = [
    "NO_PASSAGE",
    "CorpusOptions",
    "Judgements",
    "KiltInputs",
    "MetadataValue",
    "Passage",
    "PassageStore",
    "Query",
    "Question",
    "Run",
    "in_corpus",
    "judged_splits",
    "read_judged",
    "read_judgements",
    "read_passages",
    "read_queries",
    "read_questions",
    "read_run",
    "read_store",
    "write_judgements",
    "write_run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "corpus_options": "CorpusOptions",
        "formats.dpr": "Question",
        "formats.judgements": "write_judgements",
        "formats.kilt_inputs": "KiltInputs",
        "formats.runs": "NO_PASSAGE write_run",
        "read": (
            "in_corpus judged_splits read_judged read_judgements read_passages read_queries read_questions read_run "
            "read_store"
        ),
        "store": "PassageStore",
        "types": "Judgements MetadataValue Passage Query Run",
    },
)
