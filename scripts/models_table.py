"""Write `docs/models.md`: which architectures of transformers are taken, by which shortcuts, and which are refused.

Run: `make models`. Tiny random models, no download; about a minute.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genret.errors import InputError
from genret.hub import quiet_transformers
from tests.genret.models.architectures import ARCHITECTURES

__all__ = ["DOCUMENT", "row_of"]

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "models.md"
COLUMNS = (
    "cache", "shared attention", "several tokens at a step", "tails in one pass", "queries in one batch",
    "sources in one batch", "output layer",
)  # fmt: skip
HEAD = f"""# Models

Which architectures of transformers are taken. Made by `make models` from tiny random models of each
(`tests/genret/models/architectures.py`); the tests hold every row.

When a model is loaded, each shortcut is compared with transformers' own logits of one sequence at a time, without a
cache and without padding (`genret/models/exactness/`). A shortcut that differs is off for this model: slower, and
exact. A model that is wrong without any is refused. `genret doctor MODEL` says the same of a folder. What is found
depends on the architecture and its configuration, so a model of your own may differ from its row.

A sentence encoder is asked once as well: where its vectors depend on padding (FNet, ConvBERT, YOSO, MobileBERT), texts
of one length are encoded together, and no others; one that gives no states of a single text's tokens is refused.

- *cache*: keys and values of earlier tokens are kept. Off: every step computes whole sequences.
- *shared attention*: what is stored once per query is never copied for its beams. Tried for types whose attention
  is known to allow it.
- *several tokens at a step*, *tails in one pass*: tokens without a choice go through the model together, also where
  beams have different numbers of them.
- *queries in one batch*, *sources in one batch*: decoder and encoder read queries of unlike length together.
- *output layer*: only the columns asked for are computed. Off: the model's own logits.

| architecture | accepted | {" | ".join(COLUMNS)} | why not |
| --- | --- |{" --- |" * (len(COLUMNS) + 1)}
"""


def row_of(name: str, make: Callable[[], Any]) -> str:
    """One line of the table; without measured numbers, which differ from machine to machine."""
    try:
        backbone = make()
    except InputError as error:
        return _row(name, "no", [""] * len(COLUMNS), str(error))
    except (ValueError, AttributeError, NotImplementedError) as error:  # transformers does not make it
        return _row(name, "not made", [""] * len(COLUMNS), f"transformers: {error}")
    table = backbone.proof.paths.table()
    return _row(name, "yes", [table[column] for column in COLUMNS], "; ".join(backbone.proof.faults))


def _row(name: str, accepted: str, cells: list[str], why: str) -> str:
    why = re.sub(r" by \S+ standard deviations", "", why).splitlines()[0][:300] if why else ""
    return f"| {' | '.join([name, accepted, *cells, why.replace('|', '/')])} |"


def main() -> None:
    """Make the table."""
    logging.getLogger("genret").setLevel(logging.ERROR)
    with quiet_transformers():
        rows = [row_of(name, make) for name, make in ARCHITECTURES.items()]
    counts = {word: sum(f"| {word} |" in row for row in rows) for word in ("yes", "no", "not made")}
    summary = f"\n{counts['yes']} accepted, {counts['no']} refused, {counts['not made']} not made by transformers.\n"
    DOCUMENT.write_text(HEAD + "\n".join(rows) + "\n" + summary, encoding="utf-8")


if __name__ == "__main__":
    main()
