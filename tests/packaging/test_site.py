"""The site: every page is in its menu, its console lines are commands that exist, and the blocks of its pages run."""

from __future__ import annotations

import json
import re
import shlex
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from genret.cli.app import app
from tests.genret.command_line import genret
from tests.genret.tiny_sentence_encoder import WORDS, write_encoder

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Which test runs the console blocks of a page. "parsed": the lines need a model that tests do not have, or never end.
RUN_BY = {
    "README.md": "here, but make and serve",
    "docs/index.md": "here",
    "docs/experiments/evaluation.md": "here",
    "docs/experiments/kilt.md": "tests/genret/test_kilt_guide.py",
    "docs/reproduce/corpusbrain.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/ddro.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/dsi_qg.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/genre.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/pag.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/ripor.md": "tests/packaging/test_reproduce.py",
    "docs/reproduce/seal.md": "tests/packaging/test_reproduce.py",
    "docs/corpora.md": "tests/genret/corpus/documents/test_corpora_guide.py",
    "docs/ngrams.md": "parsed",
}
COMMANDS: Any = typer.main.get_command(app)


def blocks(page: Path) -> list[str]:
    return re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def lines(page: Path) -> Iterator[list[str]]:
    """The arguments of every `genret` of a page's console blocks."""
    for block in blocks(page):
        for line in re.findall(r"^\$ (?:\S+/)?genret\b(.*)$", block, flags=re.MULTILINE):
            yield shlex.split(line.split("  #")[0])


def pages() -> dict[str, Path]:
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return {page.relative_to(ROOT).as_posix(): page for page in found}


def menu(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for part in entry if isinstance(entry, list) else entry.values() if isinstance(entry, dict) else ():
        yield from menu(part)


def test_every_page_is_in_the_menu_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert site["strict"] is True
    assert sorted(menu(site["nav"])) == sorted(
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
    )


def test_every_console_block_is_run_by_a_test() -> None:
    assert {name for name, page in pages().items() if blocks(page)} == set(RUN_BY)
    assert all(by.startswith("here") or by == "parsed" or (ROOT / by).is_file() for by in RUN_BY.values()), (
        RUN_BY
    )


@pytest.mark.parametrize("name", RUN_BY)
def test_every_line_of_a_page_can_be_parsed(name: str) -> None:
    context = COMMANDS.make_context("genret", ["doctor"], resilient_parsing=True)
    for arguments in lines(pages()[name]):
        command, left = COMMANDS, list(arguments)
        while left and hasattr(command, "commands"):
            command = command.commands[left.pop(0)]
        command.make_context("genret", left, parent=context).close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of documents, judged queries and a tiny encoder, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    nouns = [word for word in WORDS if word.isalpha()]
    (tmp_path / "DOCS").mkdir()
    for number in range(40):
        first, second = nouns[number % 8], nouns[number // 8]
        text = (
            f"the {first} jump over {second} . a quick dog jump over the {first} . lazy fox over {second} ."
        )
        (tmp_path / "DOCS" / f"{number}.md").write_text(
            f"---\nyear: {1990 + number}\n---\n\n# {first} {second} {number}\n\n{text}\n"
        )
    write_encoder(tmp_path / "ENCODER")
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_a_corpus_becomes_a_model(name: str, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    for arguments in lines(pages()[name]):
        if arguments[0] in ("demo", "serve"):
            continue
        if arguments[0] == "fit":
            arguments += ["--encoder", "ENCODER"]
        assert genret(monkeypatch, *arguments) == 0, arguments
        done.append(arguments[0])
    assert done == ["fit", "search", "update"]
    assert (world / "MODEL").is_dir()


def test_the_page_on_scoring_runs(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = world / "CORPUS"
    (corpus / "qrels").mkdir(parents=True)
    passages = [{"_id": f"p{n}", "title": word, "text": f"a {word} ."} for n, word in enumerate(WORDS)]
    (corpus / "corpus.jsonl").write_text("\n".join(map(json.dumps, passages)))
    queries = [{"_id": f"q{n}", "text": word} for n, word in enumerate(WORDS[:4])]
    (corpus / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (corpus / "qrels" / "dev.tsv").write_text("".join(f"q{n}\tp{n}\t1\n" for n in range(4)))
    (world / "JUDGEMENTS").write_text("".join(f"q{n} 0 p{n} 1\n" for n in range(4)))
    for name in ("RUN", "FIRST.run", "SECOND.run"):
        (world / name).write_text("".join(f"q{n} Q0 p{n} 1 2.5 tag\n" for n in range(4)))
    ran = 0
    for arguments in lines(pages()["docs/experiments/evaluation.md"]):
        if arguments[:2] in (["baseline", "dense"], ["baseline", "hybrid"], ["baseline", "rrf"]):
            arguments += ["--encoder", "ENCODER"]
        assert genret(monkeypatch, *arguments) == 0, arguments
        ran += 1
    assert ran == 6


def test_pages_in_backquotes_are_links_on_the_site() -> None:
    hook: dict[str, Any] = {}
    exec((DOCS / "theme" / "links.py").read_text(encoding="utf-8"), hook)
    known = types.SimpleNamespace(get_file_from_path=lambda path: path if (DOCS / path).is_file() else None)
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="results/boolq.md"))

    def shown(text: str) -> str:
        return str(hook["on_page_markdown"](text, page=page, files=known))

    assert (
        shown("see `../docids.md` and `docs/log.md`")
        == "see [`../docids.md`](../docids.md) and [`docs/log.md`](../log.md)"
    )
    assert shown("`demo.md`, `CONTRIBUTING.md`") == "[`demo.md`](demo.md), `CONTRIBUTING.md`"
    assert shown("[notes](../../benchmarks/decoding/README.md)") == "notes"
    assert shown("```\n`demo.md`\n```") == "```\n`demo.md`\n```"
