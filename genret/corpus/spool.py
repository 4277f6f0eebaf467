"""Strings on their way into a stored file: in a temporary one, not in memory."""

from __future__ import annotations

import tempfile
from array import array
from itertools import pairwise
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["StringColumn"]


class StringColumn:
    """Strings spooled to a temporary file that has no name, end to end."""

    def __init__(self) -> None:
        # Closed by `finish`; the file has no name, so nothing stays behind however the process ends.
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._ends = array("q", [0])

    def append(self, value: str) -> None:
        """One more string."""
        data = value.encode()
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def extend(
        self, data: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> None:
        """The strings of some rows (ascending) of others that lie end to end; copied by stretches, and not read."""
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for begin, end in pairwise([0, *breaks.tolist(), len(rows)]):
            bounds = offsets[rows[begin] : rows[end - 1] + 2] if end > begin else offsets[:1]
            self._file.write(data[bounds[0] : bounds[-1]].data)
            self._ends.frombytes((bounds[1:] + (self._ends[-1] - bounds[0])).tobytes())

    def finish(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """The bytes, mapped, and int64 [n + 1] offsets into them. The map keeps the file alive."""
        self._file.flush()
        size = self._ends[-1]
        mapped = np.memmap(self._file, np.uint8, mode="r", shape=(size,)) if size else np.empty(0, np.uint8)
        self._file.close()
        return mapped, np.frombuffer(self._ends, dtype=np.int64)
