"""The documentation of the running interpreter's standard library as a corpus of passages.

Knows how to run `genret.demo.docstrings` in an isolated child and how to write a corpus folder; what becomes a
passage is decided there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fm_index.container import atomic_writer
from genret.corpus import Passage, write_judgements
from genret.demo.questions import Question, judgements_of
from genret.errors import UsageError

__all__ = ["stdlib_passages", "write_corpus", "write_queries", "write_split"]

TIMEOUT_SECONDS = 120


def stdlib_passages() -> list[Passage]:
    """A passage for each documented function, class, method and module section, in order of `passage_id`.

    `passage_id` is the qualified name (`subprocess.run`, `str.split`; `json#2` for the second section of a
    module's docstring), `title` the name with its signature or kind, `text` the docstring. The same interpreter
    gives the same passages every time. Importing happens in a child process: this one stays as it was.

    Raises:
        UsageError: this interpreter cannot run a child, or keeps no docstrings (`python -OO` drops them).
    """
    script = Path(__file__).with_name("docstrings.py")
    # -I -S: neither the user's environment variables nor installed packages change what is imported.
    command = [sys.executable, "-I", "-S", str(script)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace").strip()
        raise UsageError(
            f"The standard library's docstrings could not be read by {sys.executable or 'this interpreter'}: "
            f"{reason.splitlines()[-1]}."
        ) from error
    entries = map(json.loads, done.stdout.decode().splitlines())
    passages = [Passage(name, title, text) for name, _, title, text in entries]
    if not passages:
        raise UsageError(f"{sys.executable} keeps no docstrings; use a Python that was built with them.")
    return passages


def write_corpus(folder: Path, passages: Sequence[Passage]) -> None:
    """Write `corpus.jsonl`, in BEIR's layout."""
    rows = ({"_id": one.passage_id, "title": one.title, "text": one.text} for one in passages)
    _write_lines(folder / "corpus.jsonl", [json.dumps(row) for row in rows])


def write_queries(folder: Path, texts: Mapping[str, str]) -> None:
    """Write `queries.jsonl`, from query id to text, in BEIR's layout."""
    _write_lines(
        folder / "queries.jsonl", [json.dumps({"_id": one, "text": text}) for one, text in texts.items()]
    )


def write_split(folder: Path, split: str, questions: Sequence[Question]) -> Path:
    """Write `qrels/<split>.tsv`, in BEIR's layout, and return its path."""
    judgements = folder / "qrels" / f"{split}.tsv"
    judgements.parent.mkdir(exist_ok=True)
    write_judgements(judgements, judgements_of(questions))
    return judgements


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_writer(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
