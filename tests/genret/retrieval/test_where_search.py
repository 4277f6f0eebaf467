"""Searches with a condition on fields, of both kinds of models, against filtering a ranking of all passages by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backbones import DOCID_TOKENS, frozen
from changing import docid_model
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from test_words_and_codes import retriever as with_words
from tiny_ngrams import PASSAGES, QUERIES, retriever

from docid import DocidTable
from fm_index.weights import ScoringOptions
from genret.constraint import NoConstraint
from genret.corpus import Passage, PassageStore
from genret.errors import InputError, UsageError
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.ngrams import NgramRetriever

QUERY = "where lies the city near paris"
LANGUAGES = ("en", "fr", "de")
FIELDS: list[dict[str, Any]] = [
    {"lang": LANGUAGES[row % 3], "n": row, **({"even": row % 2 == 0} if row % 5 else {})} for row in range(64)
]


def with_fields(passages: Sequence[Passage]) -> PassageStore:
    return PassageStore.build(
        one._replace(metadata=fields) for one, fields in zip(passages, FIELDS, strict=False)
    )


@pytest.fixture(scope="module")
def shared() -> GenerativeRetriever:
    """Twelve passages on five docids."""
    backbone = frozen()
    ids = backbone.extend_vocabulary(DOCID_TOKENS)
    codes = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    chosen = [codes[row * row % 5] for row in range(12)]
    sequences = [[-1 - first, -9 - second] for first, second in chosen]
    table = DocidTable.build([f"{one}-{two}" for one, two in chosen], sequences, DOCID_TOKENS).bind(ids)
    return GenerativeRetriever(
        backbone, table, with_fields([Passage(f"p{row}", "", f"the city {row}") for row in range(12)])
    )


@pytest.fixture(scope="module")
def worded() -> GenerativeRetriever:
    """Sixty-four passages with docids of codes and words."""
    found = with_words()
    store = with_fields(list(found.passages))
    return GenerativeRetriever(
        found.backbone, found.table, store, trie=found.trie, words=found.words, options=found.options
    )


@pytest.fixture(scope="module")
def ngrams(tmp_path_factory: pytest.TempPathFactory) -> NgramRetriever:
    found = retriever(tmp_path_factory.mktemp("ngrams") / "index")
    index = replace(found.text_index, passages=with_fields(PASSAGES))
    return NgramRetriever(found.backbone, index, found.options)


def condition(rows: set[int]) -> str:
    return f"n in ({', '.join(map(str, sorted(rows)))})" if rows else "n < 0"


def check(found: Any, query: str, rows: set[int], k: int, num_beams: int | None = None) -> None:
    """As many hits as there can be, in the order and with the scores of the whole ranking; behind what n-grams find, the
    others that meet the condition."""
    every = [hit for hit in found.search(query, 64, num_beams=num_beams) if hit.metadata["n"] in rows]
    hits = found.search(query, k, num_beams=num_beams, where=condition(rows))
    there = sum(one.metadata.get("n") in rows for one in found.passages)
    count = min(k, there if isinstance(found, NgramRetriever) else len(every))
    assert [hit.rank for hit in hits] == list(range(1, count + 1))
    assert {hit.metadata["n"] for hit in hits} <= rows
    assert len({hit.passage_id for hit in hits}) == count
    first = hits[: len(every)]
    assert_close([hit.score for hit in first], [hit.score for hit in every[:k]], ulps=FORWARD, scale=LOGITS)
    assert {hit.passage_id for hit in first} == {hit.passage_id for hit in every[:k]}


@settings(max_examples=25, deadline=None)
@given(rows=st.sets(st.integers(0, 11)), k=st.integers(1, 12), mode=st.sampled_from(["beam", "plan", "both"]))
def test_passages_that_share_docids(shared: GenerativeRetriever, rows: set[int], k: int, mode: str) -> None:
    found = shared.with_options(mode=mode)
    check(found, QUERY, rows, k)
    assert len(found.search(QUERY, k, where=condition(rows))) == min(k, len(rows))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.sets(st.integers(0, 63)),
    k=st.integers(1, 64),
    mode=st.sampled_from(["beam", "plan", "both"]),
    plan_ahead=st.booleans(),
)
def test_docids_of_codes_and_words(
    worded: GenerativeRetriever, rows: set[int], k: int, mode: str, plan_ahead: bool
) -> None:
    found = worded.with_options(mode=mode, plan_ahead=plan_ahead)
    hits = found.search("who run near rome", k, where=condition(rows))
    assert {hit.metadata["n"] for hit in hits} <= rows
    assert len({hit.passage_id for hit in hits}) == len(hits) == min(k, len(rows))
    if mode == "plan":
        check(found, "who run near rome", rows, k)


@settings(max_examples=6, deadline=None)
@given(rows=st.sets(st.integers(0, 4)), k=st.integers(1, 5), query=st.sampled_from(QUERIES))
def test_ngrams(ngrams: NgramRetriever, rows: set[int], k: int, query: str) -> None:
    check(ngrams, query, rows, k, num_beams=2)


def test_what_is_left_out_nominates_no_ngram_candidate(ngrams: NgramRetriever) -> None:
    """One candidate alone is scored: it must be the best of those that are let through."""
    narrow = ngrams.with_options(scoring=ScoringOptions(lm_only=True, max_candidates=1))
    best = [hit.passage_id for hit in ngrams.search(QUERIES[0], 5)]
    first = narrow.search(QUERIES[0], 5)
    assert [hit.passage_id for hit in first] == best[:1]
    others = {0, 1, 2, 3, 4} - {first[0].metadata["n"]}
    second = narrow.search(QUERIES[0], 5, where=condition(others))
    assert {hit.metadata["n"] for hit in second} == others
    alone = narrow.search(QUERIES[0], 1, where=condition(others))
    assert [hit.passage_id for hit in alone] == [second[0].passage_id]


def test_what_no_ngram_finds_comes_last_where_a_condition_lets_it_through(ngrams: NgramRetriever) -> None:
    few = ngrams.with_options(scoring=ScoringOptions(lm_only=True, max_occurrences=1))
    found = [hit.passage_id for hit in few.search(QUERIES[1], 5, num_beams=1)]
    hits = few.search(QUERIES[1], 5, num_beams=1, where="n >= 0", with_text=True)
    assert len(found) < 5
    assert [hit.passage_id for hit in hits[: len(found)]] == found
    assert {hit.passage_id for hit in hits} == {one.passage_id for one in PASSAGES}
    behind = [hit.score for hit in hits[len(found) :]]
    assert behind == sorted(behind, reverse=True)
    for hit in hits:
        assert "".join(piece.text for piece in few.pieces(hit)).strip()
        assert bool(hit.matches) == (hit.score > 0)


def test_changed_models_filter_what_they_have_now(ngrams: NgramRetriever) -> None:
    """Fields that are told later, passages that come later in a shard of their own, and those that go."""
    docids = docid_model()
    with pytest.raises(InputError, match="no field 'n'"):
        docids.search(QUERY, where="n > 2")
    told = [one._replace(metadata={"n": row}) for row, one in enumerate(docids.passages)]
    new = Passage("new", "", "the river in france near paris", {"n": 70, "late": True})
    changed = docids.update([*told, new]).remove([told[3].passage_id])
    for mode in ("plan", "beam", "both"):
        found = changed.with_options(mode=mode)
        hits = found.search(QUERY, 30, where="n in (1, 3, 5) or late = true")
        assert {hit.metadata["n"] for hit in hits} == {1, 5, 70}
    check(changed, QUERY, {0, 7, 9, 70}, 3)
    late = ngrams.add([new._replace(title="Seine")]).remove(["rome"])
    for rows in ({0, 70}, {2, 3, 4}, {70}, {1}):
        check(late, QUERIES[0], rows, 2, num_beams=2)
    assert [hit.passage_id for hit in late.search(QUERIES[0], 9, where="late = true")] == ["new"]


def test_conditions_are_remembered(shared: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shared.search(QUERY, 3, where='lang = "en" and has even')
    assert [hit.metadata["lang"] for hit in first] == ["en"] * 3
    monkeypatch.setattr(type(shared.constraint), "within", None)
    assert shared.search(QUERY, 3, where='lang = "en" and has even') == first
    with pytest.raises(TypeError):
        shared.search(QUERY, 3, where='lang = "fr"')


def test_a_condition_and_a_constraint_both_hold(shared: GenerativeRetriever, ngrams: NgramRetriever) -> None:
    within = shared.constraint.within([0, 1, 2, 3])
    for mode in ("beam", "plan", "both"):
        found = shared.with_options(mode=mode)
        hits = found.search(QUERY, 12, constraint=within, where="n >= 2")
        assert sorted(hit.metadata["n"] for hit in hits) == [2, 3]
        batches = found.batch_search([QUERY, "rome"], 12, constraint=within, where="n >= 2")
        assert [len(one) for one in batches] == [2, 2]
    free = NoConstraint(shared.backbone.vocab_size, shared.backbone.eos_token_id)
    with pytest.raises(UsageError, match="this constraint is a NoConstraint; leave out one"):
        shared.search(QUERY, constraint=free, where="n >= 2")
    own = ngrams.maker.constraints["body"]
    assert [hit.metadata["n"] for hit in ngrams.search(QUERIES[0], constraint=own, where="n = 1")] == [1]


def test_a_trace_sees_what_a_search_sees(shared: GenerativeRetriever) -> None:
    found = {
        document for one in shared.trace(QUERY, where="n in (3, 4)").hypotheses for document in one.documents
    }
    assert found == {3, 4}


def test_wrong_conditions_are_told_before_the_search(
    shared: GenerativeRetriever, ngrams: NgramRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    for found in (shared, ngrams):
        monkeypatch.setattr(found.backbone, "encode", None)
        with pytest.raises(InputError, match="column 1: no field 'langs'; the nearest is 'lang'"):
            found.search(QUERY, where="langs = 'en'")


def test_a_saved_model_filters_as_before(shared: GenerativeRetriever, tmp_path: Path) -> None:
    shared.save_pretrained(tmp_path / "model")
    loaded = GenerativeRetriever.from_pretrained(tmp_path / "model")
    asked = {"where": "even = true", "k": 12}
    assert [one[:3] for one in loaded.search(QUERY, **asked)] == [
        one[:3] for one in shared.search(QUERY, **asked)
    ]
    assert loaded.search(QUERY, 1)[0].metadata == shared.search(QUERY, 1)[0].metadata != {}
