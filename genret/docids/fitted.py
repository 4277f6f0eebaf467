"""The strategy that gave a model's docids, kept with the model, so that passages that come later get theirs from it.

Knows strategies, tables and backbones; knows no corpus files and no search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from docid import DocidTable
from docid.strategies import Strategy
from genret.corpus.types import Passage
from genret.docids.make import add_docids
from genret.docids.strategies import STRATEGY_DOOR, open_strategy
from genret.errors import ArtefactError, InputError
from genret.models.backbone import Backbone
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.tokenizer.plain_text import text_ids
from genret.vectors.embedding import embed_texts

__all__ = ["STRATEGY_FILE", "FittedStrategy"]

STRATEGY_FILE = "docids.strategy"


@dataclass(frozen=True)
class FittedStrategy:
    """What gave docids, and gives later ones.

    Attributes:
        strategy: fitted.
        encoder: the fingerprint of the sentence encoder whose vectors it read; None where it reads none, or where
            they came in a file.
    """

    strategy: Strategy
    encoder: str | None = None

    def later(self, table: DocidTable, passages: Sequence[Passage], backbone: Backbone) -> DocidTable:
        """`table` with docids for more passages, bound to the model's vocabulary as it is.

        Raises:
            InputError: the strategy reads vectors of an encoder that the model does not hold, or would need tokens that
                the model has not.
        """
        tokenize = partial(text_ids, backbone.tokenizer)
        grown = add_docids(
            self.strategy, table, passages, partial(self._vectors, passages, backbone), tokenize
        )
        if not grown.is_bound:
            token = grown.new_tokens[len(grown.arrays.new_token_ids)]
            raise InputError(
                f"docid strategy {self.strategy.name!r}: later passages would need the new token {token}, and the model "
                "has learned to write the tokens that it has. Make the model anew with these passages."
            )
        return grown

    def fault(self, table: DocidTable) -> str | None:
        """Why the table is not one that it gave; None where it may be."""
        return (
            "it has not been fitted" if self.strategy.state is None else self.strategy.fault_in_table(table)
        )

    def is_found_again(self) -> bool:
        """Whether a file that names the strategy leads back to its class: ours, or an entry point's."""
        return STRATEGY_DOOR.found(self.strategy.name, STRATEGY_FILE) is type(self.strategy)

    def save(self, folder: Path) -> None:
        """Write `STRATEGY_FILE` into a folder."""
        self.strategy.save(folder / STRATEGY_FILE)

    @classmethod
    def load(cls, folder: Path, encoder: str | None, table: DocidTable) -> FittedStrategy:
        """Open what `save` wrote.

        Raises:
            ArtefactError: it is missing or damaged, or did not give the docids of `table`.
        """
        path = folder / STRATEGY_FILE
        found = cls(open_strategy(path), encoder)
        if fault := found.fault(table):
            raise ArtefactError(f"{path}: belongs to other docids than those beside it: {fault}.")
        return found

    def _vectors(self, passages: Sequence[Passage], backbone: Backbone) -> npt.NDArray[Any]:
        """As `genret.vectors.embedding.passage_vectors` made those that the strategy was fitted to."""
        held = backbone.sentence_encoder if isinstance(backbone, FrozenEncoderBackbone) else None
        if held is None or held.fingerprint != self.encoder:
            raise InputError(
                f"docid strategy {self.strategy.name!r} gives docids by vectors, and the model does not hold the encoder "
                "that made those of its passages: none can be added. Give all passages docids anew (`genret docid "
                "build`), and train a model on them."
            )
        return embed_texts(held, [passage.full_text for passage in passages], description="encoding passages")
