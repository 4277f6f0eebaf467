"""The pages of the documentation: what they link to is there, and none of their rooms is crowded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# A link's target without its anchor, and paths to pages in backquotes: from the page's folder or from the root.
LINKS = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)|`((?:[\w.]+/)*[\w.]+\.md)`")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target, anchor, named in LINKS.findall(page.read_text(encoding="utf-8")):
        found = [place / (target or named) for place in (page.parent, ROOT) if target or named] or [page]
        there = next((one for one in found[: None if named else 1] if one.exists()), None)
        if there is None or (anchor and anchor not in anchors(there)):
            broken.append(target + (f"#{anchor}" if anchor else "") or named)
    assert broken == []


def test_rooms_of_pages_stay_small() -> None:
    for room in [ROOT / "docs", *(one for one in (ROOT / "docs").rglob("*") if one.is_dir())]:
        assert len([one for one in room.iterdir() if one.is_file()]) <= 16, room
