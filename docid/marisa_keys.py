"""The strings of tables of version 1 and 2, which hold them as a marisa-trie's bytes.

marisa crashes or hangs on some damaged bytes, and a checksum can be right on those. So a child process reads them:
what happens to it does not happen here.
"""

from __future__ import annotations

import os
import subprocess
import sys

from fm_index.container import ArtefactError

__all__ = ["marisa_strings"]

# A million strings take about two seconds.
SECONDS_LIMIT = 600
READER = """
import sys
import marisa_trie
keys = marisa_trie.Trie()
data = sys.stdin.buffer.read()
if data:
    keys.frombytes(data)
strings = [keys.restore_key(number) for number in range(len(keys))]
sys.stdout.buffer.write("\\0".join(strings).encode())
"""


def marisa_strings(path: str | os.PathLike[str], data: bytes) -> list[str]:
    """The strings of a marisa-trie, by their numbers.

    Raises:
        ArtefactError: marisa cannot read the bytes.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", READER],
            input=data,
            capture_output=True,
            timeout=SECONDS_LIMIT,
            check=True,
        )
        text = done.stdout.decode()
    except (subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{path}: damaged: its docid strings cannot be read. Build the docids again."
        ) from error
    return text.split("\0") if text else []
