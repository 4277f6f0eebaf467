"""A batch run, from whatever an earlier one left.

Knows the order of things; the search, the files, the merge and who does which part are their own modules'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from genret.batch.batch_output import Output
from genret.batch.batch_plan import BatchPlan
from genret.batch.searching import Search, Searcher, check_passage_ids
from genret.corpus import PassageStore, Question
from genret.jobs.job import HERE, Executor, Job

__all__ = ["batch_run"]


def batch_run(
    load: Callable[[], Searcher],
    questions: Callable[[], Iterable[Question]],
    passages: Callable[[], PassageStore],
    output: Output,
    plan: BatchPlan,
    executor: Executor = HERE,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Search the questions of an executor's share; where that is all of them, write the output.

    Args:
        load: gives the retriever, or a baseline; called only where something is left to search.
        questions: gives all questions of the plan, from the first on.
        passages: gives the corpus, for formats that hold texts, or ids between blanks.
        resume: go on with what an earlier, killed run left, or do nothing where that was finished.

    Raises:
        InputError: the output or its parts exist and neither `resume` nor `overwrite` is given; with `resume`,
            they are of another plan. A passage's id cannot stand in the output's format.
    """
    whole = executor.share.count == 1
    if resume and not overwrite and whole and output.is_finished(plan):
        return
    if output.form.one_word:
        check_passage_ids(passages())
    ledger = output.begin(plan, executor.share, resume=resume, overwrite=overwrite)
    executor.run(Job(ledger, Search(load, questions, plan), "searching", "queries"))
    if whole:
        output.finish(passages)
