"""Training examples: what the model reads and the tokens that it must emit for it.

Knows pairs of texts and passages, and docid tokens; knows no model and no loss. Where the pairs come from is the
business of `genret.training.examples.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

from genret.errors import InputError
from genret.training.examples.sources import Pair

if TYPE_CHECKING:
    from docid.table import DocidTable

__all__ = ["Example", "Examples", "Targets"]


class Example(NamedTuple):
    """One training example.

    Attributes:
        source: the text that the model reads.
        target: docid tokens, the end token included.
        task: the name of the source that it came from; mixtures and metrics go by it.
        weight: of each of its tokens in the loss.
        document: the passage's row in the corpus, the first one's where it has several; -1 when there is none.
    """

    source: str
    target: tuple[int, ...]
    task: str
    weight: float = 1.0
    document: int = -1


class Targets:
    """The tokens that stand for passages.

    Args:
        table: docids, bound to the model's vocabulary; None where every pair brings its own tokens.
        separator: tokens between docids where an example has several; empty: such an example is an error.
    """

    def __init__(self, table: DocidTable | None, eos_token_id: int, separator: Sequence[int] = ()) -> None:
        self.table, self.eos, self.separator = table, eos_token_id, tuple(separator)

    def tokens(self, pair: Pair) -> tuple[int, ...]:
        """The target of a pair, the end token included; a docid that several of its passages share comes once.

        Raises:
            InputError: there are several docids and no separator.
        """
        if pair.tokens is not None:
            return (*pair.tokens, self.eos)
        if self.table is None:
            raise InputError(
                f"the text {pair.text[:60]!r} leads to passages, and this model emits n-grams, not docids; choose a "
                "source of n-grams."
            )
        docids = dict.fromkeys(tuple(map(int, self.table.sequence(row))) for row in pair.documents)
        if len(docids) > 1 and not self.separator:
            raise InputError(
                f"the text {pair.text[:60]!r} leads to {len(docids)} docids at once; set docids.separator, the "
                "text between them, or choose a source with one answer an example."
            )
        joined = [token for docid in docids for token in (*self.separator, *docid)]
        return (*joined[len(self.separator) :], self.eos)


class Examples(Sequence[Example]):
    """Pairs of one source as examples, each made when it is asked for."""

    def __init__(self, pairs: Sequence[Pair], task: str, targets: Targets) -> None:
        self.pairs, self.task, self.targets = pairs, task, targets

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        pair = self.pairs[place]
        document = pair.documents[0] if pair.documents else -1
        return Example(pair.text, self.targets.tokens(pair), self.task, 1.0, document)
