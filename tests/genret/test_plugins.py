"""Doors: our names, an entry point's, and a path to a class; what is wrong with a guest, in a sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from guests import install_guest

from genret.errors import InputError
from genret.plugins import Door, Guest, guests


class Animal(ABC):
    @abstractmethod
    def sound(self) -> str: ...


class Cat(Animal):
    def sound(self) -> str:
        return "miau"


DOOR: Door[Animal] = Door("kind of animal", {"cat": Cat}, Animal)
DOGS = """
from test_plugins import Animal

class Dog(Animal):
    def sound(self):
        return "wau"

class Mute(Animal):
    pass

class Stone:
    pass
"""


@pytest.fixture(autouse=True)
def dogs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"dog": "dogs:Dog", "mute": "dogs:Mute", "gone": "nowhere:Dog"}
    install_guest(tmp_path / "site", monkeypatch, "dogs", DOGS, names)


def test_ours_an_entry_point_and_a_path() -> None:
    assert DOOR.open("cat", "here") is Cat
    assert DOOR.open("dog", "here")().sound() == DOOR.open("dogs:Dog", "here")().sound() == "wau"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dogs:Stone", "is no class that inherits from test_plugins.Animal"),
        ("dogs:Mute", "lacks sound, which test_plugins.Animal asks for"),
        ("mute", "lacks sound"),
        ("dogs:Bone", "dogs has no 'Bone'"),
        ("nowhere.at.all:Dog", "'nowhere.at.all' cannot be imported .*; install its package"),
        ("gone", "'nowhere' cannot be imported"),
        ("dgo", r"no kind of animal is called 'dgo'; did you mean 'dog'\? There are cat, dog, or package"),
        (":Dog", "cannot be imported"),
        ("dogs:", "dogs has no ''"),
    ],
)
def test_a_guest_that_will_not_do_is_named(name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        DOOR.open(name, "here")


def test_a_door_with_nothing_behind_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genret.plugins._entries", list)
    empty: Door[Animal] = Door("kind of animal", {}, Animal)
    with pytest.raises(
        InputError, match=r"is called 'dog'\. There is none here; package\.module:Name is one"
    ):
        empty.open("dog", "here")


def test_a_module_that_raises_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_guest(tmp_path / "more", monkeypatch, "broken_guest", "raise SystemError('no such luck')")
    with pytest.raises(InputError, match=r"cannot be imported \(SystemError: no such luck\)"):
        DOOR.open("broken_guest:Dog", "here")


def test_a_loaded_file_imports_nothing_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = tmp_path / "witness"
    source = f"open({str(witness)!r}, 'w').close()\nclass Dog: pass"
    install_guest(tmp_path / "more", monkeypatch, "planted_guest", source)
    with pytest.raises(InputError, match="no kind of animal is called 'planted_guest:Dog'"):
        DOOR.known("planted_guest:Dog", "model/strategy")
    assert not witness.exists()
    assert DOOR.known("dog", "model/strategy")().sound() == "wau"


def test_guests_are_listed_with_the_doors_that_they_fit() -> None:
    listed = {guest.name: guest for guest in guests([DOOR]) if guest.value.startswith(("dogs:", "nowhere:"))}
    assert listed["dog"] == Guest("dog", "dogs:Dog", ("kind of animal",), None)
    assert listed["mute"].error == "it fits no door of this version"
    assert "cannot be imported" in (listed["gone"].error or "")
