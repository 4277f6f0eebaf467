"""What a retriever whose docids are words alone can do, and what it cannot. Knows options and sentences."""

from __future__ import annotations

from genret.errors import InputError, UsageError
from genret.retrieval.search_options import SearchOptions
from genret.words import Words

__all__ = ["check_words_alone", "refuse_beams"]

WHY = "this model's docids are words alone, without codes that a beam could follow"


def check_words_alone(words: Words | None, options: SearchOptions) -> None:
    """Refuse docids without codes and without words, and searches that follow codes.

    Raises:
        InputError: there are no words. UsageError: the mode is not `plan`.
    """
    if words is None:
        raise InputError(
            "the docids are words alone, and no words are given; give those that lie beside their table."
        )
    if options.mode != "plan":
        raise UsageError(
            f"mode is {options.mode!r}; {WHY}: mode 'plan' ranks all passages by them. Build docids of codes, with words "
            "beside them, to search by beams."
        )


def refuse_beams(what: str) -> None:
    """Refuse what is of beams.

    Args:
        what: that was asked for, as a sentence's beginning.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"{what}: {WHY}; all passages are ranked at once. `standing` (`genret search --gold`) says where one of them stands."
    )
