"""What the core does without: the one sentence where a package is missing, with the extra that brings it.

Knows no package; the extras are those of setup.cfg.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from docid.errors import UsageError

__all__ = ["MissingPackage", "missing", "needs"]


class MissingPackage(UsageError, ImportError):
    """A package that is no part of the core is not installed, or does not import."""


def missing(what: str, package: str, *, extra: str | None = None, reason: str = "") -> MissingPackage:
    """The error to raise where `what` cannot go on.

    Args:
        what: needs the package: "a figure".
        package: as it is installed; pip is named it where no extra of ours brings it.
        extra: of ours, which brings it.
        reason: what Python said.
    """
    install = package if extra is None else f"'genret[{extra}]'"
    told = f" ({reason})" if reason else ""
    return MissingPackage(f"{what} needs {package}: pip install {install}{told}.")


@contextmanager
def needs(what: str, package: str, *, extra: str | None = None) -> Iterator[None]:
    """Around the imports of what is no part of the core; the arguments are those of `missing`.

    Raises:
        MissingPackage: one of them failed.
    """
    try:
        yield
    except ImportError as error:
        raise missing(what, package, extra=extra, reason=str(error)) from None
