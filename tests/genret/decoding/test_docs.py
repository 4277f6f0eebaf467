"""The examples of the guide run, in order, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "constrained_decoding.md"


def test_every_example_of_the_guide_runs() -> None:
    text = GUIDE.read_text()
    blocks = [
        (text[: match.start()].count("\n") + 2, match[1])
        for match in re.finditer(r"```python\n(.*?)```", text, re.S)
    ]
    assert len(blocks) >= 15
    names: dict[str, Any] = {}
    for line, block in blocks:
        # Line numbers of the guide, so that a failure points into it.
        exec(compile("\n" * (line - 1) + block, str(GUIDE), "exec"), names)
