"""Passages come, change and go: what is found then, what is written, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from changing import Rebuilt, alone, docid_model, found, passages
from typer.testing import CliRunner, Result

from genret.artefact import folder_build
from genret.cli.app import app
from genret.corpus import CorpusOptions, Passage, PassageStore, read_passages
from genret.docids.fitted import STRATEGY_FILE
from genret.errors import ArtefactError, InputError, UsageError
from genret.retrieval.changes import add_passages, remove_passages, update_passages
from genret.retrieval.docids import PASSAGES_FILE, TABLE_FILE, TRIE_FILE, GenerativeRetriever
from genret.retrieval.from_folder import load_passages, load_retriever
from genret.retrieval.model_folder import change_folder
from genret.words.words import SETS_FILE, VALUES_FILE

NEW = [Passage("n1", "rome", "who run near the city"), Passage("n2", "", "read of a river", {"year": 1999})]


@pytest.fixture(autouse=True)
def vectors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genret.docids.fitted.embed_texts", alone)


@pytest.fixture(scope="module")
def model() -> GenerativeRetriever:
    return docid_model()


@pytest.fixture
def folder(model: GenerativeRetriever, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def ids(retriever: GenerativeRetriever) -> list[str]:
    return list(retriever.passages.passage_ids)


@pytest.mark.parametrize("mode", ["plan", "beam", "both"])
def test_what_changed_finds_what_one_built_of_its_passages_finds(
    model: GenerativeRetriever, mode: str
) -> None:
    first = model.with_options(mode=mode)
    changed = first.add(NEW).remove(["p3", "p0"])
    others = [one for one in changed.passages if one.passage_id not in ("p1", "p5", "n2")]
    edited = changed.update([Passage("p5", "rome", "a city"), *others[::-1]])
    assert ids(edited) == [*[f"p{n}" for n in range(2, 24) if n not in (3, 5)], "n1", "p5"]
    rebuilt = Rebuilt(first).of(list(edited.passages), lambda one: one.passage_id not in ("p5", "n1"))
    assert found(edited) == found(rebuilt)
    assert found(edited, k=3) == found(rebuilt, k=3)
    assert sum(map(len, found(edited))) == 3 * 22
    # What it was made of is as it was.
    assert ids(first) == [f"p{n}" for n in range(24)]


def test_a_changed_passage_may_have_its_own_docid_again(model: GenerativeRetriever) -> None:
    """It makes no room for itself: what goes is gone when what comes is given docids."""
    again = [passage._replace(title=passage.title + " ") for passage in model.passages]
    changed = model.update(again)
    assert changed.table.num_documents == 24
    assert changed.update(list(model.passages)).table.new_tokens == model.table.new_tokens


def test_metadata_alone_changes_no_docid(model: GenerativeRetriever) -> None:
    marked = [passage._replace(metadata={"year": 2000 + n}) for n, passage in enumerate(model.passages)]
    change = update_passages(model.passages, marked)
    assert (len(change.changed), len(change.fresh)) == (24, 0)
    changed = model.update(marked)
    assert list(changed.passages) == marked
    assert changed.table.docids(range(24)) == model.table.docids(range(24))
    true = [passage._replace(metadata={"year": True}) for passage in marked[:1]]
    one = PassageStore.build([marked[0]._replace(metadata={"year": 1})])
    assert list(update_passages(one, true).changed) == ["p0"]  # to Python 1 is True
    assert not update_passages(changed.passages, marked)
    # Where one number has a fraction all are kept as such, and are no others for that.
    halves = [*marked[:1], marked[1]._replace(metadata={"year": 0.5})]
    assert not update_passages(PassageStore.build(halves), halves)
    assert changed.update(marked) is changed


def test_changes_that_cannot_be_made(model: GenerativeRetriever) -> None:
    store = model.passages
    with pytest.raises(
        InputError, match=r"2 passages are in the model already: 'p1', 'p2'\. Nothing was added"
    ):
        add_passages(store, [*NEW, store[1], store[2]])
    with pytest.raises(InputError, match="have one id, 'n1'"):
        add_passages(store, [NEW[0], NEW[0]])
    with pytest.raises(InputError, match="its title and its text, are empty"):
        add_passages(store, [Passage("n1", "", "")])
    unknown = [f"x{n}" for n in range(9)]
    with pytest.raises(InputError, match="9 passages are not in the model: 'x0', 'x1', 'x2' and 6 more"):
        remove_passages(store, ["p1", *unknown])
    with pytest.raises(InputError, match="no passage would be left"):
        model.remove(ids(model))
    with pytest.raises(InputError, match="no passage would be left"):
        model.update([])
    with pytest.raises(UsageError, match="was not loaded from a folder"):
        model.publish()
    nobody = GenerativeRetriever(model.backbone, model.table, store, words=model.words)
    with pytest.raises(InputError, match="does not hold the strategy that gave its docids"):
        nobody.add(NEW)
    assert nobody.remove(["p1", "p1"]).table.num_documents == 23


def test_what_is_no_list_of_passages_or_ids_is_refused(model: GenerativeRetriever) -> None:
    one: Any = NEW[0]
    for change in (model.add, model.update):
        with pytest.raises(UsageError, match="put it into a list"):
            change(one)
        with pytest.raises(UsageError, match=r"passage 1: expected a genret.Passage.*, found dict"):
            change([one, one._asdict()])
        with pytest.raises(UsageError, match="passage 1, text: expected text, found NoneType"):
            change([one, one._replace(text=None)])
    with pytest.raises(UsageError, match="found the text 'p3'"):
        model.remove("p3")


def test_all_others_may_come_in_place_of_all(model: GenerativeRetriever) -> None:
    changed = model.update(NEW)
    assert ids(changed) == ["n1", "n2"]
    assert found(changed) == found(Rebuilt(model).of(NEW, lambda one: False))


def test_a_folder_becomes_a_new_generation(folder: Path) -> None:
    before = {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    loaded = GenerativeRetriever.from_pretrained(folder)
    build, first = folder_build(folder), found(loaded)
    changed = loaded.add(NEW)
    assert folder_build(folder) == build
    changed.publish()
    assert folder_build(folder) != build
    again = GenerativeRetriever.from_pretrained(folder)
    assert found(again) == found(changed)
    assert list(again.passages)[-2:] == NEW
    written = {path.name for path, number in before.items() if path.stat().st_ino != number}
    assert {"model.safetensors", STRATEGY_FILE} <= {path.name for path in before} - written
    assert written == {TABLE_FILE, TRIE_FILE, PASSAGES_FILE, SETS_FILE, VALUES_FILE, "genret.json"}
    assert found(loaded) == first  # whoever has the old one open goes on with it
    with pytest.raises(InputError, match="another process has changed it since it was loaded"):
        loaded.remove(["p1"]).publish()
    more = changed.remove(["p1"])
    more.publish()
    assert len(GenerativeRetriever.from_pretrained(folder).passages) == 25
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_options_of_a_search_are_not_published(folder: Path) -> None:
    loaded = GenerativeRetriever.from_pretrained(folder).with_options(mode="beam", num_beams=3)
    loaded.remove(["p1"]).publish()
    assert GenerativeRetriever.from_pretrained(folder).options.mode == "plan"


def write(path: Path, rows: list[Passage]) -> Path:
    lines = [{"_id": row.passage_id, "title": row.title, "text": row.text} for row in rows]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    new, build = write(tmp_path / "new.jsonl", NEW), folder_build(folder)
    dry = run("add", folder, new, "--dry-run")
    assert "add 2 ('n1', 'n2')" in dry.stderr
    assert "26 passages afterwards" in dry.stderr
    assert folder_build(folder) == build
    assert run("add", folder, new).exit_code == 0
    assert run("remove", folder, "p1", "p2").exit_code == 0
    (tmp_path / "ids").write_text("p3\n\np4\r\n")
    assert run("remove", folder, "--ids", tmp_path / "ids").exit_code == 0
    assert CliRunner().invoke(app, ["remove", str(folder), "-"], input="p5\n").exit_code == 0
    kept = list(GenerativeRetriever.from_pretrained(folder).passages)
    assert [one.passage_id for one in kept] == ["p0", *(f"p{n}" for n in range(6, 24)), "n1", "n2"]
    corpus = write(
        tmp_path / "all.jsonl", [*kept[2:], kept[1]._replace(text="paris"), Passage("z", "", "rome")]
    )
    done = run("update", folder, corpus)
    assert [line for line in done.stderr.splitlines() if line] == [
        "add 1 ('z')",
        "change 1 ('p6')",
        "remove 1 ('p0')",
        "21 passages afterwards",
    ]
    build = folder_build(folder)
    assert "nothing to change" in run("update", folder, corpus).stderr
    assert "nothing to merge" in run("compact", folder).stderr
    assert folder_build(folder) == build


def test_what_the_commands_refuse(folder: Path, tmp_path: Path) -> None:
    build = folder_build(folder)

    def refused(*arguments: object) -> tuple[int, str]:
        with pytest.raises((ArtefactError, InputError, UsageError)) as error:
            run(*arguments)
        assert folder_build(folder) == build
        return error.value.exit_code, str(error.value)

    assert refused("add", tmp_path / "none", tmp_path)[1].endswith("no such folder; name a model folder.")
    assert (
        "in the model already: 'p1'"
        in refused("add", folder, write(tmp_path / "x.jsonl", passages(24)[1:2]))[1]
    )
    assert "not in the model: 'p99'" in refused("remove", folder, "p99")[1]
    assert refused("remove", folder)[0] == 2
    assert refused("remove", folder, "p1", "--ids", "x")[0] == 2
    assert "no such file" in refused("remove", folder, "--ids", tmp_path / "none")[1]
    (tmp_path / "latin").write_bytes(b"p1\np\xe9\n")
    assert "line 2 is no text in UTF-8" in refused("remove", folder, "--ids", tmp_path / "latin")[1]
    assert "no passage would be left" in refused("remove", folder, *(f"p{n}" for n in range(24)))[1]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for name in ("one", "two"):
        (place / f"{name}.md").write_text(f"# {name}\n\nwalk near rome\n\n## more\n\nread of a river\n")
    (place / "short.md").write_text("# short\n\nin one piece either way\n")
    return place


def test_a_folder_remembers_how_its_corpus_was_split(folder: Path, docs: Path, tmp_path: Path) -> None:
    assert load_passages(folder).split is None  # its passages were made in Python
    assert run("update", folder, docs, "--split", "sections").exit_code == 0
    assert load_passages(folder).split == "sections"
    assert "nothing to change" in run("update", folder, docs).stderr
    (docs / "three.md").write_text("# three\n\nparis\n")
    (docs / "two.md").write_text("# two\n\nwalk near rome\n")  # whole, and split as it was
    assert "add 2 ('three.md', 'two.md')" in run("update", folder, docs).stderr
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "four", "text": "paris"}\n')
    assert run("add", folder, more).exit_code == 0
    assert run("remove", folder, "three.md").exit_code == 0
    retriever = load_retriever(folder)
    assert retriever.passages.metadata(retriever.passages.row("four")) == {"document": "four"}
    build = folder_build(folder)
    for command in ("add", "update"):
        with pytest.raises(
            UsageError, match=r"model was made of a corpus split by 'sections', and 'words:9'"
        ):
            run(command, folder, docs, "--split", "words:9")
    assert folder_build(folder) == build
    changed = retriever.update(read_passages(docs, CorpusOptions(split=retriever.passages.split)))
    changed.save_pretrained(tmp_path / "copy")
    assert load_passages(tmp_path / "copy").split == "sections"
    assert run("update", tmp_path / "copy", docs, "--split", "sections").exit_code == 0


def test_whole_documents_do_not_take_the_place_of_their_pieces(folder: Path, docs: Path) -> None:
    # Of passages that were made in Python nobody knows how they were split.
    pieces = list(read_passages(docs, CorpusOptions(split="sections")))
    GenerativeRetriever.from_pretrained(folder).update(pieces).publish()
    build = folder_build(folder)
    for command in ("update", "add"):
        for forgotten in ([], ["--dry-run"]):
            with pytest.raises(InputError, match=r"pieces of 'one.md', .* \(2 such documents\).*--split"):
                run(command, folder, docs, *forgotten)
    assert folder_build(folder) == build
    assert "nothing to change" in run("update", folder, docs, "--split", "sections").stderr


def test_of_two_that_add_at_once_neither_is_lost(folder: Path) -> None:
    told = list[str]()

    def add(passage: Passage) -> None:
        change_folder(folder, lambda store: add_passages(store, [passage]), announce=told.append)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(add, NEW))
    assert ids(GenerativeRetriever.from_pretrained(folder))[-2:] in (["n1", "n2"], ["n2", "n1"])
    assert {line for line in told if line.startswith("waiting")} <= {
        f"waiting for another process that changes {folder}"
    }
    assert os.listdir(folder.parent) == [folder.name]


def test_a_full_disk_leaves_the_model_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = folder_build(folder)

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(GenerativeRetriever, "_save_documents", full)
    with pytest.raises(OSError, match="No space left"):
        change_folder(folder, lambda store: remove_passages(store, ["p1"]))
    assert folder_build(folder) == build
    assert os.listdir(folder.parent) == [folder.name]


@pytest.mark.parametrize("name", ["retriever", "n-gram-retriever"])
def test_folders_of_the_first_version_change_too(name: str, tmp_path: Path) -> None:
    """Their files have no build; those that stay go on without one."""
    folder = tmp_path / "model"
    shutil.copytree(Path(__file__).parents[2] / "golden" / "format-1" / name, folder)
    assert folder_build(folder) is None
    change_folder(folder, lambda store: remove_passages(store, ["alps"]))
    found = load_retriever(folder, device="cpu")
    assert list(found.passages.passage_ids) == ["seine", "röme", "last"]
    assert found.search("which river", k=2)
    if name == "retriever":
        with pytest.raises(InputError, match="does not hold the strategy that gave its docids"):
            change_folder(folder, lambda store: add_passages(store, NEW))
    else:
        change_folder(folder, lambda store: add_passages(store, NEW))
        assert len(load_retriever(folder, device="cpu").passages) == 5


def test_words_and_docids_of_what_stays_are_not_made_again(
    model: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is for what is new: of all texts only these are read by an encoder or a tokenizer."""
    encoded, read = list[str](), list[str]()

    def counted(encoder: Any, texts: list[str], **others: Any) -> np.ndarray[Any, Any]:
        encoded.extend(texts)
        return alone(encoder, texts)

    def tokens(given: list[Passage], *others: Any) -> Any:
        read.extend(one.passage_id for one in given)
        return kept_tokens(given, *others)

    from genret.words import words

    kept_tokens = words.passage_words
    monkeypatch.setattr("genret.docids.fitted.embed_texts", counted)
    monkeypatch.setattr(words, "passage_words", tokens)
    model.add(NEW).remove(["p1"])
    assert encoded == [one.full_text for one in NEW]
    assert read == ["n1", "n2"]
