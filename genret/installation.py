"""What is installed here, on what device, and what is missing: the checks behind `genret doctor`.

Imports nothing heavy until it is asked, and lets no missing part stop the others.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import NamedTuple

from packaging.requirements import Requirement

from genret.plugins import guests

__all__ = ["Check", "check_model", "run_checks"]


class Check(NamedTuple):
    """One line of the report; `advice` is empty when nothing is wrong."""

    name: str
    found: str
    advice: str = ""
    required: bool = True


def run_checks() -> Iterator[Check]:
    """Yield every check, the interpreter first."""
    yield Check("python", f"{platform.python_version()} at {sys.executable}", _python_advice())
    yield from _packages()
    yield _guarded("native core", _native_core, "run `make install` (a C++17 compiler is needed)")
    yield _guarded("device", _device, "torch does not import; reinstall it")
    yield _guarded("memory", _memory, "", required=False)
    yield Check("model hub", _hub(), required=False)
    yield from _guests()


def check_model(folder: str) -> Iterator[Check]:
    """Which shortcuts the self-check has found exact for a model, and why not the others.

    Raises:
        InputError: no such folder, or a model that is not supported.
    """
    from genret.models import load_backbone
    from genret.models.exactness.paths import Paths
    from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
    from genret.models.pretrained import PretrainedBackbone

    backbone = load_backbone(folder)
    if not isinstance(backbone, PretrainedBackbone):  # the frozen encoder's decoder is our own
        yield Check("model", type(backbone).__name__)
        if isinstance(backbone, FrozenEncoderBackbone):
            paths = Paths(sources=backbone.sentence_encoder.company)
            yield Check("sources in one batch", paths.table()["sources in one batch"], required=False)
        return
    yield Check("model", type(backbone.model).__name__)
    for path, taken in backbone.proof.paths.table().items():
        yield Check(path, taken, required=False)
    for fault in backbone.proof.faults:
        yield Check("not exact, so not used", fault, required=False)


def _guests() -> Iterator[Check]:
    """What installed packages add, and why what cannot be used cannot."""
    from genret.doors import DOORS

    for guest in guests(DOORS):
        found = f"{guest.value}: {', '.join(guest.kinds) or 'unusable'}"
        yield Check(f"guest {guest.name}", found, guest.error or "", required=False)


def _python_advice() -> str:
    return "" if sys.version_info >= (3, 11) else "Python 3.11 or later is needed"


def _packages() -> Iterator[Check]:
    """What the core needs, a line each, then the extras, as the installed metadata says."""
    try:
        ours = distribution("genret")
    except PackageNotFoundError:
        yield Check("genret", "a source tree that is not installed", "pip install .", required=False)
        return
    needed = [Requirement(line) for line in ours.requires or ()]
    for one in needed:
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            found, wrong = _found(one)
            yield Check(one.name, found, f"pip install '{one.name}{one.specifier}'" if wrong else "")
    for extra in sorted(ours.metadata.get_all("Provides-Extra") or ()):
        theirs = [one for one in needed if one.marker is not None and one.marker.evaluate({"extra": extra})]
        lacking = ", ".join(one.name for one in theirs if _found(one)[1])
        advice = f"pip install 'genret[{extra}]'" if lacking else ""
        yield Check(
            f"extra {extra}", f"without {lacking}" if lacking else "installed", advice, required=False
        )


def _found(needed: Requirement) -> tuple[str, bool]:
    """The version that is installed, or what else there is, and whether that is wrong."""
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return "missing", True
    return found, not needed.specifier.contains(found, prereleases=True)


def _guarded(name: str, find: Callable[[], str], advice: str, *, required: bool = True) -> Check:
    try:
        return Check(name, find(), required=required)
    except (ImportError, OSError, RuntimeError) as error:
        return Check(name, f"failed: {error}", advice, required)


def _native_core() -> str:
    module = importlib.import_module("fm_index._core")
    return f"compiled, {os.path.basename(str(module.__file__))}"


def _device() -> str:
    from genret.device import describe_device, pick_device

    return describe_device(pick_device())


def _memory() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    free = os.sysconf("SC_AVPHYS_PAGES")
    return f"{pages * size / 2**30:.1f} GiB, {free * size / 2**30:.1f} GiB free"


def _hub() -> str:
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    return (
        "offline (HF_HUB_OFFLINE is set)" if offline else "asked when a model is named and not a local folder"
    )
