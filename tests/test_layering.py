"""Imports run downwards only, as ARCHITECTURE.md says."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Lower layers first; a module may import from its own layer and from those before it.
LAYERS = [
    {
        "genret.errors",
        "genret.lazy",
        "genret.version",
        "genret.artefact",
        "genret.generations",
        "genret.stamps",
        "genret.device",
        "genret.jobs",
    },
    {"genret.hub"},
    {"genret.tokenizer"},
    {"genret.config", "genret.plugins"},
    {"genret.constraint", "genret.corpus", "genret.vectors", "genret.words"},
    {"genret.models"},
    {"genret.decoding"},
    {"genret.evaluation", "genret.indexing", "genret.importing", "genret.docids"},
    {"genret.retrieval"},
    {"genret.training", "genret.queries"},
    {"genret.recipes"},
    {
        "genret.fitting",
        "genret.study",
        "genret.installation",
        "genret.doors",
        "genret.batch",
        "genret.browse",
        "genret.engines",
    },
    {"genret.adapters", "genret.serve"},
    {"genret.demo"},
    {"genret.cli"},
]
HEAVY = {"torch", "transformers", "datasets", "deepspeed", "numpy"}


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module: str) -> int | None:
    parts = module.split(".")
    return next((i for i, names in enumerate(LAYERS) if ".".join(parts[:2]) in names), None)


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no module in {package}"
    return found


@pytest.mark.parametrize("package", ["docid", "fm_index"])
def test_the_lower_packages_know_no_model_and_not_each_other(package: str) -> None:
    other = {"docid": "fm_index", "fm_index": "docid"}[package]
    for path in sources(package):
        for module in imports(path):
            assert module.split(".")[0] not in {"genret", "torch", "transformers"}, f"{path} imports {module}"
            allowed = module.startswith("fm_index.container")
            assert module.split(".")[0] != other or allowed, f"{path} imports {module}"


def test_genret_imports_downwards() -> None:
    for path in sources("genret"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        mine = layer(module)
        if mine is None:
            assert module in ("genret.__init__", "genret.__main__"), f"{module} has no place in LAYERS"
            continue
        for imported in imports(path):
            theirs = layer(imported)
            assert theirs is None or theirs <= mine, f"{module} imports {imported} from a higher layer"


def test_architecture_has_this_order_and_names_files_that_exist() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    chain = re.search(r"Imports run downwards only: `([^`]+)`", page)
    assert chain is not None
    # Its last two are packages beside `genret`; single modules, such as `genret.errors`, need not be in it.
    written = [set(rooms.strip().split(", ")) for rooms in reversed(chain[1].split(" -> "))][1:]
    named = set().union(*written)
    ours = [{name.removeprefix("genret.") for name in names} & named for names in LAYERS]
    assert ours == written
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    for name in re.findall(r"`([\w/]+\.py)`", page):
        assert any(f"/{file}".endswith(f"/{name}") for file in files), f"ARCHITECTURE.md names {name}"


@pytest.mark.parametrize("folder", ["scripts", "benchmarks"])
def test_what_is_run_by_hand_imports_what_there_is(folder: str) -> None:
    for path in sources(folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in (
                "genret",
                "docid",
                "fm_index",
            ):
                home = importlib.import_module(str(node.module))
                for name in node.names:
                    there = hasattr(home, name.name) or importlib.util.find_spec(f"{node.module}.{name.name}")
                    assert there, f"{path.relative_to(ROOT)} imports {node.module}.{name.name}"


def test_joints_have_types() -> None:
    """What rooms hand to each other is annotated with what is used of it."""
    joints = re.compile("backbone|tokenizer|model|encoder|module|constraint|retriever")
    untyped = [
        f"{path.relative_to(ROOT)}:{argument.lineno} {argument.arg}"
        for path in sources("genret")
        if path.parent.name != "demo"  # there a module is one of Python's own
        for argument in ast.walk(ast.parse(path.read_text()))
        if isinstance(argument, ast.arg) and joints.fullmatch(argument.arg)
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Any"
    ]
    assert untyped == []


def test_the_command_line_loads_nothing_heavy() -> None:
    for path in [*sources("genret/cli"), ROOT / "genret" / "__init__.py"]:
        for imported in imports(path, top_level_only=True):
            assert imported.split(".")[0] not in HEAVY, f"{path} imports {imported} at the top"


def test_files_and_rooms_stay_small_and_their_names_apart() -> None:
    files = [path for package in ("genret", "docid", "fm_index") for path in sources(package)]
    long = [str(path.relative_to(ROOT)) for path in files if len(path.read_text().splitlines()) > 400]
    assert long == []
    named = [path for path in files if not path.stem.startswith("__")]
    rooms = Counter(path.parent.relative_to(ROOT).as_posix() for path in named)
    assert [room for room, count in rooms.items() if count > 16] == []
    assert sum(count > 1 for count in Counter(path.name for path in named).values()) <= 12
