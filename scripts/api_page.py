"""Write `docs/api.md`: every public name of the packages that users import from, out of signatures and docstrings.

Run: `make docs-api`. Sources are read, not imported, so that no framework and no model is needed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import griffe

__all__ = ["DOCUMENT", "PACKAGES", "api_page", "documented", "read_packages"]

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "api.md"
# A name that several have is described in the last of them.
PACKAGES = (
    "genret", "genret.fitting", "genret.retrieval", "genret.adapters", "genret.corpus", "genret.constraint",
    "genret.decoding", "docid", "fm_index",
)  # fmt: skip
HEAD = """# Python API

Every public name, made by `make docs-api` from signatures and docstrings. Names are typed, and imported when they are asked for: `import genret` loads neither torch nor numpy. Errors are sentences: `InputError` for what was given, `ArtefactError` for a damaged file, `UsageError` for the call itself; what else raises is a fault of ours.

```python
import genret

report = genret.fit("CORPUS", "MODEL", budget="30m")  # as the command; report.comparison has the figures
retriever = genret.load("MODEL")  # of either kind; or GenerativeRetriever.from_pretrained("MODEL")
for hit in retriever.search("a question", k=5, with_text=True):
    print(hit.rank, hit.passage_id, hit.score, hit.text)
first, second = retriever.batch_search(["a question", "another one"], k=5)

more = [genret.Passage("p1001", "a title", "a text")]
retriever = retriever.add(more)  # only these are encoded; also remove(ids) and update(passages)
retriever.publish()  # in the place of MODEL, whole or not at all
```
"""


def read_packages() -> Any:
    """The packages by their names, as griffe has read them."""
    # Of its warnings: a line may describe several parameters.
    options = griffe.GoogleOptions(warnings=False)
    loader = griffe.GriffeLoader(search_paths=[ROOT], docstring_parser="google", docstring_options=options)
    for name in dict.fromkeys(package.split(".")[0] for package in PACKAGES):
        loader.load(name)
    loader.resolve_aliases()
    return loader.modules_collection


def documented(modules: Any) -> dict[str, dict[str, Any]]:
    """Of each package the objects that its public names stand for."""
    return {
        package: {
            name: modules[f"{package}.{name}"]
            for name in modules[package].exports or []
            if not name.startswith("__")
        }
        for package in PACKAGES
    }


def api_page() -> str:
    """The whole page."""
    modules = read_packages()
    packages = documented(modules)
    home = {found.canonical_path: package for package, names in packages.items() for found in names.values()}
    classes = {name: one for names in packages.values() for name, one in names.items() if one.is_class}
    parts = [HEAD]
    for package, names in packages.items():
        parts.append(f"## {package}\n\n{modules[package].docstring.value}\n\n{_index(names)}")
        parts += [_entry(one, classes) for one in names.values() if home[one.canonical_path] == package]
    return _formatted("\n".join(parts))


def _formatted(page: str) -> str:
    """The page with its blocks of code as `ruff format`, which looks at pages too, would have them."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(DOCUMENT), "-"]
    return subprocess.run(command, input=page, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def _index(names: dict[str, Any]) -> str:
    rows = []
    for name, one in names.items():
        said = (_sentences(one.docstring) or f"`{one.value}`").replace(
            "|", "\\|"
        )  # of which columns are made
        rows.append(f"| [`{name}`](#{one.canonical_path.split('.')[-1].lower()}) | {said} |")
    return "\n".join(["| name | what it is |", "| --- | --- |", *rows, ""])


def _entry(found: Any, classes: dict[str, Any]) -> str:
    """One name: how it is called, what it does, and of a class its public members."""
    own = found.canonical_path.split(".")[-1]
    lines = [f"### {own}\n", _code(found), *_docstring(found.docstring)]
    if found.is_class:
        lines += _inherited(found, classes)
        for member in _members(found):
            lines += [f"#### {own}.{member.name}\n", _code(member), *_docstring(member.docstring)]
    return "\n".join(lines)


def _inherited(found: Any, classes: dict[str, Any]) -> Iterator[str]:
    """Where the members of its base are described."""
    base = classes.get(str(found.bases[0]).partition("[")[0]) if found.bases else None
    if base is not None:
        names = ", ".join(f"`{member.name}`" for member in _members(base))
        yield f"And what [`{base.name}`](#{base.name.lower()}) has: {names}.\n"


def _members(found: Any) -> Iterator[Any]:
    """Public methods and properties that are described where they stand, in the order of the source."""
    for member in found.members.values():
        described = member.is_function or "property" in member.labels
        if described and not member.name.startswith("_") and member.docstring is not None:
            yield member


def _code(found: Any) -> str:
    return f"```python\n{_signature(found)}\n```\n"


def _signature(found: Any) -> str:
    if found.is_class:
        bases = ", ".join(str(base) for base in found.bases)
        head = f"class {found.name}({bases})" if bases else f"class {found.name}"
        fields = {"NamedTuple"} & {str(base) for base in found.bases} or "dataclass" in found.labels
        if fields:
            return "\n".join([f"{head}:", *(f"    {_field(one)}" for one in _fields(found))])
        made = [one for one in found.parameters if one.name != "self"]
        return f"{head}:\n    {_call('__init__', made, None)}" if made else f"{head}: ..."
    if found.is_function:
        given = [one for one in found.parameters if one.name not in ("self", "cls")]
        return _call(found.name, given, found.returns)
    if "property" in found.labels:
        return f"{found.name}: {found.annotation}"
    return f"{found.name} = {found.value}"


def _fields(found: Any) -> Iterable[Any]:
    return (one for one in found.attributes.values() if one.annotation and "property" not in one.labels)


def _field(one: Any) -> str:
    return f"{one.name}: {one.annotation}" + ("" if one.value is None else f" = {one.value}")


def _call(name: str, parameters: list[Any], returns: Any) -> str:
    """A signature."""
    given, star = [], False
    for one in parameters:
        kind = one.kind.value
        if kind == "keyword-only" and not star:
            given.append("*")
        star = star or kind in ("keyword-only", "variadic positional")
        mark = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        default = "" if one.default is None or mark else f" = {one.default}"
        given.append(f"{mark}{one.name}" + (f": {one.annotation}" if one.annotation else "") + default)
    result = "" if returns is None else f" -> {returns}"
    return f"def {name}({', '.join(given)}){result}: ..."


def _docstring(docstring: Any) -> Iterator[str]:
    """The parts of a docstring, each followed by an empty line."""
    for section in docstring.parsed if docstring is not None else []:
        if section.kind is griffe.DocstringSectionKind.text:
            yield f"{section.value}\n"
            continue
        yield f"*{section.kind.value.capitalize().replace('Parameters', 'Arguments')}*\n"
        for one in section.value:
            said = " ".join(one.description.split())
            if section.kind is griffe.DocstringSectionKind.raises:
                # Several may stand in one line: "InputError: ... UsageError: ...".
                pairs = re.split(
                    r"(?:^|(?<=\.)) ?([A-Z]\w+(?:, [A-Z]\w+)*): ",
                    f"{str(one.annotation).strip('()')}: {said}",
                )[1:]
                yield from (f"- `{error}`: {why}" for error, why in zip(pairs[::2], pairs[1::2], strict=True))
            else:
                yield f"- {_named(one)}{said}"
        yield ""


def _named(described: Any) -> str:
    """The names of one description: of attributes the parser takes the second of `a, b` for the type of the first."""
    name = getattr(described, "name", "")
    if name.endswith(","):
        name += " " + str(described.annotation).strip("()")
    return f"`{name}`: " if name else ""


def _sentences(docstring: Any) -> str:
    """A docstring's first paragraph, in one line."""
    return " ".join(docstring.value.split("\n\n")[0].split()) if docstring is not None else ""


if __name__ == "__main__":
    DOCUMENT.write_text(api_page(), encoding="utf-8")
