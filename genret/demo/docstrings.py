"""The standard library's docstrings, read from the interpreter that runs this file: names, titles, texts.

Knows Python objects and their docstrings; knows nothing of this project (standard library only), because
`genret.demo.stdlib_corpus` runs it as a program in an isolated child: importing some three hundred modules
leaves its traces there and nowhere else.

What becomes a passage: every public function, class, method and property that has a docstring of its own, and
every section of a module's docstring. What does not: private names, dunder methods (but `__init__` speaks in
its class's passage), constants, docstrings that only repeat a signature.

One object, one passage: an object that several modules or classes export is named after the shortest module
path, then after the module that defines it. One docstring, one passage: equal texts under one method name
within one top-level module (`bytes.split`, `bytearray.split`) keep the shortest name.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import json
import os
import pkgutil
import re
import sys
import textwrap
import types
import warnings
from collections.abc import Iterable, Iterator
from itertools import filterfalse
from typing import Any, NamedTuple

__all__ = ["Entry", "harvest", "module_names", "module_sections"]

# Not documentation, or not portable: easter eggs, graphical ones (absent from many installations), those that
# change the terminal's line editing on import, tests, private implementations of documented modules, tables of
# character encodings, and what setuptools replaces.
EXCLUDED = frozenset(
    """
    antigravity this idlelib test tests turtledemo turtle tkinter readline rlcompleter lib2to3 pydoc_data
    distutils setuptools pip ensurepip encodings posix posixpath nt ntpath nturl2path genericpath sre_compile
    sre_constants sre_parse opcode pyexpat xxlimited xxlimited_35 xxsubtype msilib winreg winsound msvcrt macholib
    """.split()  # noqa: SIM905 (a list would take 37 lines)
)
# What an import may raise on the wrong platform, or where a C library is missing.
FAILURES = (
    ImportError,
    OSError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    TypeError,
    NameError,
)
UNDERLINE = re.compile(r"[=\-~*^]{3,}\s*")
GENERIC = re.compile(r"(Alias for field number \d+|An enumeration\.|.{0,12}\(\.\.\.\))")
# A paragraph of licence text, which some modules carry in their docstring.
LICENCE = re.compile(r"\s*(Copyright \(c\)|This module is free software|[^a-z]{120,})")
PROPERTIES = (property, functools.cached_property, types.DynamicClassAttribute)
SECTION_WORDS = 120
MIN_LETTERS = 12
DEFAULT_LENGTH = 20


class Entry(NamedTuple):
    """One passage: `name` is its id, `kind` one of function, method, class, exception, property, object, module."""

    name: str
    kind: str
    title: str
    text: str


class Candidate(NamedTuple):
    """A documented object under one of its names; the lowest `rank` of one `key` wins."""

    rank: tuple[int, bool, int, bool, int, int, str]
    key: int
    entry: Entry


def harvest() -> list[Entry]:
    """Import the standard library and return its passages, sorted by name."""
    candidates: list[Candidate] = []
    sections: list[Entry] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = list(_modules())
        public = _public_classes(modules)
        for name, module in modules:
            sections.extend(module_sections(name, module.__doc__ or ""))
            candidates.extend(_module_candidates(name, module, public))
    # `unittest.main` is a class and a module: what can be called keeps the name.
    return sorted({entry.name: entry for entry in (*sections, *_distinct(candidates))}.values())


def module_names() -> Iterator[str]:
    """The public modules that this interpreter names, packages' own modules included, in alphabetical order."""
    for root in sorted(sys.stdlib_module_names):
        if _is_public(root) and root not in EXCLUDED:
            yield from _with_submodules(root)


def _with_submodules(name: str) -> Iterator[str]:
    yield name
    paths = getattr(_import(name), "__path__", None)
    for found in sorted(info.name for info in pkgutil.iter_modules(paths)) if paths else ():
        if _is_public(found) and found not in EXCLUDED:
            yield from _with_submodules(f"{name}.{found}")


def _modules() -> Iterator[tuple[str, Any]]:
    for name in module_names():
        module = _import(name)
        if module is not None:
            yield name, module
            if name == "os":
                yield "os.path", os.path


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except FAILURES:
        return None


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _exports(name: str, module: Any) -> Iterator[tuple[str, Any]]:
    """The public members of a module: what `__all__` lists, else what it or its private half defines."""
    listed = getattr(module, "__all__", None)
    root = name.partition(".")[0]
    for member in sorted(set(listed if listed is not None else vars(module))):
        found = getattr(module, member, None)
        owner = (getattr(found, "__module__", None) or "").partition(".")[0].lstrip("_")
        defined_here = listed is not None or owner in (root, "frozen_importlib") or name == "builtins"
        if _is_public(member) and defined_here:
            yield member, found


def _public_classes(modules: Iterable[tuple[str, Any]]) -> frozenset[int]:
    """Classes that are exported under their own name (`socket.SocketType` is `_socket.socket`: private)."""
    exported = (pair for name, module in modules for pair in _exports(name, module))
    named = (found for name, found in exported if inspect.isclass(found) and found.__name__ == name)
    return frozenset(map(id, named)) | {id(object)}


def _module_candidates(name: str, module: Any, public: frozenset[int]) -> Iterator[Candidate]:
    prefix = "" if name == "builtins" else f"{name}."
    for member, found in _exports(name, module):
        if inspect.isclass(found):
            yield from _class_candidates(f"{prefix}{member}", found, name, public)
        elif not inspect.ismodule(found):
            yield from _candidate(f"{prefix}{member}", _unwrap(found), name)


def _class_candidates(name: str, cls: type, module: str, public: frozenset[int]) -> Iterator[Candidate]:
    yield from _candidate(name, cls, module)
    distance = 1
    for holder in cls.__mro__:
        # Members of a private base class are documented under the nearest public class that offers them.
        if holder is cls or id(holder) not in public:
            for member, found in sorted(vars(holder).items(), key=lambda item: item[0]):
                if not _is_public(member):
                    continue
                if not inspect.isclass(found):
                    yield from _candidate(f"{name}.{member}", _unwrap(found), module, distance)
                elif found.__qualname__ == f"{cls.__qualname__}.{member}":
                    yield from _class_candidates(f"{name}.{member}", found, module, public)
        else:
            distance += 1


def _unwrap(found: Any) -> Any:
    """The function below bound, static, class, cached and decorated forms: what makes two names one object."""
    for attribute in ("__func__", "__wrapped__"):
        inner = getattr(found, attribute, None)
        if inspect.isroutine(inner):
            return _unwrap(inner)
    return found


def _candidate(name: str, found: Any, module: str, distance: int = 0) -> Iterator[Candidate]:
    """The object as a candidate, if it has a docstring of its own that says something.

    `distance` is 0 for a module's member; for a method 1, and 1 more for each public class between the class
    that it is named after and the class that defines it.
    """
    method = distance > 0
    kind = _kind(found, method)
    text = clean(_own_docstring(found))
    if kind is None or not _says_something(name, text):
        return
    last = name.rpartition(".")[2]
    title = f"{name}{_signature(found)}" if kind in ("function", "method") else f"{name} ({kind})"
    depth = 0 if module == "builtins" else module.count(".") + 1
    foreign = getattr(found, "__module__", None) != module
    renamed = getattr(found, "__name__", last) != last
    rank = (depth, foreign, distance, renamed, name.count("."), len(name), name)
    yield Candidate(rank, id(found), Entry(name, kind, title, text))


def _kind(found: Any, method: bool) -> str | None:
    if inspect.isclass(found):
        return "exception" if issubclass(found, BaseException) else "class"
    if method and (isinstance(found, PROPERTIES) or inspect.isgetsetdescriptor(found)):
        return "property"
    if inspect.isroutine(found):
        return "method" if method else "function"
    return None if method else "object"


def _own_docstring(found: Any) -> str:
    """The docstring that belongs to this very object, not to its class or to a base class."""
    if inspect.isclass(found):
        own = vars(found).get("__doc__")
        # `property` and `type` hold a descriptor there: the docstring is what it gives.
        own = found.__doc__ if inspect.isdatadescriptor(own) else own
        init = vars(found).get("__init__")
        texts = [own, init.__doc__ if inspect.isfunction(init) else None]
        return "\n\n".join(inspect.cleandoc(text) for text in texts if isinstance(text, str))
    own = getattr(found, "__doc__", None)
    if inspect.isroutine(found) or isinstance(found, PROPERTIES):
        return own if isinstance(own, str) else ""
    return own if isinstance(own, str) and own != type(found).__doc__ else ""


def clean(docstring: str) -> str:
    """Indentation, trailing blanks, control characters and memory addresses taken out."""
    text = inspect.cleandoc(docstring)
    text = "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _says_something(name: str, text: str) -> bool:
    """False for short, generated and signature-only docstrings (`Point(x, y)`)."""
    last = re.escape(name.rpartition(".")[2])
    if sum(letter.isalpha() for letter in text) < MIN_LETTERS or GENERIC.fullmatch(text):
        return False
    return re.fullmatch(rf"(\w+\.)*_?{last}\([^\n]*\)( -> [\w\[\], ]+)?", text) is None


class _Default:
    """How a default value is written in a title: short constants only, nothing of this machine."""

    def __init__(self, value: object) -> None:
        short = len(repr(value)) <= DEFAULT_LENGTH
        self.text = repr(value) if isinstance(value, int | float | str | bytes | None) and short else "..."

    def __repr__(self) -> str:
        return self.text


def _signature(found: Any) -> str:
    try:
        signature = inspect.signature(found)
    except FAILURES:
        return "()"
    parameters = list(signature.parameters.values())
    # Methods, and the functions that are methods of a hidden instance (`random.choice`).
    if parameters and parameters[0].name in ("self", "cls", "type"):
        parameters = parameters[1:]
    return str(
        signature.replace(parameters=[_plain(p) for p in parameters], return_annotation=signature.empty)
    )


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default if parameter.default is parameter.empty else _Default(parameter.default)
    return parameter.replace(annotation=parameter.empty, default=default)


def _distinct(candidates: list[Candidate]) -> Iterator[Entry]:
    """One entry for each object, then one for each text under one last name in one top-level module."""
    objects: set[int] = set()
    texts: set[tuple[str, str, str]] = set()
    names: set[str] = set()
    for candidate in sorted(candidates, key=lambda item: item.rank):
        entry = candidate.entry
        root = entry.name.partition(".")[0] if candidate.rank[0] else ""
        text = (root, entry.name.rpartition(".")[2], entry.text)
        if candidate.key not in objects and text not in texts and entry.name not in names:
            yield entry
        objects.add(candidate.key)
        texts.add(text)
        names.add(entry.name)


def module_sections(name: str, docstring: str) -> list[Entry]:
    """A module's docstring cut at its headings, and between paragraphs where a section exceeds 120 words.

    The first section's id is the module's name, the others' `name#2`, `name#3`, ...
    """
    entries: list[Entry] = []
    for heading, text in _sections(clean(docstring)):
        number = len(entries) + 1
        if sum(letter.isalpha() for letter in text) >= MIN_LETTERS:
            part = "" if number == 1 else f", part {number}"
            title = f"{name} (module{part})" + (f": {heading}" if heading else "")
            entries.append(Entry(name if number == 1 else f"{name}#{number}", "module", title, text))
    return entries


def _sections(text: str) -> Iterator[tuple[str, str]]:
    gathered: list[str] = []
    heading, words = "", 0
    for paragraph in filterfalse(LICENCE.match, re.split(r"\n\s*\n", text)):
        lines = paragraph.split("\n")
        title = len(lines) > 1 and len(lines[0]) < 80 and UNDERLINE.fullmatch(lines[1])
        length = len(paragraph.split())
        if gathered and (title or words + length > SECTION_WORDS):
            yield heading, _joined(gathered)
            heading, gathered, words = "", [], 0
        if title:
            heading, paragraph = lines[0].strip(), "\n".join([lines[0], *lines[2:]])
        gathered.append(paragraph)
        words += length
    yield heading, _joined(gathered)


def _joined(paragraphs: list[str]) -> str:
    return clean(textwrap.dedent("\n\n".join(paragraphs)))


def main() -> None:
    """Write the entries to stdout as JSON lines; what the imported modules write goes nowhere."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.stdin = io.StringIO()
    for entry in harvest():
        out.write(json.dumps(entry) + "\n")
    out.close()


if __name__ == "__main__":
    main()
