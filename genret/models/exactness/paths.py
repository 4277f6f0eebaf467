"""Which shortcuts a backbone may take with its model; knows no model.

Each was proven for this model when it was loaded (`self_check.py`), or is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Company", "Paths", "Proof"]

# What may share a batch: rows of any lengths, with padding; rows of one length; nothing, each is alone.
Company = Literal["padded", "equal", "alone"]


@dataclass(frozen=True)
class Paths:
    """Shortcuts; what is off is slower, never wrong.

    Attributes:
        head: hidden states are projected on the columns asked for; else the model's own logits are used.
        cache: keys and values of earlier tokens are kept; else each step computes whole sequences.
        sources: what the encoder reads together.
        rows: what the decoder reads together, by the lengths of the sources (or prompts).
        shared: what is stored once per query is read by all of its beams, never copied.
        several: several tokens of each row in one step.
        uneven: rows may be fed different numbers of tokens in one step.
        whole_tokens: tokens with which the cache is wrong; sequences that hold one are computed whole.
        reach: tokens (prompt and docid) up to which the cache is right; None: any number.
        beyond: what is right of the sequences beyond that: all, computed whole; those whose prompts are beyond it;
            or none, so that they are refused.
    """

    head: bool = True
    cache: bool = True
    sources: Company = "padded"
    rows: Company = "padded"
    shared: bool = True
    several: bool = True
    uneven: bool = True
    whole_tokens: tuple[int, ...] = ()
    reach: int | None = None
    beyond: Literal["all", "long prompts", "none"] = "all"

    def table(self) -> dict[str, str]:
        """Each path and whether it is taken, for people."""
        stepped = {
            "shared attention": _on(self.cache and self.shared),
            "several tokens at a step": _on(self.several or not self.cache),
            "tails in one pass": _on(self.uneven or not self.cache),
        }
        table = {"cache": _on(self.cache), **stepped, "output layer": _on(self.head)}
        table["sources in one batch"] = _COMPANY[self.sources]
        table["queries in one batch"] = _COMPANY[self.rows]
        if self.whole_tokens:
            table["cache"] += f", not behind the tokens {', '.join(map(str, self.whole_tokens))}"
        if self.reach is not None:
            table["cache"] += f", not beyond {self.reach} tokens"
            if self.beyond != "all":
                table["cache"] += f" (of which are answered: {self.beyond})"
        return table


_COMPANY = {"padded": "on", "equal": "of equal length only", "alone": "off"}


def _on(taken: bool) -> str:
    return "on" if taken else "off"


@dataclass(frozen=True)
class Proof:
    """What `self_check` found: the paths, and for each that is off what it did wrong, as a sentence."""

    paths: Paths
    faults: tuple[str, ...] = ()
