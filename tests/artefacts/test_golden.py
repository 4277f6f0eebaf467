"""Artefacts of every published format version load for ever, and answer as they did when they were written.

`tests/golden/format-N` holds one artefact of each kind as the library wrote it when N was the container's format, and
`answers.json` what was read from it then. A new format or kind is written by
`write_golden.py`; nothing that is there is ever written again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from floats import close
from samples import KINDS

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
# Written under another name: an older version of the same kind.
OLDER = {
    "docid-table-version-1": "docid-table",
    "retriever-words-version-2": "retriever-words",
    "docid-words-version-3": "docid-words",
    "batch-parts-of-shards": "batch-parts",
    "text-job-version-2": "text-job",
}
CASES = sorted(
    path for folder in GOLDEN.glob("format-*") for path in folder.iterdir() if path.name != "answers.json"
)


def same(found: object, expected: object) -> bool:
    """Equal, numbers with a fraction to half a unit of the third decimal, to which they were rounded twice."""
    if isinstance(found, float) or isinstance(expected, float):
        return (
            isinstance(found, int | float)
            and isinstance(expected, int | float)
            and close(found, expected, within=2e-3)
        )
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    return found == expected


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_published_is_read(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
    else:
        shutil.copyfile(path, copy)
    expected = json.loads((path.parent / "answers.json").read_text(encoding="utf-8"))[path.name]
    found = json.loads(json.dumps(KINDS[OLDER.get(path.name, path.name)].answer(copy)))
    assert same(found, expected)


def test_every_kind_is_there() -> None:
    """A kind that is added is written into the newest folder of golden files."""
    newest = max(GOLDEN.glob("format-*"))
    assert set(KINDS) <= {path.name for path in newest.iterdir()}
