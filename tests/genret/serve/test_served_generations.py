"""The folder as it is now: what is new is taken up, what is broken is not, and nothing of the old is kept."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from answering import model, wait_until

from genret.artefact import folder_build
from genret.errors import UsageError
from genret.serve import generations as module
from genret.serve.generations import Generations
from genret.serve.together import same_together


def test_a_new_generation_takes_over_and_the_old_one_is_let_go(tmp_path: Path) -> None:
    place = tmp_path / "model"
    model("a").save_pretrained(place)
    found = Generations(place)
    assert (found.current.number, found.current.build) == (1, folder_build(place))
    before = found.current
    found.look()
    assert found.current is before
    model("b").save_pretrained(place, overwrite=True)
    old = weakref.ref(before.of_mode("beam")), weakref.ref(before.retriever)
    found.look()
    assert found.current.retriever.passages[0].passage_id == "b0"
    assert (found.current.number, found.current.build) == (2, folder_build(place))
    assert before.retriever.search("river", 1)[0].passage_id.startswith("a")
    del before
    gc.collect()
    assert [one() for one in old] == [None, None]


def test_what_changes_while_it_is_loaded_is_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, load, loads = tmp_path / "model", module.load_retriever, []
    model("a").save_pretrained(place)
    found = Generations(place)

    def changing(folder: Path, **options: str) -> object:
        loaded = load(folder, **options)  # type: ignore[arg-type]
        loads.append(loaded)
        if len(loads) == 1:
            model("c").save_pretrained(place, overwrite=True)
        return loaded

    monkeypatch.setattr(module, "load_retriever", changing)
    model("b").save_pretrained(place, overwrite=True)
    found.look()
    assert [one.passages[0].passage_id for one in loads] == ["b0", "c0"]
    assert found.current.retriever.passages[0].passage_id == "c0"
    assert found.current.build == folder_build(place)
    assert found.current.number == 2


def test_whatever_is_wrong_with_a_generation_the_next_one_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, load = tmp_path / "model", module.load_retriever
    model("a").save_pretrained(place)
    found = Generations(place)
    found.watch(0.01)
    try:

        def failing(folder: Path, **options: str) -> object:
            raise KeyError("unforeseen")

        monkeypatch.setattr(module, "load_retriever", failing)
        model("b").save_pretrained(place, overwrite=True)
        wait_until(lambda: found.fault is not None)
        assert "unforeseen" in str(found.fault)
        monkeypatch.setattr(module, "load_retriever", load)
        model("c").save_pretrained(place, overwrite=True)
        wait_until(lambda: found.current.number == 2)
        assert found.fault is None
        assert found.current.retriever.passages[0].passage_id == "c0"
    finally:
        found.close()


def test_a_moment_without_a_folder_is_not_told_of(tmp_path: Path) -> None:
    place = tmp_path / "model"
    model("a").save_pretrained(place)
    found = Generations(place)
    place.rename(tmp_path / "elsewhere")
    found.look()
    assert found.fault is None
    found.look()
    assert found.fault is not None
    assert found.fault == f"there is no model folder at {place} any more; the one that was there answers."
    (tmp_path / "elsewhere").rename(place)
    found.look()
    assert found.fault is None
    assert found.current.number == 1


def test_modes_are_of_docids_and_batches_of_plans() -> None:
    plans, beams = model(), model(mode="beam")
    assert same_together(plans)
    assert not same_together(beams)
    generation = module.Generation(beams, "", 1, False)
    assert generation.of_mode(None) is generation.of_mode("beam") is beams
    assert generation.of_mode("plan") is generation.of_mode("plan")
    other = module.Generation(object(), "", 1, False)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="emits n-grams"):
        other.of_mode("plan")


def test_batches_that_change_a_bit_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    found = model()
    batch_search = type(found).batch_search

    def rounding(self: object, queries: list[str], *rest: object, **options: object) -> object:
        answers = batch_search(found, queries, *rest, **options)  # type: ignore[arg-type]
        many = len(queries) > 4
        return [[hit._replace(score=hit.score + many * 1e-7) for hit in hits] for hits in answers]

    monkeypatch.setattr(type(found), "batch_search", rounding)
    assert not same_together(found)
