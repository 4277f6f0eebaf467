"""The pages of the documentation: what they link to is there, and none of their rooms is crowded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# A link's target and its anchor.
LINKS = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
# Pages in backquotes, from the page's folder or from the root; what begins otherwise is a reader's own file.
NAMED = re.compile(r"`((?:docs|experiments|results|training|\.\.)/[\w./]+\.md)`")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text, broken = page.read_text(encoding="utf-8"), []
    for target, anchor in LINKS.findall(text):
        there = page.parent / target if target else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(f"{target}#{anchor}")
    broken += [
        name for name in NAMED.findall(text) if not any((one / name).exists() for one in (page.parent, ROOT))
    ]
    assert broken == []


def test_rooms_of_pages_stay_small() -> None:
    for room in [ROOT / "docs", *(one for one in (ROOT / "docs").rglob("*") if one.is_dir())]:
        assert len([one for one in room.iterdir() if one.is_file()]) <= 16, room
