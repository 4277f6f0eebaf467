"""The story of a model folder that lives, through processes of its own and HTTP: a folder of Markdown becomes a model that
is served, the folder changes, and the model is brought up to date while clients ask without pause."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import tiny_ngrams
from asking import Asking, found_by_library
from changing import QUERIES, docid_model
from command_line import genret
from test_serve_command import process

from genret.corpus import Passage
from genret.retrieval.changes import add_passages, remove_passages, update_passages
from genret.retrieval.from_folder import load_passages
from genret.retrieval.model_folder import change_folder, compact_folder

# Twenty pages, and a question about each.
SUBJECTS = {
    "otters": "They hold hands while they sleep, and crack shells with stones.",
    "lighthouses": "A lamp and a lens send a beam over the sea to warn ships of rocks.",
    "sourdough": "Flour and water ferment with wild yeast before the loaf is baked.",
    "glaciers": "Snow that is pressed into ice flows slowly down a valley.",
    "violins": "Four strings are bowed or plucked over a body of spruce and maple.",
    "beekeeping": "Hives are smoked before the frames with honey are lifted out.",
    "tides": "The moon pulls at the oceans, so that water rises twice a day.",
    "volcanoes": "Molten rock breaks through the crust as lava and ash.",
    "chess": "A king that cannot escape capture has lost the game.",
    "bicycles": "Pedals turn a chain that drives the rear wheel.",
    "saffron": "The red threads of a crocus are dried and sold by the gram.",
    "owls": "Soft feathers let them fly without a sound at night.",
    "canals": "Locks lift boats from one level of water to another.",
    "maps": "A scale says how many metres one centimetre stands for.",
    "tea": "Leaves are withered, rolled and dried, and steeped in hot water.",
    "marathons": "Runners cover forty-two kilometres on public roads.",
    "origami": "A square of paper is folded, never cut, into a crane.",
    "whales": "They breathe air through a blowhole and sing over long distances.",
    "comets": "Ice and dust grow a bright tail when they come near the sun.",
    "pottery": "Clay is shaped on a wheel, glazed and fired in a kiln.",
}
QUESTIONS = {name: f"what should I know about {name}?" for name in SUBJECTS}
NEW, GONE, CHANGED = "windmills", "otters", "tea"


def test_a_folder_of_pages_is_fitted_served_changed_and_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    notes, folder = tmp_path / "notes", tmp_path / "home" / "model"
    notes.mkdir()
    for name, text in SUBJECTS.items():
        write(notes, name, text)
    assert genret(monkeypatch, "fit", notes, "-o", folder, "--split", "sections", "--budget", "60s") == 0
    before = found_by_library(folder, QUESTIONS.values())
    right = [name for name, question in QUESTIONS.items() if name in pages(before, question)]
    assert len(right) >= 18, right
    with process(folder) as (_, address), Asking(address, QUESTIONS.values()) as clients:
        (old,) = before
        clients.until(lambda answer: answer.generation == old)
        (notes / f"{GONE}.md").unlink()
        write(notes, NEW, "Sails turn a millstone that grinds grain where the wind blows.")
        write(notes, CHANGED, "Nobody drinks it any more.")
        in_process("update", folder, notes)
        after = found_by_library(folder, QUESTIONS.values())
        (new,) = after
        clients.until(lambda answer: answer.generation == new)
        begin = len(clients.answers)
        clients.until(lambda answer: True, len(QUESTIONS))
        assert {answer.generation for answer in clients.answers[begin:]} == {new}
    clients.check(before | after)
    assert os.listdir(folder.parent) == ["model"]
    assert not any(GONE in pages(after, question) for question in QUESTIONS.values())
    texts = [hit["text"] for hit in after[new][QUESTIONS[CHANGED]]]
    assert any("Nobody drinks it" in text for text in texts)
    assert not any("steeped" in text for text in texts)


def write(notes: Path, name: str, text: str) -> None:
    """A page of two sections."""
    (notes / f"{name}.md").write_text(
        f"# {name.title()}\n\nA page about {name}.\n\n## What to know\n\n{text}\n\n## Ask\n\nThe library has books on {name}.\n"
    )


def in_process(*arguments: object) -> None:
    """`genret` in a process of its own."""
    command = [sys.executable, "-m", "genret", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pages(found: dict[str, dict[str, list[dict[str, Any]]]], question: str) -> list[str]:
    """The pages that the hits of a question are of."""
    (queries,) = found.values()
    return [str(hit["metadata"]["document"]).removesuffix(".md") for hit in queries[question]]


def changes(kind: str, folder: Path) -> Iterable[object]:
    """One change of the folder after the other, of every kind; each is done when it is asked for."""
    more = [Passage(f"n{number}", "", text) for number, text in enumerate(("rome near paris", "a river"))]
    yield change_folder(folder, lambda store: add_passages(store, more), device="cpu")
    yield change_folder(folder, lambda store: remove_passages(store, [store[0].passage_id, "n0"]))
    yield change_folder(
        folder,
        lambda store: update_passages(store, [*list(store)[1:], Passage("n2", "", "walk in paris")]),
        device="cpu",
    )
    if kind == "ngrams":
        yield compact_folder(folder)


@pytest.mark.parametrize("kind", ["docids", "ngrams"])
def test_changes_one_after_the_other_reach_the_clients_and_no_answer_is_mixed(
    kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "model"
    folder.parent.mkdir()
    made: Any = docid_model() if kind == "docids" else tiny_ngrams.retriever(tmp_path / "index")
    made.save_pretrained(folder)
    expected = found_by_library(folder, QUERIES)
    with process(folder) as (_, address), Asking(address, QUERIES) as clients:
        clients.until(lambda answer: True, 2)
        for _ in changes(kind, folder):
            now = found_by_library(folder, QUERIES)
            expected |= now
            clients.until(lambda answer, now=now: answer.generation in now, 4)
    clients.check(expected)
    assert len(expected) == (4 if kind == "docids" else 5)
    assert {answer.generation for answer in clients.answers} == set(expected)
    assert load_passages(folder).passage_ids[-1] == "n2"
    assert os.listdir(folder.parent) == ["model"]
