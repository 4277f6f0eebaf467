"""Draws every figure of the documentation anew: `make figures`.

    python -m scripts.figures [FOLDER]

Each is drawn from a table of its page, or from a small one beside the figure; no run is needed. FOLDER: where to
write, docs/figures if left out. (`fm_index.svg` is a drawing, and has no numbers.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scripts.figures import docid_kinds, growth, losses, memory, ngrams
from scripts.figures.tables import DOCS

RESULTS = DOCS / "results"
# What draws each figure, into a file.
FIGURES: dict[str, Callable[[Path], None]] = {
    "haystacks.svg": partial(growth.draw, RESULTS / "haystacks.md", "hit@10"),
    "scale.svg": partial(growth.draw, RESULTS / "training_data.md", "hit@10"),
    "docids_boolq.svg": partial(docid_kinds.draw, DOCS / "docids.md", 0),
    "docids_wiki179k.svg": partial(docid_kinds.draw, DOCS / "docids.md", 1),
    "scaling.svg": partial(memory.draw, DOCS / "experiments" / "scaling.md"),
    "bf16_losses.svg": partial(losses.draw, DOCS / "figures" / "bf16_losses.tsv"),
    "ngrams_query.svg": partial(ngrams.draw, DOCS / "figures" / "ngrams_query.tsv"),
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "figures"
    for name, draw in FIGURES.items():
        draw(folder / name)
        print(folder / name)


if __name__ == "__main__":
    main()
