"""Answer accuracy at k: whether any of the first k passages holds an answer, as DPR counts it.

V. Karpukhin et al., "Dense Passage Retrieval for Open-Domain Question Answering", EMNLP 2020, table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from genret.corpus import PassageStore, Question, Run
from genret.corpus.answers import has_answer
from genret.corpus.formats.datafile import show
from genret.errors import InputError
from genret.evaluation.metrics import Evaluation

__all__ = ["evaluate_answers"]


def evaluate_answers(
    run: Run, questions: Iterable[Question], passages: PassageStore, ks: Sequence[int] = (1, 5, 20, 100)
) -> Evaluation:
    """`answer@k` for each question; one that the run lacks has the value 0.

    Raises:
        InputError: a question has no answer, or an answer without a word.
    """
    query_ids, rows = [], []
    for question in questions:
        if not question.answers:
            raise InputError(f"question {show(question.query_id)} has no answer to look for.")
        hits = run.get(question.query_id, [])[: max(ks)]
        texts = (passages.texts[passages.row(passage_id)] for passage_id, _ in hits)
        first = next((rank for rank, text in enumerate(texts, 1) if has_answer(text, question.answers)), None)
        query_ids.append(question.query_id)
        rows.append([float(first is not None and first <= k) for k in ks])
    if not rows:
        raise InputError("there are no questions to look for answers to.")
    return Evaluation(tuple(f"answer@{k}" for k in ks), tuple(query_ids), np.array(rows))
