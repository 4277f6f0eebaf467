"""docs/corpora.md: its lines run as printed, in their order, and its block after them."""

from __future__ import annotations

import gzip
import io
import re
import shlex
import sys
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import standard_input

PAGE = (Path(__file__).parents[4] / "docs" / "corpora.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\$ (.*)$", PAGE, flags=re.MULTILINE)
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the page names."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "guide.md").write_text("# Guide\n\nRead.\n\n## Install\n\nRun it.\n")
    (tmp_path / "notes" / "todo.txt").write_text("Everything.\n")
    (tmp_path / "papers.csv").write_text("doi,title,abstract\n1,A,an abstract\n")
    more = b'{"doi": "2", "title": "B", "abstract": "another", "year": 2020}\n'
    (tmp_path / "more.jsonl.gz").write_bytes(gzip.compress(more))
    monkeypatch.chdir(tmp_path)


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(LINES) == 5
    for line in LINES:
        piped, _, command = line.rpartition(" | ")
        if piped:
            data = Path(piped.removeprefix("cat ")).read_bytes()
            standard_input._spooled.cache_clear()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert genret(monkeypatch, *shlex.split(command.removeprefix("genret "))) == 0, line
    standard_input._spooled().close()
    standard_input._spooled.cache_clear()
    told = capsys.readouterr().out
    assert "notes: 2 documents, 2 passages" in told
    assert "-: 2 documents, 2 passages" in told
    assert len(Path("corpus.jsonl").read_text().splitlines()) == 3
    names: dict[str, object] = {}
    exec(BLOCK, names)
    assert "guide.md#install Guide > Install Install" in capsys.readouterr().out
    assert len(names["passages"]) == 2  # type: ignore[arg-type]
