"""Every command of docs/experiments/kilt.md runs, in its order, on a small fixture."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command_line import genret
from published import bart, fairseq_content, write_fairseq_tokenizer

from genret.corpus import Passage, PassageStore
from genret.retrieval.docids import GenerativeRetriever

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "experiments" / "kilt.md"
COMMANDS = re.findall(r"^\$ genret (.*)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def write(path: Path, rows: list[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def task(number: int, text: str) -> dict[str, object]:
    evidence = {"wikipedia_id": str(number), "start_paragraph_id": 1, "end_paragraph_id": 1}
    return {"id": f"q{number}", "input": text, "output": [{"answer": "the river", "provenance": [evidence]}]}


@pytest.fixture
def world(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> Path:
    """Four pages of four paragraphs, which the model has docids for, and the files that the guide names."""
    pages = [
        {
            "wikipedia_id": str(page),
            "wikipedia_title": f"Page {page}",
            "text": [f"Page {page}", *["by the river"] * 4],
        }
        for page in range(4)
    ]
    store = PassageStore.build(
        Passage(f"{page}#{paragraph}", f"Page {page}", "by the river")
        for page in range(4)
        for paragraph in range(1, 5)
    )
    GenerativeRetriever(tiny_retriever.backbone, tiny_retriever.table, store).save_pretrained(
        tmp_path / "MODEL"
    )
    write(tmp_path / "KNOWLEDGE_SOURCE.jsonl", [*pages])
    write(tmp_path / "TASK.jsonl", [task(0, "where lies paris"), task(1, "which river"), task(2, "who")])
    write(tmp_path / "TRAIN.jsonl", [task(1, "near the city")])
    write(tmp_path / "SLOTS.jsonl", [{"id": "s", "input": "paris [SEP] river"}])
    write(tmp_path / "MENTIONS.jsonl", [{"id": "m", "input": "the [START_ENT] city [END_ENT] of rome"}])
    import_torch_checkpoint(tmp_path / "PUBLISHED")
    return tmp_path


def import_torch_checkpoint(folder: Path) -> None:
    import torch

    folder.mkdir()
    torch.save(fairseq_content(bart()), folder / "model.pt")
    write_fairseq_tokenizer(folder)


def test_every_command_runs(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(COMMANDS) >= 15
    monkeypatch.chdir(world)
    for command in COMMANDS:
        assert genret(monkeypatch, *shlex.split(command)) == 0, f"{command}: {capsys.readouterr().err}"
    assert (world / "parts.jsonl").read_bytes() == (world / "found.jsonl").read_bytes()
    assert [json.loads(line)["query"] for line in (world / "slots.jsonl").open()] == ["paris: river"]
    assert len((world / "values.jsonl").read_text().splitlines()) == 3
    assert (world / "results.html").read_text().count("<article") == 3
    assert (world / "IMPORTED" / "model.safetensors").is_file()
    named = [
        name for name in ("guesses.jsonl", "bm25.run", "compare.svg") if not (world / name).stat().st_size
    ]
    assert named == []
