from __future__ import annotations

import functools
import re
import subprocess
from types import ModuleType

import pytest

from genret.demo import docstrings
from genret.demo.docstrings import Entry, clean, module_names, module_sections


def test_two_runs_give_the_same_bytes_and_nothing_else(
    harvested: subprocess.CompletedProcess[bytes], harvested_again: subprocess.CompletedProcess[bytes]
) -> None:
    again = harvested_again
    assert again.stdout == harvested.stdout
    assert again.stderr == harvested.stderr == b""


def test_corpus_holds_several_thousand_well_formed_passages(entries: dict[str, Entry]) -> None:
    assert 4000 <= len(entries) <= 9000
    for entry in entries.values():
        assert entry.title.startswith(entry.name.partition("#")[0]), entry
        assert entry.text == clean(entry.text)
        assert not re.search(r"\b0x7f[0-9a-f]{6,}", entry.title + entry.text), entry


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("subprocess.run", "function", "subprocess.run(*popenargs, input=None"),
        ("str.split", "method", "str.split(sep=None"),
        ("dict.get", "method", "dict.get("),
        ("open", "function", "open(file, mode='r'"),
        ("random.randint", "function", "random.randint(a, b)"),
        ("pathlib.PurePath.suffix", "property", "pathlib.PurePath.suffix (property)"),
        ("collections.Counter", "class", "collections.Counter (class)"),
        ("property", "class", "property (class)"),
        ("KeyError", "exception", "KeyError (exception)"),
        ("os.path.join", "function", "os.path.join("),
        ("json.dumps", "function", "json.dumps(obj, *, skipkeys=False"),
        ("concurrent.futures.ThreadPoolExecutor", "class", "concurrent.futures.ThreadPoolExecutor (class)"),
        ("json", "module", "json (module)"),
        ("json#2", "module", "json (module, part 2)"),
    ],
)
def test_what_users_look_for_is_there(name: str, kind: str, title: str, entries: dict[str, Entry]) -> None:
    assert entries[name].kind == kind
    assert entries[name].title.startswith(title)


@pytest.mark.parametrize(
    "name",
    [
        "posixpath.join",
        "secrets.choice",
        "random.Random.choice",
        "IOError",
        "json.decoder.JSONDecoder",
        "ssl.socket",
    ],
)
def test_an_alias_is_no_second_passage(name: str, entries: dict[str, Entry]) -> None:
    assert name not in entries


def test_easter_eggs_tests_and_what_changes_the_terminal_are_not_imported() -> None:
    roots = {name.partition(".")[0] for name in module_names()}
    assert not roots & {
        "antigravity",
        "this",
        "idlelib",
        "test",
        "turtledemo",
        "tkinter",
        "readline",
        "lib2to3",
    }
    assert not any(part.startswith("_") for name in roots for part in name.split("."))
    assert {"os", "json", "asyncio"} <= roots


class _Base:
    def borrowed(self) -> None:
        """Documented in a private base class."""


class Shape(_Base):
    """A shape with an area."""

    def __init__(self) -> None:
        """Start with no area at all."""

    def area(self) -> float:
        """Return the area in square metres."""
        return 0.0

    surface = area

    @property
    def colour(self) -> str:
        """The colour of the outline."""
        return "red"

    @functools.cached_property
    def centre(self) -> int:
        """The centre, computed only once."""
        return 0

    def undocumented(self) -> None: ...

    def _private(self) -> None:
        """Nobody should see this."""


class Square(Shape):
    def area(self) -> float:
        """Return the area in square metres."""
        return 1.0


def measure(shape: Shape, unit: str = "metre", by: object = object(), limit: float = 3.5) -> float:
    """Return how large the shape is."""
    return limit


def names_and_titles(**members: object) -> dict[str, Entry]:
    module = ModuleType("shapes")
    for member in members.values():
        if hasattr(member, "__module__"):
            member.__module__ = "shapes"
    vars(module).update(members)
    public = docstrings._public_classes([("shapes", module)])
    found = docstrings._distinct(list(docstrings._module_candidates("shapes", module, public)))
    return {entry.name: entry for entry in found}


def test_members_of_a_module() -> None:
    found = names_and_titles(Shape=Shape, Square=Square, measure=measure, size=measure)
    assert sorted(found) == [
        "shapes.Shape",
        "shapes.Shape.area",
        "shapes.Shape.borrowed",
        "shapes.Shape.centre",
        "shapes.Shape.colour",
        "shapes.measure",
    ]
    assert found["shapes.Shape"].text == "A shape with an area.\n\nStart with no area at all."
    assert found["shapes.measure"].title == "shapes.measure(shape, unit='metre', by=..., limit=3.5)"
    assert found["shapes.Shape.centre"].kind == "property"
    assert found["shapes.Shape.area"].title == "shapes.Shape.area()"


@pytest.mark.parametrize(
    "text", ["short", "Alias for field number 3", "Point(x, y)", "Point(x: int) -> Point", ""]
)
def test_docstrings_that_say_nothing_are_no_passages(text: str) -> None:
    def Point() -> None: ...

    Point.__doc__ = text
    assert names_and_titles(Point=Point) == {}


def test_clean_removes_addresses_blanks_and_control_characters() -> None:
    assert clean("one <f at 0x7f00aa>  \n\n\n\n    two\x07\n") == "one <f>\n\ntwo"


def test_module_docstring_is_cut_at_headings_and_when_long() -> None:
    paragraph = " ".join(["words"] * 70)
    text = f"What this module is for.\n\nUsage\n=====\nCall it.\n\n{paragraph}\n\n{paragraph}\n\nCopyright (c) Somebody"
    sections = module_sections("tool", text)
    assert [(one.name, one.title) for one in sections] == [
        ("tool", "tool (module)"),
        ("tool#2", "tool (module, part 2): Usage"),
        ("tool#3", "tool (module, part 3)"),
    ]
    assert sections[1].text == f"Usage\nCall it.\n\n{paragraph}"
    assert sections[2].text == paragraph


def test_module_without_docstring_has_no_section() -> None:
    assert module_sections("tool", "") == []
