"""docs/api.md is what the sources say, every public name says what it is, and the page's first block runs."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from scripts.api_page import DOCUMENT, PACKAGES, api_page, documented, read_packages


@pytest.fixture(scope="module")
def packages() -> dict[str, dict[str, Any]]:
    return documented(read_packages())


def test_the_page_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == api_page(), "run `make docs-api`"


@pytest.mark.parametrize("package", PACKAGES)
def test_its_names_are_those_of_the_package(package: str, packages: dict[str, dict[str, Any]]) -> None:
    exported = importlib.import_module(package).__all__
    assert list(packages[package]) == [name for name in exported if not name.startswith("__")]


def test_every_name_says_what_it_is(packages: dict[str, dict[str, Any]]) -> None:
    silent = []
    for package, names in packages.items():
        for name, found in names.items():
            silent += [f"{package}.{name}"] if found.docstring is None and not found.is_attribute else []
            # What overrides a described method is as that one is.
            inherited = (
                {member for base in found.mro() for member in base.members} if found.is_class else set()
            )
            silent += [
                f"{package}.{name}.{member.name}"
                for member in (found.members.values() if found.is_class else [])
                if member.is_function and not member.name.startswith("_") and member.docstring is None
                if member.name not in inherited
            ]
    assert silent == []


def test_every_heading_is_one_of_its_kind() -> None:
    headings = re.findall(r"^#+ (.*)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(headings) == len(set(headings)) > 150
