"""`genret train --plan`: what a run would need, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from genret.recipes.recipe_options import DocidRecipe

__all__ = ["show_plan"]

LENGTH = 128


def show_plan(recipe: DocidRecipe, processes: int, rate: float | None, new_tokens: int) -> None:
    """Print memory per device at every ZeRO stage, tokens per step and time."""
    from genret.errors import InputError
    from genret.recipes.needs import activation_memory, duration, model_shape, plan_lines, sampled_rows
    from genret.training.losses.loss_kinds import SampledLoss

    options = recipe.training
    if options is None:
        raise InputError("training: the plan is of the decoder's training, and none is configured.")
    shape = model_shape(recipe.model, new_tokens)
    tokens = options.batch_tokens or options.batch_size * LENGTH
    parts = processes * options.gradient_accumulation_steps
    micro = tokens // parts
    loss = recipe.made_loss()
    negatives = loss.negatives if isinstance(loss, SampledLoss) else None
    checkpointing, offload = options.gradient_checkpointing, options.deepspeed.offload_optimizer
    activations = activation_memory(
        shape, micro, LENGTH, bf16=options.bf16, checkpointing=checkpointing, negatives=negatives
    )
    table = None if negatives is None else sampled_rows(shape, tokens, negatives * parts)
    rows = plan_lines(shape, activations, processes, bf16=options.bf16, offload=offload, rows=table)
    typer.echo(
        f"{shape.parameters:,} parameters, {shape.head:,} of them in the table of {shape.vocabulary:,} tokens"
        + ("." if negatives is None else f", of which a loss over {negatives:,} negatives updates rows.")
    )
    typer.echo(
        f"{tokens:,} tokens a step, {micro:,} in a micro-batch on each of {processes} devices. GiB a device:"
    )
    typer.echo("  ".join(f"{name:>11}" for name in rows[0]))
    for row in rows:
        typer.echo("  ".join(f"{value:>11}" for value in row.values()))
    if options.max_steps is not None:
        typer.echo(f"{options.max_steps:,} steps: {duration(options.max_steps, tokens, rate)}.")
