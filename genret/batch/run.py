"""One process's share of a batch run, from whatever an earlier one left.

Knows the order of things; the search, the files and the merge are their own modules'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from genret.batch.batch_output import Output
from genret.batch.batch_plan import BatchPlan
from genret.batch.shard import check_passage_ids, search_shard
from genret.corpus import PassageStore, Question
from genret.jobs.journal import ShardFile
from genret.jobs.resumable import Shard
from genret.retrieval.retriever import Retriever

__all__ = ["batch_run"]


def batch_run(
    load: Callable[[], Retriever[Any, Any]],
    questions: Callable[[], Iterable[Question]],
    passages: Callable[[], PassageStore],
    output: Output,
    plan: BatchPlan,
    shard: Shard,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Search a shard's questions; where it is the only one, write the output.

    Args:
        load: gives the retriever; called only where something is left to search.
        questions: gives all questions of the plan, from the first on.
        passages: gives the corpus, for formats that hold texts, or ids between blanks.
        resume: go on with what an earlier, killed run left, or do nothing where that was finished.

    Raises:
        InputError: the output or its parts exist and neither `resume` nor `overwrite` is given; with `resume`,
            they are of another plan. A passage's id cannot stand in the output's format.
    """
    if resume and not overwrite and shard.count == 1 and output.is_finished(plan):
        return
    if output.form.one_word:
        check_passage_ids(passages())
    output.begin(plan, shard, resume=resume, overwrite=overwrite)
    with ShardFile.open(output.parts, plan.json(), shard, resume=resume and not overwrite) as part:
        if part.journal.parts < len(plan.parts.of(shard)):
            search_shard(load(), questions(), plan, part)
    if shard.count == 1:
        output.finish(passages)
