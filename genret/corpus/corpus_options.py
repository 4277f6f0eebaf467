"""How a corpus is read, wherever one is: which fields are meant, how texts are split, what is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from genret.errors import UsageError

__all__ = ["AS_IS", "WHOLE", "CorpusOptions", "Split"]

LONGEST_PIECE = 1_000_000
# Texts that are not split.
WHOLE = "none"
SPLIT = re.compile(r"none|sections|sentences|(?:words|sentences):0*([1-9][0-9]{0,6})")


class Split(NamedTuple):
    """Into what a document's text is split; `words`: at most so many a piece, None: one unit a piece."""

    unit: Literal["none", "sections", "sentences", "words"]
    words: int | None = None


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus is read.

    Attributes:
        id: field of records that names a passage; dots lead into objects. None: `_id`, `id` or another usual name.
        title: field of its title; None: `title`.
        text: field of its text; None: `text` or another usual name.
        split: `none`, `sections`, `sentences`, `words:100`, or `sentences:100` (whole sentences, at most so many words).
            None: nobody says, which is `none` for a corpus by itself, and for a model's what the model remembers.
        skip_empty: leave out passages that have neither title nor text, and say how many and which.
    """

    id: str | None = None
    title: str | None = None
    text: str | None = None
    split: str | None = None
    skip_empty: bool = False

    def __post_init__(self) -> None:
        self.splitting  # noqa: B018  (refused here, and not when the corpus is read)
        for name, value in (("id", self.id), ("title", self.title), ("text", self.text)):
            if value is not None and not value.strip():
                raise UsageError(f"the field of the {name} has no name; give one, such as --{name} NAME.")

    @property
    def splitting(self) -> Split:
        """`split`, read.

        Raises:
            UsageError: it is none of the ways.
        """
        split = WHOLE if self.split is None else self.split
        match = SPLIT.fullmatch(split)
        words = None if match is None or match[1] is None else int(match[1])
        if match is None or (words or 0) > LONGEST_PIECE:
            raise UsageError(
                f"split: expected none, sections, sentences, words:N or sentences:N (N words a piece, 1 to "
                f"{LONGEST_PIECE:,}), such as words:100; found {split!r}."
            )
        unit = split.partition(":")[0]
        return Split(unit, words)  # type: ignore[arg-type]

    def split_as(self, split: str | None, owner: str) -> CorpusOptions:
        """These options for passages that come to those of `owner`, whose texts were split as `split` says (None: unknown).

        Raises:
            UsageError: these say otherwise.
        """
        if split is None:
            return self
        told = replace(self, split=split)
        if self.split is not None and self.splitting != told.splitting:
            raise UsageError(
                f"split: {owner} was made of a corpus split by {split!r}, and {self.split!r} is asked for; leave --split out, "
                "or make another model."
            )
        return told

    @property
    def names_fields(self) -> bool:
        """Whether any field is named."""
        return not self.id is self.title is self.text is None


# A corpus as it stands: usual names, nothing split, nothing left out.
AS_IS = CorpusOptions()
