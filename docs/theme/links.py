"""Pages name each other in backquotes, from the repository's root or from their own folder; on the site these are links.

Knows mkdocs' hooks. A file that is no page of the site stays as it is written.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

# A page or a file of the repository in backquotes, not within a link already.
NAMED = re.compile(r"(?<![\[`])`((?:\.\./|docs/)*[\w./-]+\.md)`(?![\]`])")
# Links that leave the folder of the pages: these files are in the repository.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks|tests|scripts|configs)/[^)]*\)")


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: Any) -> str:
    """Give every page that is named a link, and leave the text of links that the site cannot follow."""
    here = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        name = found[1]
        for target in (posixpath.normpath(posixpath.join(here, name)), name.removeprefix("docs/")):
            if files.get_file_from_path(target) is not None:
                return f"[{found[0]}]({posixpath.relpath(target, here or '.')})"
        return found[0]

    # Blocks of code are left alone: every second part.
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [OUTSIDE.sub(r"\1", NAMED.sub(link, part)) for part in parts[::2]]
    return "".join(parts)
