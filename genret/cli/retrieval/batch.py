"""`genret batch` and `genret merge`: a file of queries, however long, into a file of results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import DropIdentical
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of
from genret.cli.numbers import LARGEST
from genret.cli.output import check_output
from genret.cli.query_options import ConstraintName, ConstraintSettings, Where, check_where, named_constraint

if TYPE_CHECKING:
    from genret.corpus import PassageStore

__all__ = ["register"]

FORMAT_HELP = (
    "genret-run, trec-run, msmarco-run, kilt-run (a guess file), dpr-run (contexts), fid-run, or a format of an "
    "installed package."
)

Model = Annotated[Path, typer.Argument(help="Model folder.")]
Queries = Annotated[
    Path, typer.Argument(help="Queries: a KILT task, DPR questions, MS MARCO, BEIR; a file or a BEIR folder.")
]
Out = Annotated[Path, typer.Option("--output", "-o", help="Write the results here.")]
FormatName = Annotated[str | None, typer.Option("--format", help=FORMAT_HELP)]
Hits = Annotated[int, typer.Option("-k", help="Passages per query.", min=1, max=1 << 20)]
NumBeams = Annotated[
    int | None, typer.Option(help="Beams per query; default: as stored, at least k.", min=1, max=1 << 16)
]
Chunk = Annotated[
    int, typer.Option(help="Queries that are searched, and saved, at a time.", min=1, max=1 << 20)
]
Template = Annotated[
    str | None,
    typer.Option(help="Slot filling: the query, with {subject}, {relation} or the line's own {question}."),
]
Window = Annotated[
    int | None,
    typer.Option(help="Entity linking: keep so many words on each side of the mention.", min=0, max=LARGEST),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what an earlier run left.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Begin anew; replace an existing output.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: this process's GPU if there is one.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("batch")(batch)
    app.command("merge")(merge)


def batch(
    model: Model,
    queries: Queries,
    output: Out,
    format_name: FormatName = None,
    k: Hits = 10,
    beams: NumBeams = None,
    chunk: Chunk = 1024,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    slot_template: Template = None,
    mention_words: Window = None,
    constraint: ConstraintName = None,
    setting: ConstraintSettings = None,
    where: Where = None,
    drop_identical_ids: DropIdentical = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: Device = None,
) -> None:
    """Search all QUERIES and write the results in their order; a killed run goes on with --resume.

    With --shard, and under torchrun, each process takes a part of the queries; `genret merge` puts them together.
    """
    from genret.batch import BatchOptions, Output, batch_run, make_plan, model_fingerprint
    from genret.corpus import KiltInputs, read_questions
    from genret.errors import UsageError
    from genret.retrieval.from_folder import load_passages, load_retriever

    executor = executor_of(shard, workers, ray)
    shared = executor.share.count > 1
    if shared and format_name is not None:
        raise UsageError("parts have one format; name that of the output when you `genret merge` them.")
    target = Output(output, format_name or "genret-run", parts)
    check_output(output, overwrite=True)
    given = slot_template is not None or mention_words is not None
    inputs = KiltInputs(slot_template, mention_words) if given else None
    questions = partial(read_questions, queries, inputs, one_word=target.form.one_word)
    job = BatchOptions(k, beams, chunk, drop_identical_ids, named_constraint(constraint, setting), where)
    check_where(model, where)
    plan = make_plan(questions(), job, model_fingerprint(model))
    load, passages = partial(load_retriever, model, device=device), partial(load_passages, model)
    batch_run(load, questions, passages, target, plan, executor, resume=resume, overwrite=overwrite)
    _say_done(target.parts if shared else output, plan.queries)


def merge(
    output: Annotated[Path, typer.Argument(help="What `genret batch --output` named.")],
    format_name: FormatName = None,
    model: Annotated[
        Path | None, typer.Option(help="The model folder, which has the texts that contexts hold.")
    ] = None,
    parts: PartsPlace = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Put the parts of `genret batch --shard` (or of torchrun) together, after a check that none is missing."""
    check_output(output, overwrite)
    from genret.batch import Output
    from genret.errors import UsageError
    from genret.retrieval.from_folder import load_passages

    def passages() -> PassageStore:
        if model is None:
            raise UsageError("contexts hold the passages' texts: name the model folder with --model.")
        return load_passages(model)

    target = Output(output, format_name or "genret-run", parts)
    _say_done(target.path, target.finish(passages).queries)


def _say_done(output: object, queries: int) -> None:
    typer.echo(f"{output}: {queries:,} queries", err=True)
