"""The sets of words that lie beside a table of docids, in a file of the same name: both are parts of one identifier.

Knows tables, passages and tokenizers; what words are is in `genret.words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docid import DocidTable
from docid.quality.kept import words_kept
from docid.strategies import Strategy, WordsAlone
from docid.words import WordSets, WordStatistics
from genret.corpus.types import Passage
from genret.errors import ArtefactError, InputError
from genret.tokenizer.interface import Tokenizer
from genret.words.word_reader import WordReader
from genret.words.words import WordOptions, passage_words, words_of

__all__ = ["check_no_words", "judge_words", "load_words", "more_words", "word_options", "words_file"]

SUFFIX = ".words"


def words_file(table: Path) -> Path:
    """Where the words of a table lie: `docids.words` beside `docids.table`.

    Raises:
        InputError: the table has that name itself.
    """
    if table.suffix == SUFFIX:
        raise InputError(
            f"{table}: {SUFFIX} is the ending of the words beside a table; give the table another."
        )
    return table.with_suffix(SUFFIX)


def check_no_words(table: Path) -> None:
    """Refuse to write a table without words where words of another table lie.

    Raises:
        InputError: they do.
    """
    if words_file(table).exists():
        raise InputError(
            f"{words_file(table)}: holds the words of another table and would be read as this one's; move it, or name "
            "the table otherwise."
        )


def load_words(path: Path, table: DocidTable) -> WordSets | None:
    """The words beside the table at `path`; None where there are none.

    Raises:
        ArtefactError: they are damaged, or of another number of documents.
    """
    file = words_file(path)
    if not file.exists():
        return None
    words = WordSets.load(file)
    if words.num_documents != table.num_documents:
        raise ArtefactError(
            f"{file}: has words of {words.num_documents} documents, {path} has {table.num_documents}: they were not "
            "built together. Build both again."
        )
    return words


def word_options(strategy: Strategy, beside: WordOptions | None) -> WordOptions | None:
    """Which words a strategy's documents get: its own options say it where docids are words alone, else `beside`.

    Raises:
        InputError: both say it.
    """
    if not isinstance(strategy, WordsAlone):
        return beside
    if beside is not None:
        raise InputError(
            "words: the strategy words has limit and title_weight as options; give them there alone."
        )
    return WordOptions(strategy.limit, strategy.title_weight)


def more_words(words: WordSets, passages: Sequence[Passage], tokenizer: Tokenizer) -> WordSets:
    """The words with those of further passages.

    Raises:
        InputError: the words are of another tokenizer.
    """
    return words_of(words, tokenizer).extended(passages).sets


def judge_words(
    words: WordSets | None, passages: Sequence[Passage], tokenizer: Tokenizer
) -> dict[str, float]:
    """What sets of words keep of the passages' BM25 weight, see `docid.quality.kept.words_kept`.

    Raises:
        InputError: the words are of another tokenizer or of other passages.
    """
    known = None if words is None else words_of(words, tokenizer)
    title_weight = WordOptions().title_weight if known is None else known.title_weight
    reader = WordReader(tokenizer) if known is None else known.reader
    tokens = passage_words(passages, reader, title_weight)
    statistics = WordStatistics.of(tokens, reader.vocab_size) if words is None else words.statistics
    return words_kept(tokens, statistics, words)
