"""Every block of docs/integrations.md runs as printed, on a tiny model and corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from genret import GenerativeRetriever, Passage

PAGE = (Path(__file__).parents[4] / "docs" / "integrations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (\w+)|```python\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE)
HEADINGS = [heading for heading, _ in BLOCKS if heading]


@pytest.fixture
def world(
    tiny_retriever: GenerativeRetriever,
    passages: list[Passage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model and the corpus that the page names."""
    tiny_retriever.save_pretrained(tmp_path / "MODEL")
    corpus = tmp_path / "CORPUS"
    (corpus / "qrels").mkdir(parents=True)
    rows = [{"_id": one.passage_id, "title": one.title, "text": one.text} for one in passages]
    (corpus / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (corpus / "queries.jsonl").write_text('{"_id": "q1", "text": "where lies paris"}\n')
    (corpus / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tparis.rome\t1\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    "code", [code for _, code in BLOCKS if code], ids=lambda code: re.findall("import (\\w+)", code)[-1]
)
def test_a_block_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(code, {"__name__": "page"})
    assert capsys.readouterr().out.strip()


def test_every_framework_has_a_block() -> None:
    assert HEADINGS == ["LangChain", "LlamaIndex", "Haystack", "MTEB", "BEIR", "PyTerrier"]
    assert all(f"](#{heading.lower()})" in PAGE for heading in HEADINGS)
