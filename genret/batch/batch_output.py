"""Where a batch run's files lie, and which of them may be there: `OUT`, its plan, and the parts until it is finished.

Knows paths and plans; searches nothing. `OUT.plan.json` says what `OUT` is the result of; it is written before `OUT`
appears, so that a run that was killed at any moment is recognised as finished or gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm_index.container import atomic_writer
from genret.batch.batch_plan import BatchPlan
from genret.batch.earlier_shards import adopt_shards
from genret.batch.merge import merge_parts
from genret.corpus import PassageStore
from genret.corpus.formats.registry import Format, run_format, write_found
from genret.errors import InputError
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import PLAN, read_plan
from genret.jobs.shards import Shard
from genret.jobs.storage import Place, storage_of

__all__ = ["Output"]

GO_ON = "go on with that one, or begin anew: pass --overwrite, or with shards remove that folder"


@dataclass(frozen=True)
class Output:
    """The file `path`, in a format of runs (see `run_format`); its parts lie at `place`, None: beside it."""

    path: Path
    format_name: str = "genret-run"
    place: Place | None = None

    def __post_init__(self) -> None:
        run_format(self.format_name)

    @property
    def form(self) -> Format:
        """The format."""
        return run_format(self.format_name)

    @property
    def parts(self) -> Place:
        """Where the parts are: a folder, or a URL."""
        return self.place or self.path.with_name(self.path.name + ".parts")

    def is_finished(self, plan: BatchPlan) -> bool:
        """Whether the output is there; parts that a kill left over are removed then.

        Raises:
            InputError: it is there and the result of another plan.
        """
        if not self.path.exists():
            return False
        if self._stored() != self._record(plan):
            raise InputError(
                f"{self.path} exists already and is the result of another job; choose another name, or pass "
                "--overwrite."
            )
        storage_of(self.parts).clear()
        return True

    def begin(self, plan: BatchPlan, share: Shard, *, resume: bool, overwrite: bool) -> Ledger:
        """Make way for a share's parts.

        Raises:
            InputError: something is there that may not be replaced, or parts of another plan.
        """
        if overwrite:
            self._plan_file.unlink(missing_ok=True)
            self._remove(plan, share)
        elif self.path.exists():
            raise InputError(
                f"{self.path} exists already; choose another name, or pass --overwrite to replace it."
            )
        adopt_shards(self.parts)
        ledger = Ledger.begin(self.parts, plan.json(), plan.parts, otherwise=GO_ON)
        if not (resume or overwrite) and len(ledger.missing(share)) < len(plan.parts.of(share)):
            raise InputError(
                f"{self.parts}: this run was begun before; pass --resume to go on, or --overwrite to begin anew."
            )
        return ledger

    def _remove(self, plan: BatchPlan, share: Shard) -> None:
        """Remove the parts of a share, and the plan where it is another and no other share has parts of it."""
        ledger = Ledger(self.parts, plan.json(), plan.parts)
        if share.count == 1:
            ledger.clear()
        adopt_shards(self.parts)
        for part in plan.parts.of(share):
            ledger.remove(part)
        names = ledger.storage.names()
        alone = not any(name.startswith("part-") for name in names)
        # Never the folder: other processes of this very run may have begun to write in it.
        if alone and PLAN in names and read_plan(self.parts) != plan.json():
            ledger.storage.remove(PLAN)

    def finish(self, passages: Callable[[], PassageStore]) -> BatchPlan:
        """Check that all parts are complete, write the output, and remove them.

        Raises:
            InputError: they are not. ArtefactError: one is damaged.
        """
        merged = merge_parts(self.parts)
        with atomic_writer(self._plan_file) as file:
            file.write(json.dumps(self._record(merged.plan), indent=1).encode() + b"\n")
        texts = passages() if self.form.texts else None
        write_found(self.path, merged, self.format_name, texts, merged.plan.tag or "genret")
        merged.ledger.clear()
        return merged.plan

    @property
    def _plan_file(self) -> Path:
        return self.path.with_name(self.path.name + ".plan.json")

    def _record(self, plan: BatchPlan) -> dict[str, Any]:
        return {"format": self.format_name, **plan.json()}

    def _stored(self) -> object:
        try:
            stored = json.loads(self._plan_file.read_bytes())
            # Of earlier versions, which had it in their plans.
            return {name: value for name, value in stored.items() if name != "shards"}
        except (OSError, ValueError, AttributeError):
            return None
