"""The model folder as it is now: the generation that answers, and the next one as soon as the folder holds it.

Knows folders and retrievers; knows nothing of requests. A request keeps the generation that it began with; the old one
lives as long as any request does.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from genret.artefact import MANIFEST, folder_build
from genret.errors import InputError, UsageError
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.from_folder import AnyRetriever, load_retriever
from genret.retrieval.search_options import Mode
from genret.serve.together import same_together

__all__ = ["Generation", "Generations"]

_log = logging.getLogger(__name__)
EVERY = 1.0
# Seconds that a generation that is being loaded may hold up the end.
PATIENCE = 10.0
# Which folder stands at a path, and which manifest in it: device, inodes, and when the manifest was written.
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Generation:
    """A model as it was published at one time.

    Attributes:
        build: the digest of all that was published together; "" of folders of versions that had none.
        number: 1 for the first that was loaded, and so on.
        together: whether queries may be answered in one batch: each then has the bits that it has alone.
    """

    retriever: AnyRetriever
    build: str
    number: int
    together: bool

    @property
    def shows_matches(self) -> bool:
        """Whether hits can say what of a passage found it."""
        return not isinstance(self.retriever, GenerativeRetriever) or self.retriever.words is not None

    @cached_property
    def _of_modes(self) -> dict[Mode, AnyRetriever]:
        return {}

    def of_mode(self, mode: Mode | None) -> AnyRetriever:
        """The retriever, searched in a mode; None: as stored.

        Raises:
            UsageError: it emits no docids, or its docids know no such mode.
        """
        if mode is None:
            return self.retriever
        if not isinstance(self.retriever, GenerativeRetriever):
            raise UsageError("mode: this model emits n-grams, which have none; leave it out.")
        if mode == self.retriever.options.mode:
            return self.retriever
        if mode not in self._of_modes:
            self._of_modes[mode] = self.retriever.with_options(mode=mode)
        return self._of_modes[mode]


class Generations:
    """The generation that answers; `watch` takes up the next ones.

    Attributes:
        current: what answers now.
        fault: why what the folder holds now does not; None where it does.

    Raises:
        InputError, ArtefactError: as `load_retriever`.
    """

    def __init__(self, folder: Path, device: str | None = None) -> None:
        self.folder, self._device = folder, device
        self._stamp, self.current = self._load(1)
        self.fault: str | None = None
        self._refused: Stamp | None = None
        self._gone = False
        self._end = threading.Event()
        self._watcher: threading.Thread | None = None

    def watch(self, every: float = EVERY) -> None:
        """Look every so many seconds, in a thread of its own, until `close`."""
        self._watcher = threading.Thread(target=self._watch, args=(every,), name="generations", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """No further generation is taken up."""
        self._end.set()
        if self._watcher is not None:
            self._watcher.join(PATIENCE)

    def look(self) -> None:
        """Take up what the folder holds, if it is new; what cannot be used is told of once, and the old one stays."""
        try:
            stamp = stamp_of(self.folder)
        except OSError:
            # For a moment while one folder takes the place of another; a second time it is told of.
            if self._gone:
                self._tell(
                    None,
                    f"there is no model folder at {self.folder} any more; the one that was there answers.",
                )
            self._gone = True
            return
        self._gone = False
        if stamp in (self._stamp, self._refused):
            self.fault = self.fault if stamp == self._refused else None
            return
        try:
            loaded, generation = self._load(self.current.number + 1)
        except Exception as error:  # noqa: BLE001  (whatever is wrong with it, the one before answers)
            self._refuse(stamp, error)
            return
        self._stamp, self._refused, self.fault, self.current = loaded, None, None, generation
        _log.info("generation %d (%s) answers now", generation.number, generation.build or "no build")

    def _refuse(self, stamp: Stamp | None, error: Exception) -> None:
        if isinstance(error, OSError):  # whose own words are a number and a name
            error = InputError(f"{error.filename or self.folder}: cannot be read: {error.strerror or error}.")
        self._tell(
            stamp,
            f"what the folder holds now cannot be used, the generation before it answers: {error!s:.500}",
        )

    def _tell(self, stamp: Stamp | None, fault: str) -> None:
        if fault != self.fault:
            _log.error("%s", fault)
        self.fault, self._refused = fault, stamp

    def _load(self, number: int) -> tuple[Stamp, Generation]:
        """What the folder holds: all of it from one folder, whatever is published in between."""
        while True:
            # `load_retriever` has the sentence for a folder that is not there.
            before = stamp_of(self.folder) if (self.folder / MANIFEST).exists() else None
            try:
                retriever = load_retriever(self.folder, device=self._device)
                generation = Generation(
                    retriever, folder_build(self.folder) or "", number, same_together(retriever)
                )
            except Exception:
                if before is None or stamp_of(self.folder) == before:
                    raise
                continue
            if before is not None and stamp_of(self.folder) == before:
                return before, generation

    def _watch(self, every: float) -> None:
        while not self._end.wait(every):
            self.look()


def stamp_of(folder: Path) -> Stamp:
    """What tells a folder from one that takes its place; no file is opened."""
    place, manifest = os.stat(folder), os.stat(folder / MANIFEST)
    return place.st_dev, place.st_ino, manifest.st_ino, manifest.st_mtime_ns
