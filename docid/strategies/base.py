"""What every docid strategy is: from fields of the documents to a `DocidTable`; knows no model and no corpus files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy.typing as npt

from docid.errors import InputError
from docid.table import DocidTable

__all__ = ["DocumentFields", "Strategy", "Tokenize"]

# Texts to token ids without special tokens: the canonical tokenisation, in the context where a decoder starts.
Tokenize: TypeAlias = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True)
class DocumentFields:
    """What strategies may read of the documents, one row each, in document order; give what yours needs.

    Attributes:
        num_documents: rows of every field that is given.
        titles: one a document; may be empty or repeat.
        embeddings: floats [num_documents, dimensions]; may be a memory map.
    """

    num_documents: int
    titles: Sequence[str] | None = None
    embeddings: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        for name in ("titles", "embeddings"):
            field = getattr(self, name)
            if field is not None and len(field) != self.num_documents:
                raise InputError(
                    f"{name}: found {len(field)} rows, expected one for each of {self.num_documents} documents."
                )


class Strategy(ABC):
    """A way to give every document a docid; a dataclass whose fields are its options.

    The same fields and options give the same table, whatever the number of threads.
    """

    name: ClassVar[str]
    # The names of the `DocumentFields` that the strategy needs.
    reads: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        """Give each document its docid.

        Args:
            fields: what is known of the documents.
            tokenize: the model's tokenizer, for strategies whose docids are text.

        Raises:
            InputError: a field or the tokenizer is needed and missing, or unusable; the message names the rows.
        """

    def need(self, fields: DocumentFields, field: str) -> Any:
        """The named field.

        Raises:
            InputError: it was not given.
        """
        value = getattr(fields, field)
        if value is None:
            raise InputError(f"docid strategy {self.name!r} needs the documents' {field}; none were given.")
        return value

    def need_tokenizer(self, tokenize: Tokenize | None) -> Tokenize:
        """The tokenizer.

        Raises:
            InputError: it was not given.
        """
        if tokenize is None:
            raise InputError(
                f"docid strategy {self.name!r} spells docids as text and needs the model's tokenizer."
            )
        return tokenize
