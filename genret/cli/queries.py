"""`genret queries generate`: synthetic queries for every passage of a corpus."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from genret.models.backbone import Backbone

__all__ = ["register"]

# Examples to continue; {passage} stands for the passage. A small model follows examples better than an instruction.
PROMPT = """Passage: Zinc. Zinc is a slightly brittle metal at room temperature and has a shiny appearance when \
oxidation is removed. It is the first element in group 12 of the periodic table.
Question: is zinc a metal or a nonmetal

Passage: Tour de France. The Tour de France is a bicycle race held in France each July. It has been held annually \
since 1903, except when it was stopped for the two World Wars.
Question: was the tour de france held during world war 2

Passage: Driving licence in Ireland. Holders of a learner permit must be accompanied by a person who has held a full \
licence for at least two years.
Question: can you drive alone with a learner permit in ireland

Passage: {passage}
Question:"""


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(help="Synthetic queries.", no_args_is_help=True)
    group.command("generate")(generate)
    group.callback()(lambda: None)  # a group with one command stays a group
    app.add_typer(group, name="queries")


def generate(
    corpus: Annotated[Path, typer.Argument(help="BEIR folder or corpus file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the job; a killed one goes on.")],
    model: Annotated[
        str | None, typer.Option(help="Model folder or hub name; default: SmolLM2 from its package.")
    ] = None,
    kind: Annotated[str, typer.Option(help="causal or encoder-decoder.")] = "causal",
    prompt: Annotated[
        str | None,
        typer.Option(help="For causal models, with {passage}; default: three examples to continue."),
    ] = None,
    per_passage: Annotated[int, typer.Option("-n", help="Queries for each passage.", min=1)] = 5,
    top_k: Annotated[int, typer.Option(help="Draw from so many tokens.", min=1)] = 10,
    top_p: Annotated[float, typer.Option(help="And of those from this much probability.")] = 0.95,
    temperature: Annotated[float, typer.Option(help="Below 1 sharpens.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Longest query.", min=1)] = 32,
    source_tokens: Annotated[int, typer.Option(help="Tokens read of a passage and its prompt.", min=8)] = 400,
    round_trip: Annotated[
        str, typer.Option(help="none, bm25 or encoder: does a query find its passage?")
    ] = "bm25",
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Write part I (from 0) of N of the work.")
    ] = "0/1",
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
) -> None:
    """Write queries for every passage of CORPUS into OUTPUT/queries.jsonl, and a report of them."""
    from genret.batch import Shard
    from genret.config import from_mapping
    from genret.corpus import PassageStore, read_passages
    from genret.queries import FilterOptions, GenerateOptions, QueryJob, Sampling

    mine = Shard.parse(shard)
    sampling = Sampling(per_passage, top_k, top_p, temperature, max_tokens)
    filters = from_mapping(FilterOptions, {"round_trip": round_trip}, "--round-trip")
    options = GenerateOptions(sampling, filters, seed=seed)
    template = PROMPT if prompt is None and kind == "causal" else prompt
    name = f"{model or 'smollm2'} {kind} {template} {source_tokens}"
    job = QueryJob(output, PassageStore.build(read_passages(corpus)), name, options)
    job.run(partial(_load, model, kind, template, source_tokens), mine.index, mine.count)
    if job.missing:
        typer.echo(f"{len(job.missing)} parts are left to other shards.")
        return
    for line in job.finish().lines():
        typer.echo(line)


def _load(model: str | None, kind: str, template: str | None, source_tokens: int) -> Backbone:
    from genret.errors import UsageError
    from genret.models import load_backbone

    if kind not in ("causal", "encoder-decoder"):
        raise UsageError(f"--kind: expected causal or encoder-decoder, found {kind!r}.")
    if template is not None and "{passage}" not in template:
        raise UsageError("--prompt: expected {passage} in it, where the passage goes.")
    if model is None:
        from genret.evaluation import default_cache
        from genret.models.smollm2 import smollm2_folder

        model = str(smollm2_folder(default_cache().with_name("models")))
    chosen: Literal["causal", "encoder-decoder"] = "causal" if kind == "causal" else "encoder-decoder"
    options: dict[str, Any] = {"max_source_tokens": source_tokens}
    if template is not None:
        options["template"] = template.replace("{passage}", "{query}")
    return load_backbone(model, chosen, **options)
