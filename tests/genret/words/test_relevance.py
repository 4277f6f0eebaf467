"""Weights of words by what labelled queries say, against counts by hand."""

from __future__ import annotations

import math
from dataclasses import replace

from backbones import sentence_encoder
from floats import assert_close

from genret.corpus import Passage
from genret.words import WordOptions, choose_words
from genret.words.relevance import PRIOR, weighed_by_relevance

TEXTS = ["river near rome", "the city of rome", "the walk", "the river", "city walk"]
# "the" is asked often and hardly ever answered; "river" is rarer and always is.
QUERIES = ["the river", "the city", "river the walk"]
ROWS = [[0], [4], [3, 0]]


def weights_by_hand() -> dict[str, float]:
    """Robertson and Sparck Jones, with the prior of words in few queries, for the words that are asked for."""
    held = {word: sum(word in text.split() for text in TEXTS) for text in QUERIES for word in text.split()}
    pairs = [(query.split(), row) for query, rows in zip(QUERIES, ROWS, strict=True) for row in rows]
    asked = {word: sum(word in query for query, _ in pairs) for word in held}
    hit = {word: sum(word in query and word in TEXTS[row].split() for query, row in pairs) for word in held}
    prior = (sum(hit.values()) + 0.5) / (sum(asked.values()) + 1)
    found = {}
    for word in held:
        chance = (hit[word] + PRIOR * prior) / (asked[word] + PRIOR)
        background = (held[word] + 0.5) / (len(TEXTS) + 1)
        odds = math.log(chance / (1 - chance)) - math.log(background / (1 - background))
        found[word] = max(odds, 0.0)
    return found


def test_words_count_what_they_tell_of_passages_that_answer() -> None:
    passages = [Passage(str(row), "", text) for row, text in enumerate(TEXTS)]
    words = replace(choose_words(passages, sentence_encoder().tokenizer, WordOptions()), weight=1.0)
    learned = weighed_by_relevance(words, QUERIES, ROWS)
    expected = weights_by_hand()
    assert expected["the"] == 0 < expected["river"]
    for word, weight in expected.items():
        assert_close(learned.values[words.reader.number(word)], weight, relative=1e-5)


def test_no_labels_leave_idf_in_its_order() -> None:
    passages = [Passage(str(row), "", text) for row, text in enumerate(TEXTS)]
    words = choose_words(passages, sentence_encoder().tokenizer, WordOptions())
    learned = weighed_by_relevance(words, [], [])
    order = sorted(["the", "river", "near"], key=lambda word: learned.values[words.reader.number(word)])
    assert order == ["the", "river", "near"]
