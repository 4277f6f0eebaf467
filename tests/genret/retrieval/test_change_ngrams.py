"""Passages of n-gram models come, change and go: an index of shards answers as one built of its passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_ngrams import PASSAGES, QUERIES, retriever
from typer.testing import CliRunner, Result

from fm_index import ShardedFMIndex
from genret.cli.app import app
from genret.corpus import Passage, PassageStore
from genret.errors import InputError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramRetriever

NEW = [
    Passage("loire", "Loire", "The Loire is the longest river in France."),
    Passage("untitled", "", "a river of rome"),
]
MODEL = "model"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> NgramRetriever:
    return retriever(tmp_path_factory.mktemp("ngrams") / "index")


@pytest.fixture
def folder(made: NgramRetriever, tmp_path: Path) -> Path:
    made.save_pretrained(tmp_path / MODEL)
    return tmp_path / MODEL


def built(
    made: NgramRetriever, passages: list[Passage], asked: list[list[str]], folder: Path
) -> NgramRetriever:
    tokenizer = made.backbone.tokenizer
    layout = Layout.of(tokenizer)
    store = PassageStore.build(passages)
    build_text_index(store, tokenizer, folder, layout=layout, pseudo_queries=asked, overwrite=True)
    return NgramRetriever(made.backbone, TextIndex.load(folder), made.options)


def found(retriever: NgramRetriever) -> list[list[tuple[str, float, list[tuple[Any, ...]]]]]:
    hits = retriever.batch_search(QUERIES, 10)
    return [
        [(hit.passage_id, hit.score, [tuple(vars(match).values()) for match in hit.matches]) for hit in one]
        for one in hits
    ]


def shards(retriever: NgramRetriever) -> int:
    index = retriever.text_index.index
    return len(index.shards) if isinstance(index, ShardedFMIndex) else 1


def test_what_changed_finds_what_one_built_of_its_passages_finds(
    made: NgramRetriever, tmp_path: Path
) -> None:
    changed = made.add(NEW)
    # Those that come later have none.
    pseudo = [["what river is in paris"], [], ["how high", "what is high"], [], [], [], []]
    assert found(changed) == found(built(made, [*PASSAGES, *NEW], pseudo, tmp_path / "a"))
    assert shards(changed) == 2
    fewer = changed.remove(["alps", "loire"]).update([PASSAGES[0], Passage("rome", "", "a city"), NEW[1]])
    kept = [PASSAGES[0], NEW[1], Passage("rome", "", "a city")]
    assert list(fewer.passages) == kept
    rebuilt = built(made, kept, [pseudo[0], [], []], tmp_path / "b")
    assert found(fewer) == found(rebuilt)
    merged = fewer.compacted()
    assert (shards(fewer), shards(merged), merged.compacted()) == (3, 1, merged)
    assert found(merged) == found(rebuilt)


def test_a_folder_shares_the_shards_that_stayed(folder: Path) -> None:
    def files() -> dict[str, int]:
        return {path.relative_to(folder).as_posix(): path.stat().st_ino for path in folder.rglob("*")}

    before, loaded = files(), NgramRetriever.from_pretrained(folder)
    changed = loaded.add(NEW)
    changed.publish()
    after = files()
    shard = next(name for name in before if name.endswith(".fmi") and "shard-" in name)
    assert {name for name in before if before[name] == after[name]} >= {"model.safetensors", shard}
    again = NgramRetriever.from_pretrained(folder)
    assert found(again) == found(changed)
    again.remove(["loire"]).publish()
    assert files()[shard] == before[shard]
    last = NgramRetriever.from_pretrained(folder)
    assert list(last.passages) == [*PASSAGES, NEW[1]]
    last.compacted().publish()
    merged = NgramRetriever.from_pretrained(folder)
    assert shards(merged) == 1
    assert found(merged) == found(last)
    assert [path.name for path in folder.parent.iterdir()] == [MODEL]


def test_all_others_may_come_in_place_of_all(made: NgramRetriever, tmp_path: Path) -> None:
    changed = made.update(NEW)
    assert shards(changed) == 1
    assert found(changed) == found(built(made, NEW, [[], []], tmp_path / "a"))
    with pytest.raises(InputError, match="no passage would be left"):
        changed.remove(["loire", "untitled"])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    rows = [{"_id": row.passage_id, "title": row.title, "text": row.text} for row in NEW]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run("add", folder, tmp_path / "new.jsonl").exit_code == 0
    assert run("remove", folder, "seine").exit_code == 0
    before = load_retriever(folder)
    assert isinstance(before, NgramRetriever)
    assert shards(before) == 2
    assert run("compact", folder).exit_code == 0
    after = load_retriever(folder)
    assert isinstance(after, NgramRetriever)
    assert (shards(after), found(after)) == (1, found(before))
    assert "nothing to merge" in run("compact", folder).stderr
