"""What every docid strategy is: from fields of the documents to a `DocidTable`; knows no model and no corpus files."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged
from docid.table import DocidTable
from fm_index.container import write_container

__all__ = ["KIND", "VERSION", "Docids", "DocumentFields", "Index", "Strategy", "Tokenize"]

KIND = "docid-strategy"
# 2: residual codes know how much of a vector they keep.
VERSION = 2

# Texts to token ids without special tokens: the canonical tokenisation, in the context where a decoder starts.
Tokenize: TypeAlias = Callable[[list[str]], list[list[int]]]
Index: TypeAlias = Literal["trie", "fm-index"]


@dataclass(frozen=True)
class DocumentFields:
    """What strategies may read of the documents, one row each, in document order; give what yours needs.

    Attributes:
        num_documents: rows of every field that is given.
        titles: one a document; may be empty or repeat.
        texts: one a document.
        urls: one a document; may repeat.
        embeddings: floats [num_documents, dimensions]; may be a memory map.
        codes: what a fitted quantiser gave them already, where that was done in parts: ints [num_documents, levels].
    """

    num_documents: int
    titles: Sequence[str] | None = None
    texts: Sequence[str] | None = None
    urls: Sequence[str] | None = None
    embeddings: npt.NDArray[Any] | None = None
    codes: IntArray | None = None

    def __post_init__(self) -> None:
        for name in ("titles", "texts", "urls", "embeddings", "codes"):
            field = getattr(self, name)
            if field is not None and len(field) != self.num_documents:
                raise InputError(
                    f"{name}: found {len(field)} rows, expected one for each of {self.num_documents} documents."
                )


class Docids(NamedTuple):
    """Docids of some documents, before they are a table.

    Attributes:
        strings: one a document.
        sequences: a row of tokens for each; -(i + 1) is token i of the table's new tokens, then of `new_tokens`.
        new_tokens: new tokens that the table does not have yet.
    """

    strings: Sequence[str]
    sequences: Ragged | Sequence[Sequence[int]]
    new_tokens: Sequence[str] = ()


class Strategy(ABC):
    """A way to give every document a docid; a dataclass whose fields are its options.

    The same fields and options give the same table, whatever the number of threads. What a strategy learns from
    the documents is in `state`: arrays by name, empty where it learns nothing, None before `fit`.
    """

    name: ClassVar[str]
    # The names of the `DocumentFields` that the strategy needs.
    reads: ClassVar[tuple[str, ...]] = ()
    # What constrains decoding and leads back to the documents.
    index: ClassVar[Index] = "trie"
    state: dict[str, IntArray] | None = None

    def fit(self, fields: DocumentFields) -> None:
        """Learn from the documents what new documents will be given docids by.

        Raises:
            InputError: a field is needed and missing, or unusable; the message names the rows.
        """
        self.state = {}

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        """Give each document its docid; fits first where that has not been done.

        Args:
            fields: what is known of the documents.
            tokenize: the model's tokenizer, for strategies whose docids are text.

        Raises:
            InputError: a field or the tokenizer is needed and missing, or unusable; the message names the rows.
        """
        if self.state is None:
            self.fit(fields)
        return DocidTable.build(*self.docids(fields, tokenize, DocidTable.build([], [])))

    def assign_new(
        self, table: DocidTable, fields: DocumentFields, tokenize: Tokenize | None = None
    ) -> DocidTable:
        """The table with more documents, numbered from `table.num_documents`; docids already given stay.

        Raises:
            InputError: as `assign`; or the strategy has not been fitted.
        """
        if self.state is None:
            raise InputError(
                f"docid strategy {self.name!r} has not been fitted; load the one that made this table, or assign all "
                "documents anew."
            )
        return table.extended(*self.docids(fields, tokenize, table))

    @abstractmethod
    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        """Docids for the documents of `fields`, which come after those of `taken`; called by `assign`."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write name, options and what was learned to one checksummed file."""
        options = {field.name: getattr(self, field.name) for field in dataclass_fields(self)}  # type: ignore[arg-type]
        meta = {"name": self.name, "options": options, "fitted": self.state is not None}
        write_container(path, kind=KIND, version=VERSION, meta=meta, arrays=self.state or {})

    def fault(self) -> str | None:
        """Why `state`, as a file held it, is not what this strategy learns under its options; None where it may be."""
        return "it has learned what its kind does not learn" if self.state else None

    def fault_in_table(self, table: DocidTable) -> str | None:
        """Why a table is none that this strategy, as it is fitted, gave; None where it may be."""
        return None

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
