"""What a batch of queries has to find passages by: their keys, and the words of their texts and of what was written.

Knows keys, views and words; ranks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from docid.ragged import IntArray
from docid.simultaneous import WeightedTokens
from genret.retrieval.matches import Match
from genret.retrieval.ngrams.evidence import ASKED
from genret.retrieval.ngrams.key_maker import QueryKeys
from genret.retrieval.ngrams.lexicon import Lexicon, Written, as_read
from genret.retrieval.ngrams.views import NgramOptions
from genret.retrieval.word_parts import word_parts
from genret.tokenizer.interface import Tokenizer

__all__ = ["Evidence", "evidence_of", "word_matches"]


class Evidence(NamedTuple):
    """Of one batch of queries.

    Attributes:
        keys: of each query, multipliers and bonuses of no account.
        texts: by where words come from (the query, a view), of each query the texts whose words are evidence.
        words: by the kind of evidence, what each query's words are worth.
    """

    keys: Sequence[QueryKeys]
    texts: Mapping[str, Sequence[Written]]
    words: Mapping[str, WeightedTokens]


def evidence_of(
    keys: Sequence[QueryKeys], options: NgramOptions, lexicon: Lexicon | None, tokenizer: Tokenizer
) -> Evidence:
    """What these keys, and their words where there is a lexicon, say."""
    if lexicon is None:
        return Evidence(keys, {}, {})
    texts: dict[str, list[Written]] = {ASKED: [[(one.query, 1.0)] for one in keys]}
    for name, view in options.views.items():
        if view.keys == "decoded":
            texts[name] = [
                [(tokenizer.decode(ngram), part) for ngram, part in one.longest(name)] for one in keys
            ]
    words = {
        f"{source}.{reading}": own
        for source, written in texts.items()
        for reading, own in lexicon.written(written).items()
    }
    return Evidence(keys, texts, words)


def word_matches(
    lexicon: Lexicon, evidence: Evidence, number: int, weights: Mapping[str, float], documents: IntArray
) -> list[tuple[Match, ...]]:
    """Of each of the documents (int64 [n]) the words that query `number` found it by, the most valuable first."""
    found: list[list[Match]] = [[] for _ in documents]
    for kind, weighted in evidence.words.items():
        source, reading = kind.rsplit(".", 1)
        factor = np.float32(weights.get(kind, 0.0))
        if factor == 0:
            continue
        own = lexicon.readings[reading]
        parts = word_parts(own, weighted._replace(weights=weighted.weights * factor), number, documents)
        names = own.reader.names(
            " ".join(as_read(text, reading) for text, _ in evidence.texts[source][number])
        )
        held = own.sets.statistics.frequencies
        for place, token in zip(*np.nonzero(parts.worth.T), strict=True):
            word = int(parts.tokens[token])
            score = float(parts.worth[token, place])
            found[place].append(Match(names[word], kind, int(held[word]), score, 0, 0))
    return [tuple(sorted(own, key=lambda match: -match.score)) for own in found]
