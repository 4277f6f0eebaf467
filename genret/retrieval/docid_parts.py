"""What a folder of a docid model says of its parts, and whether they belong together.

Knows tables, words, strategies and backbones; searches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docid import DocidTable
from docid.words import words_alone
from genret.errors import ArtefactError, InputError
from genret.models.backbone import Backbone
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.words import Words
from genret.words.words import SETS_FILE

if TYPE_CHECKING:
    from genret.docids.fitted import FittedStrategy

__all__ = ["check_tokenizer", "check_tokens", "fitted_in", "known", "parts_meta", "words_in"]

# Of the manifest's `meta`: the tokenizer, whether docids have words, whether what gave them is known, whose vectors it read.
TOKENIZER, WORDS, STRATEGY, ENCODER = "tokenizer", "words", "strategy", "encoder"


def parts_meta(backbone: Backbone, words: Words | None, fitted: FittedStrategy | None) -> dict[str, Any]:
    """What a manifest says of these."""
    return {
        TOKENIZER: tokenizer_fingerprint(backbone.tokenizer),
        WORDS: words is not None,
        STRATEGY: fitted is not None,
        ENCODER: None if fitted is None else fitted.encoder,
    }


def words_in(place: Path, meta: Mapping[str, Any], table: DocidTable, backbone: Backbone) -> Words | None:
    """The words in a model folder; None where it has none.

    Raises:
        ArtefactError: they are damaged, of other documents than the table's, or missing where docids are words alone.
    """
    if meta.get(WORDS, False) is not (place / SETS_FILE).exists():
        raise ArtefactError(
            f"{place}: altered: its manifest and its files differ in whether docids have words."
        )
    words = Words.load(place, backbone.source_tokenizer) if meta.get(WORDS) else None
    if words is not None and words.sets.num_documents != table.num_documents:
        raise ArtefactError(f"{place}: altered: its words and its passages differ in number.")
    if words is None and words_alone(table):
        raise ArtefactError(f"{place}: altered: its docids are words alone, and it has no words.")
    return words


def fitted_in(place: Path, meta: Mapping[str, Any], table: DocidTable) -> FittedStrategy | None:
    """What gave the docids in a model folder; None where it does not say.

    Raises:
        ArtefactError: it is damaged, or did not give them.
    """
    if not meta.get(STRATEGY):
        return None
    # Imported where there is one: a search needs no strategies.
    from genret.docids.fitted import FittedStrategy

    return FittedStrategy.load(place, meta.get(ENCODER), table)


def known(fitted: FittedStrategy | None) -> FittedStrategy:
    """What gives later passages their docids.

    Raises:
        InputError: nobody knows.
    """
    if fitted is None:
        raise InputError(
            "this model does not hold the strategy that gave its docids (they came from a table, or it was written by an "
            "earlier version): passages can be removed, none can be added. Build the model again to add some."
        )
    return fitted


def check_tokenizer(place: Path, meta: Mapping[str, Any], backbone: Backbone) -> None:
    """Refuse a tokenizer other than the one that the docids were made with.

    Raises:
        ArtefactError: the fingerprints differ.
    """
    expected, found = str(meta.get(TOKENIZER)), tokenizer_fingerprint(backbone.tokenizer)
    if found != expected:
        raise ArtefactError(
            f"{place}: its docids were made with the tokenizer {expected}, the tokenizer in this folder is {found}; "
            "put the original tokenizer back, or build the docids and train again."
        )


def check_tokens(path: Path, table: DocidTable, backbone: Backbone) -> None:
    """Refuse docids of tokens that the model has not, or that have other names in its vocabulary.

    Raises:
        ArtefactError: there are such.
    """
    values = table.arrays.sequence_values
    if not table.is_bound or (len(values) and int(values.max()) >= backbone.vocab_size):
        raise ArtefactError(f"{path}: altered: a docid has a token that the model has not.")
    ids = backbone.tokenizer.convert_tokens_to_ids(table.new_tokens)
    if list(ids) != table.arrays.new_token_ids.tolist():
        raise ArtefactError(f"{path}: altered: its new tokens have other ids in the model's vocabulary.")
