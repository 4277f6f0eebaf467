"""docs/filters.md: its corpus is read, its commands run as printed, and its block after them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import Passage, PassageStore, read_passages
from genret.corpus.where import matching_rows
from genret.retrieval.docids import GenerativeRetriever

PAGE = (Path(__file__).parents[3] / "docs" / "filters.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^genret (.*)$", PAGE, flags=re.MULTILINE)
LINES = re.findall(r'^\{"_id".*$', PAGE, flags=re.MULTILINE)
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_page_runs(
    tiny_retriever: GenerativeRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    told = list(read_passages("corpus.jsonl"))
    assert [one.metadata for one in told] == [
        {"lang": "en", "year": 2021, "author.name": "Ada"},
        {"lang": "it", "draft": True},
    ]
    # As many passages as the model has docids, with the fields of these two in turn.
    store = PassageStore.build(
        one._replace(metadata=told[row % 2].metadata) for row, one in enumerate(tiny_retriever.passages)
    )
    GenerativeRetriever(tiny_retriever.backbone, tiny_retriever.table, store).save_pretrained("MODEL")
    Path("queries.jsonl").write_text('{"_id": "q", "text": "which river"}\n')
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        assert genret(monkeypatch, *shlex.split(command)) == 0, command
    (line,) = Path("found.jsonl").read_text().splitlines()
    assert {hit["metadata"]["lang"] for hit in json.loads(line)["hits"]} == {"en"}
    names: dict[str, object] = {}
    exec(BLOCK, names)
    assert len(names["hits"]) == 5  # type: ignore[arg-type]


def test_the_table_of_conditions() -> None:
    (table,) = re.findall(r"\| condition .*?\n\n", PAGE, flags=re.DOTALL)
    conditions = [one for one in re.findall(r"`([^`]+)`", table) if "..." not in one and " " in one]
    store = PassageStore.build(
        [
            Passage("a", "", "x", {"year": 2020, "lang": "en", "open": True, "url": "https://a.org"}),
            Passage("b", "", "x", {"year": 2019, "lang": "it", "open": False, "url": "http://wiki.org"}),
            Passage("c", "", "x", {"lang": "fr"}),
        ]
    )
    found = {one: int(matching_rows(store, one).sum()) for one in conditions}
    assert found == {
        "year >= 2020": 1,
        'lang = "en"': 1,
        "open != true": 1,
        'lang in ("en", "it")': 2,
        'url starts with "https"': 1,
        'url contains "wiki"': 1,
        "has year": 2,
    }
