"""A model folder that is changed where it stands: its passages are changed, and a new generation is published.

Knows the steps, and what each hands to the next; what a change is, is in `changes`, and how a generation is
published in `genret.generations`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from genret.corpus.store import PassageStore
from genret.generations import changing
from genret.retrieval.changes import Change
from genret.retrieval.from_folder import load_passages, load_retriever

__all__ = ["change_folder", "compact_folder"]


def change_folder(
    folder: str | os.PathLike[str],
    plan: Callable[[PassageStore], Change],
    *,
    device: str | None = None,
    dry_run: bool = False,
    announce: Callable[[str], None] = lambda line: None,
) -> Change:
    """Change the passages of a model folder; who searches it finds it as it was until all is done.

    Another process that changes the folder is waited for.

    Args:
        plan: from the model's passages to what is to be done, such as `changes.add_passages` with passages given.
        device: where passages are encoded; None: the GPU if there is one.
        dry_run: say what would be done, and do nothing.
        announce: receives what is done, a line each.

    Returns:
        What was done.

    Raises:
        InputError: there is no such folder, it may not be written to, or the change cannot be made; the message says
            why. ArtefactError: the folder is damaged.
    """
    if dry_run:
        return _planned(folder, plan, announce)
    with changing(folder, lambda: announce(f"waiting for another process that changes {os.fspath(folder)}")):
        change = _planned(folder, plan, announce)
        if change:
            changed = load_retriever(folder, device=device).changed(change)
            changed.publish_held()
    return change


def compact_folder(
    folder: str | os.PathLike[str], *, announce: Callable[[str], None] = lambda line: None
) -> bool:
    """Merge what changes have left in pieces; False where there was nothing to merge.

    Raises:
        InputError: there is no such folder, or it may not be written to. ArtefactError: it is damaged.
    """
    with changing(folder, lambda: announce(f"waiting for another process that changes {os.fspath(folder)}")):
        retriever = load_retriever(folder, device="cpu")
        merged = retriever.compacted()
        if merged is retriever:
            return False
        merged.publish_held()
    return True


def _planned(
    folder: str | os.PathLike[str], plan: Callable[[PassageStore], Change], announce: Callable[[str], None]
) -> Change:
    # The model is loaded only where something changes; then all of the folder is checked.
    change = plan(load_passages(folder, verify="header"))
    for line in change.lines() if change else ["nothing to change"]:
        announce(line)
    return change
