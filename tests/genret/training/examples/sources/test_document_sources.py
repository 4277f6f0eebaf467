"""Document representations, labelled and synthetic queries; what all sources promise; what must not be trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from docid import DocidTable
from genret.corpus import Passage, PassageStore
from genret.errors import InputError
from genret.training.examples.example import Examples, Targets
from genret.training.examples.sources import EvaluationQueries, Guarded, Material, Pair, make_source, preview
from genret.training.examples.sources.documents import DocumentsAsQueries, FirstWords, Sentences
from genret.training.examples.sources.query_pairs import Labelled, SyntheticQueries

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


def made(seed: int = 0, **fields) -> Material:
    return Material(PassageStore.build(PASSAGES), seed=seed, **fields)


def test_first_words_are_the_passage_or_its_beginning():
    whole = Examples(FirstWords(words=None).open(made()), "indexing", Targets(TABLE, EOS))
    assert [(one.target, one.document, one.task, one.weight) for one in whole] == [
        (target, row, "indexing", 1.0) for row, target in enumerate(TARGETS)
    ]
    assert [one.source for one in whole] == [passage.full_text for passage in PASSAGES]
    begun = FirstWords(words=4).open(made())
    assert [pair.text for pair in begun] == ["Rivers. The Seine is", "Short.", "Cities. one two three"]


def test_labelled_queries_follow_the_judgements():
    queries = {"q1": "first", "q2": "second", "q3": "unjudged"}
    judgements = {"q2": {"c": 1, "a": 0}, "q1": {"a": 2, "b": 1}}
    found = Labelled().open(made(queries=queries, judgements=judgements))
    assert list(found) == [Pair("second", (2,)), Pair("first", (0,)), Pair("first", (1,))]


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ({"q9": {"a": 1}}, "query 'q9', which the queries do not hold"),
        ({"q1": {"z": 1}}, "no passage has the id 'z'"),
    ],
)
def test_judgements_of_unknown_things_are_named(judgements, message):
    with pytest.raises(InputError, match=message):
        Labelled().open(made(queries={"q1": "first"}, judgements=judgements))


def test_sentences_are_titles_and_long_enough_sentences():
    found = Sentences(limit=2).open(made())
    assert list(found) == [
        Pair("Rivers", (0,)),
        Pair("The Seine is a river in France.", (0,)),
        Pair("Does it flow through Paris and Rouen?", (0,)),
        Pair("Cities", (2,)),
        Pair(PASSAGES[2].text, (2,)),
    ]
    assert len(Sentences(limit=1).open(made())) == 4


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 5), st.integers(0, 99))
def test_spans_are_pieces_of_their_passage(per_passage, shortest, more, seed):
    source = DocumentsAsQueries(per_passage, (shortest, shortest + more))
    found = list(source.open(made(seed)))
    assert len(found) == per_passage * len(PASSAGES)
    for one in found:
        passage = PASSAGES[one.documents[0]]
        assert f" {one.text} " in f" {passage.text} "
        length = len(one.text.split())
        assert length == len(passage.text.split()) or shortest <= length <= shortest + more
    assert found == list(source.open(made(seed)))


def test_spans_of_a_passage_do_not_depend_on_the_others():
    source = DocumentsAsQueries(per_passage=5)
    alone = list(source.open(Material(PassageStore.build(PASSAGES[:1]), seed=3)))
    assert list(source.open(made(3)))[:5] == alone
    assert alone != list(source.open(Material(PassageStore.build(PASSAGES[:1]), seed=4)))


def test_span_starts_and_lengths_are_uniform():
    """Chi-square of 6,000 draws from one passage of 12 words; the chance of failing is in the fixed seed."""
    store = PassageStore.build(PASSAGES[2:])
    words = PASSAGES[2].text.split()
    pairs = DocumentsAsQueries(per_passage=6000, words=(3, 5)).open(Material(store, seed=1))
    spans = [pair.text.split() for pair in pairs]
    lengths = np.bincount([len(span) for span in spans])[3:]
    assert stats.chisquare(lengths).pvalue > 0.01
    for length in (3, 4, 5):
        starts = [words.index(span[0]) for span in spans if len(span) == length]
        assert stats.chisquare(np.bincount(starts, minlength=13 - length)).pvalue > 0.01


def test_synthetic_queries_come_from_a_file(tmp_path):
    path = tmp_path / "queries.jsonl"
    rows = [("c", "what is three"), ("a", "The  SEINE?"), ("a", "how long")]
    path.write_text("".join(json.dumps({"passage_id": p, "text": t}) + "\n" for p, t in rows))
    every = SyntheticQueries(str(path)).open(made())
    assert [tuple(pair[:2]) for pair in every] == [
        ("what is three", (2,)),
        ("The  SEINE?", (0,)),
        ("how long", (0,)),
    ]
    judged = made(queries={"q": "x"}, judgements={"q": {"a": 1}})
    assert [pair.documents for pair in SyntheticQueries(str(path), uncovered_only=True).open(judged)] == [
        (2,)
    ]
    asked = made(evaluation=EvaluationQueries(["the seine"]))
    assert [pair.text for pair in SyntheticQueries(str(path)).open(asked)] == ["what is three", "how long"]
    path.write_text('{"passage_id": "z", "text": "x"}\n')
    with pytest.raises(InputError, match="line 1, field 'passage_id': 'z' is not in the corpus"):
        SyntheticQueries(str(path)).open(made())
    with path.open("a") as file:
        file.write('{"passage_id": "b", "text": "y"}\n')
    assert [pair.text for pair in SyntheticQueries(str(path), partial=True).open(made())] == ["y"]
    with pytest.raises(InputError, match="needs `path`"):
        SyntheticQueries().open(made())


def test_a_labelled_query_that_is_evaluated_is_left_out(caplog):
    queries = {"q1": "Is it, long?", "q2": "is it wide"}
    asked = made(
        queries=queries,
        judgements={q: {"a": 1} for q in queries},
        evaluation=EvaluationQueries(["is it LONG"]),
    )
    assert [pair.text for pair in Labelled().open(asked)] == ["is it wide"]
    assert "source 'labelled': a text is left out of training, such as 'Is it, long?'" in caplog.text


def test_the_next_pair_stands_where_a_leak_was_drawn(caplog):
    pairs = [Pair(text, (row,)) for row, text in enumerate(["fine", "Who is it?", "who IS it", "good"])]
    guarded = Guarded(pairs, EvaluationQueries(["who is it"]), "daq")
    assert [pair.text for pair in guarded] == ["fine", "good", "good", "good"]
    assert guarded[-2].text == "good"
    assert caplog.text.count("source 'daq': texts are left out of training, such as 'Who is it?'") == 1
    assert list(Guarded(pairs[:2], EvaluationQueries(["who is it"]), "x"))[1].text == "fine"
    with pytest.raises(InputError, match="source 'daq': every text of it is an evaluation query"):
        Guarded(pairs[1:3], EvaluationQueries(["who is it"]), "daq")[0]
    with pytest.raises(IndexError):
        guarded[4]


def test_every_source_leaves_out_and_says_so(caplog, tmp_path):
    """One behaviour: labelled, synthetic and n-gram sources, and texts that are drawn from passages."""
    path = tmp_path / "d2q.jsonl"
    path.write_text('{"passage_id": "a", "text": "is it long"}\n{"passage_id": "b", "text": "fine"}\n')
    queries = {"q1": "Is it, long?", "q2": "fine"}
    asked = made(
        queries=queries,
        judgements={q: {"a": 1} for q in queries},
        evaluation=EvaluationQueries(["is it long"]),
    )
    for source in (Labelled(), SyntheticQueries(str(path))):
        caplog.clear()
        assert [pair.text for pair in source.open(asked)] == ["fine"]
        assert f"source {source.name!r}: a text is left out of training" in caplog.text


def test_several_answers_are_joined_by_the_separator():
    targets = Targets(TABLE, EOS, [9])
    assert targets.tokens(Pair("x", (2, 0))) == (8, 9, 5, 6, EOS)
    assert targets.tokens(Pair("x", (2, 2))) == (8, EOS)
    assert targets.tokens(Pair("x", (), (7, 7))) == (7, 7, EOS)
    with pytest.raises(InputError, match=r"leads to 2 docids at once; set docids\.separator"):
        Targets(TABLE, EOS).tokens(Pair("x", (2, 0)))
    several = Examples([Pair("x", (2, 0)), Pair("y", (), (7,))], "hip", targets)
    assert [one.document for one in several] == [2, -1]
    assert several[-1].target == (7, EOS)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nope", {}, "sources.nope: no source is called 'nope'"),
        ("x", {"kind": "dak"}, "no source is called 'dak'"),
        ("daq", {"word": [1, 2]}, "sources.daq: unknown key 'word'"),
        ("daq", {"words": [3, 2]}, "words: expected the shortest and the longest"),
        ("daq", {"per_passage": 0}, "per_passage: expected at least 1"),
        ("firstp", {"words": 0}, "words: expected at least 1"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    with pytest.raises(InputError, match=message):
        make_source(name, options)


def test_a_source_may_have_another_name_than_its_kind():
    assert make_source("short", {"kind": "daq", "words": [2, 3]}) == DocumentsAsQueries(words=(2, 3))


def test_previews_are_the_same_every_time_and_name_an_empty_source():
    first = list(preview(DocumentsAsQueries(per_passage=9), made(), 20))
    assert len(first) == 20
    assert first == list(preview(DocumentsAsQueries(per_passage=9), made(), 20))
    with pytest.raises(InputError, match="'labelled' holds no pair"):
        preview(Labelled(), made())
