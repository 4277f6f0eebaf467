"""docs/changing.md: its commands run as printed, in their order, and its block after them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from changing import docid_model, passages
from command_line import genret

from genret.corpus import Passage
from genret.retrieval.from_folder import load_passages

PAGE = (Path(__file__).parents[3] / "docs" / "changing.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^genret (.*)$", PAGE, flags=re.MULTILINE)
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model and the files that the page names."""
    docid_model().save_pretrained(tmp_path / "MODEL")

    def write(name: str, rows: list[Passage]) -> None:
        lines = [{"_id": row.passage_id, "title": row.title, "text": row.text} for row in rows]
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))

    write("new.jsonl", [Passage("n1", "rome", "a city")])
    write("corpus.jsonl", [*passages(40)[20:], Passage("n2", "", "the river")])
    (tmp_path / "gone.txt").write_text("p1\np2\n")
    monkeypatch.chdir(tmp_path)


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {command.split()[0] for command in COMMANDS} == {"add", "remove", "update", "compact"}
    sizes = []
    for command in COMMANDS:
        assert genret(monkeypatch, *shlex.split(command)) == 0, command
        sizes.append(len(load_passages("MODEL")))
    assert sizes == [25, 23, 21, 21, 21, 21]
    names: dict[str, object] = {}
    exec(BLOCK, names)
    ids = list(load_passages("MODEL").passage_ids)
    assert len(ids) == 21
    assert ids[-1] == "p99"
    assert "p20" not in ids
