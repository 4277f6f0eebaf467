"""One layout of a passage's fields as tokens, for the index and for what a model is trained to emit.

Knows fields and a tokenizer; knows nothing of indexes and models. A passage is `title, separator, text`, and then,
for each of its pseudo-queries, `query mark, query, separator`. Every field is tokenised on its own with a space before it, so
that a word has the same tokens at the start of a field as within it; other white space becomes one space, so that
no field holds a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from docid.scripts import starts_unspaced
from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["Layout", "encode_field"]

# What may serve as a mark, best first: text that a language model writes between fields, then tokens that
# tokenizers keep free.
WRITTEN = ("\n", "\n\n")
# The last are those of fairseq's BART, whose tokenizer spells no newline by itself where texts begin with a space.
RESERVED = (
    "<extra_id_0>", "<extra_id_1>", "[unused1]", "[unused2]", "madeupword0000", "madeupword0001"
)  # fmt: skip
TAKEN = ("eos_token_id", "bos_token_id", "pad_token_id", "cls_token_id", "sep_token_id", "unk_token_id")


@dataclass(frozen=True)
class Layout:
    """The tokens that mark fields.

    Attributes:
        separator: behind a title, and behind each pseudo-query.
        query_mark: before each pseudo-query.
    """

    separator: int
    query_mark: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self:
        """The first two marks that the tokenizer has a token for.

        Raises:
            InputError: it has fewer than two.
        """
        marks = list(dict.fromkeys(_marks(tokenizer)))
        if len(marks) < 2:
            raise InputError(
                "the tokenizer has no two tokens that could mark fields: expected a token of its own for a newline, "
                "or additional special tokens; add two with `additional_special_tokens`."
            )
        return cls(marks[0], marks[1])

    @classmethod
    def stored(cls, values: Mapping[str, int] | None) -> Self | None:
        """What `values` gave; None for an index without marks."""
        return None if values is None else cls(**values)

    def values(self) -> dict[str, int]:
        """For a manifest."""
        return asdict(self)

    def joined(
        self, title: Sequence[int], text: Sequence[int], queries: Sequence[Sequence[int]] = ()
    ) -> list[int]:
        """The tokens of a passage, from those of its fields; a pseudo-query without tokens is none."""
        asked = filter(len, queries)
        marked = [token for query in asked for token in (self.query_mark, *query, self.separator)]
        return [*title, self.separator, *text, *marked]


def encode_field(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text as a field, or as words within one; an empty text has none.

    A text of a script without spaces has none before it either: within a field its characters follow one another.
    """
    spaced = [" ".join(text.split()) for text in texts]
    return text_ids(
        tokenizer, [" " + text if text and not starts_unspaced(text) else text for text in spaced]
    )


def _marks(tokenizer: Tokenizer) -> Iterator[int]:
    taken = {getattr(tokenizer, name, None) for name in TAKEN}
    for text, ids in zip(WRITTEN, text_ids(tokenizer, WRITTEN), strict=True):
        if len(ids) == 1 and tokenizer.decode(ids) == text:
            yield ids[0]
    vocabulary = tokenizer.get_vocab()
    for token in (*tokenizer.all_special_tokens, *RESERVED):
        if token in vocabulary and vocabulary[token] not in taken:
            yield vocabulary[token]
