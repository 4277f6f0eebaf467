"""Examples: which texts lead to which docids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTable
from genret.corpus import Passage
from genret.errors import InputError
from genret.training.examples import (
    indexing_examples,
    retrieval_examples,
    sentence_examples,
    span_examples,
    split_sentences,
)

EOS = 1
PASSAGES = [
    Passage(
        "a", "Rivers", "The Seine is a river in France. It is long. Does it flow through Paris and Rouen?"
    ),
    Passage("b", "", "Short."),
    Passage("c", "Cities", "one two three four five six seven eight nine ten eleven twelve"),
]
TABLE = DocidTable.build(["5-6", "5-7", "8"], [[5, 6], [5, 7], [8]])
TARGETS = [(5, 6, EOS), (5, 7, EOS), (8, EOS)]


def test_indexing_examples_lead_from_every_passage_to_its_docid():
    found = indexing_examples(PASSAGES, TABLE, EOS)
    assert [(one.target, one.document, one.task, one.weight) for one in found] == [
        (target, row, "indexing", 1.0) for row, target in enumerate(TARGETS)
    ]
    assert [one.source for one in found] == [passage.full_text for passage in PASSAGES]
    assert found[1].source == "Short."


def test_retrieval_examples_follow_the_judgements():
    queries = {"q1": "first", "q2": "second", "q3": "unjudged"}
    rows = {"a": 0, "b": 1, "c": 2}
    judgements = {"q2": {"c": 1, "a": 0}, "q1": {"a": 2, "b": 1}}
    found = retrieval_examples(queries, judgements, rows, TABLE, EOS)
    assert [(one.source, one.target, one.document) for one in found] == [
        ("second", TARGETS[2], 2),
        ("first", TARGETS[0], 0),
        ("first", TARGETS[1], 1),
    ]


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ({"q9": {"a": 1}}, "query 'q9', which the queries do not hold"),
        ({"q1": {"z": 1}}, "passage 'z', which is not in the corpus"),
    ],
)
def test_judgements_of_unknown_things_are_named(judgements, message):
    with pytest.raises(InputError, match=message):
        retrieval_examples({"q1": "first"}, judgements, {"a": 0}, TABLE, EOS)


def test_sentence_examples_are_titles_and_long_enough_sentences():
    found = sentence_examples(PASSAGES, TABLE, EOS, limit=2)
    assert [(one.source, one.document) for one in found] == [
        ("Rivers", 0),
        ("The Seine is a river in France.", 0),
        ("Does it flow through Paris and Rouen?", 0),
        ("Cities", 2),
        (PASSAGES[2].text, 2),
    ]
    assert len(sentence_examples(PASSAGES, TABLE, EOS, limit=1)) == 4
    assert split_sentences("  A b. C d!  E?  ") == ["A b.", "C d!", "E?"]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 5), st.integers(0, 99))
def test_spans_are_pieces_of_their_passage(per_passage, shortest, more, seed):
    words = (shortest, shortest + more)
    found = span_examples(PASSAGES, TABLE, EOS, per_passage=per_passage, words=words, seed=seed)
    assert len(found) == per_passage * len(PASSAGES)
    for one in found:
        passage = PASSAGES[one.document]
        assert f" {one.source} " in f" {passage.text} "
        length = len(one.source.split())
        assert length == len(passage.text.split()) or words[0] <= length <= words[1]
    assert found == span_examples(PASSAGES, TABLE, EOS, per_passage=per_passage, words=words, seed=seed)


def test_spans_of_a_passage_do_not_depend_on_the_others():
    alone = span_examples(PASSAGES[:1], TABLE, EOS, per_passage=5, seed=3)
    assert span_examples(PASSAGES, TABLE, EOS, per_passage=5, seed=3)[:5] == alone
    assert alone != span_examples(PASSAGES[:1], TABLE, EOS, per_passage=5, seed=4)
    assert span_examples([Passage("e", "t", "")], TABLE, EOS, per_passage=5) == []
