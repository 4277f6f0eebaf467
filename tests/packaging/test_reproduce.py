"""Every command of docs/reproduce runs, on files of the right shape: random weights, a few passages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scripts.reproduce import __main__ as reproduce
from scripts.reproduce import model as reproduce_model
from tests.genret import published
from tests.genret.backbones import t5
from tests.genret.command_line import genret

PAGES = sorted(page.stem for page in reproduce.PAGES.glob("*.md") if page.stem != "index")
PUBLISHED = ("corpusbrain", "genre", "seal")
# Training in seconds; everything else is as the configuration has it.
SMALL = ["training.max_steps=2", "training.batch_size=4", "training.save_steps=0", "search.num_beams=4"]


def write(path: Path, rows: list[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def published_files(folder: Path) -> None:
    (folder / "checkpoint").mkdir()
    # As BART's, the dictionary ends with words that were made up to fill it.
    model = published.bart(len(published.TOKENS) + 5 + 2)
    torch.save(published.fairseq_content(model), folder / "checkpoint" / "model.pt")
    published.write_fairseq_tokenizer(folder / "checkpoint")
    with (folder / "checkpoint" / "dict.source.txt").open("a") as dictionary:
        dictionary.write("madeupword0000 0\nmadeupword0001 0\n")
    names = ["ab a", "a ab", "b", "ab", "a b ab", "b a"]
    pages = [
        {"wikipedia_id": str(n), "wikipedia_title": name, "text": [name, f"{name} ab a b", "a b ab"]}
        for n, name in enumerate(names)
    ]
    write(folder / "kilt_knowledgesource.json", [*pages])
    evidence = [{"wikipedia_id": "1", "start_paragraph_id": 1, "end_paragraph_id": 1}]
    tasks = [
        {"id": f"q{n}", "input": "a ab", "output": [{"answer": "b", "provenance": evidence}]}
        for n in range(3)
    ]
    write(folder / "nq-dev-kilt.jsonl", [*tasks])


def marco_files(folder: Path) -> None:
    t5().save_pretrained(folder / "t5-base")
    places = [
        f"the city of {name}"
        for name in ("rome", "paris", "vienna", "oslo", "lima", "cairo", "quito", "bern")
    ]
    (folder / "collection.tsv").write_text("".join(f"{n}\t{text}\n" for n, text in enumerate(places)))
    (folder / "queries.tsv").write_text(
        "".join(f"{100 + n}\twhere is {text}\n" for n, text in enumerate(places))
    )
    (folder / "qrels.train.tsv").write_text("".join(f"{100 + n}\t0\t{n}\t1\n" for n in range(6)))
    (folder / "qrels.dev.small.tsv").write_text("".join(f"{100 + n}\t0\t{n}\t1\n" for n in (6, 7)))
    (folder / "synthetic").mkdir()
    write(
        folder / "synthetic" / "queries.jsonl",
        [{"passage_id": str(n), "text": f"what is {text}"} for n, text in enumerate(places)],
    )
    vectors = np.random.default_rng(0).normal(size=(len(places), 8)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    (folder / "negatives.run").write_text(
        "".join(f"{100 + n} Q0 {(n + k) % 8} {k} {9.0 - k} bm25\n" for n in range(6) for k in (1, 2, 3))
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_command_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, in the page's order; `scripts.reproduce` starts a process for each."""
    system = reproduce.read_page(reproduce.PAGES / f"{name}.md")
    (published_files if name in PUBLISHED else marco_files)(tmp_path)
    assert [file for file in system.files if not (tmp_path / file).exists()] == []
    monkeypatch.chdir(tmp_path)
    ran = []

    def start(command: list[str], **_: object) -> object:
        words = command[command.index("-m") + 1 :]
        ran.append(words[:2])
        if words[0] == "genret":
            code = genret(monkeypatch, *words[1:])
        else:
            monkeypatch.setattr(sys, "argv", words)
            code = reproduce_model.main() or 0
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(reproduce, "subprocess", SimpleNamespace(run=start))
    small = [] if name in PUBLISHED else SMALL
    arguments = [name, str(tmp_path), *(part for one in small for part in ("--set", one))]
    expect = [part for one in system.expected for part in ("--expect", f"{one.file}:{one.metric}=2.0")]
    code = reproduce.main([*arguments, *expect])
    assert len(ran) == len(system.commands), capsys.readouterr().err
    assert code == 1
    assert capsys.readouterr().out.count("OUTSIDE") == len(system.expected)
    # Nothing is done twice, and what was found is within itself.
    (row,) = json.loads((tmp_path / system.expected[0].file).read_text())["rows"]
    found = row["metrics"][system.expected[0].metric]["mean"]
    reproduce.main([*arguments, "--expect", f"{system.expected[0].file}:{system.expected[0].metric}={found}"])
    assert len(ran) == len(system.commands)
    assert "reproduced" in capsys.readouterr().out.splitlines()[0]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"checkpoint/, kilt_knowledgesource\.json, nq-dev-kilt\.jsonl missing"
    ):
        reproduce.main(["genre", str(tmp_path)])
    with pytest.raises(SystemExit, match="no such system; there are corpusbrain, ddro, dsi_qg"):
        reproduce.main(["gnre", str(tmp_path)])
