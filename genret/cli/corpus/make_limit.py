"""`genret data limit`: a task that single vectors cannot solve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.numbers import LARGEST_SEED

__all__ = ["limit"]


def limit(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Write the task to this folder (BEIR's layout).")
    ],
    small: Annotated[
        bool, typer.Option("--small", help="Only the passages that answer a question: 46 in place of 50,000.")
    ] = False,
    hard_negatives: Annotated[
        bool,
        typer.Option(
            "--hard-negatives",
            help="Beside each right passage one that shares all of its likings but the asked one.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0, max=LARGEST_SEED)] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing folder.")] = False,
) -> None:
    """Make the LIMIT task: passages that list what people like, questions for one liking, two right passages each."""
    from genret.corpus.limit import LimitOptions, write_limit

    write_limit(output, LimitOptions(small, hard_negatives, seed), overwrite=overwrite)
    typer.echo(f"{output}: made; one split of judgements, test.", err=True)
