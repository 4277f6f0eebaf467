"""Adapters: their shapes, and what they say where a framework is missing; `frameworks/` tests them against these."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_ngrams

from genret.adapters import BeirSearch, pyterrier_transformer
from genret.adapters.filters import where_of
from genret.adapters.frameworks import found_passages, loaded
from genret.adapters.scores import scores_by_query
from genret.corpus import Passage, PassageStore
from genret.errors import InputError, UsageError
from genret.retrieval.docids import GenerativeRetriever

QUERIES = {"q1": "where lies paris", "q2": "the river near rome"}


def expected(retriever: GenerativeRetriever, k: int) -> dict[str, list[str]]:
    found = retriever.batch_search(list(QUERIES.values()), k)
    return {q: [hit.passage_id for hit in hits] for q, hits in zip(QUERIES, found, strict=True)}


def corpus(passages: list[Passage]) -> dict[str, dict[str, str]]:
    return {one.passage_id: {"title": one.title, "text": one.text} for one in passages}


def ranked(scores: dict[str, float]) -> list[str]:
    assert len(set(scores.values())) == len(scores)
    return sorted(scores, key=lambda passage_id: -scores[passage_id])


def test_beir_search_gives_the_retrievers_order(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    found = BeirSearch(tiny_retriever).search(corpus(passages), QUERIES, 4, score_function="cos_sim")
    assert {query_id: ranked(scores) for query_id, scores in found.items()} == expected(tiny_retriever, 4)


def test_beir_search_stays_within_the_corpus_it_is_given(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    some = corpus(passages[:5])
    found = BeirSearch(tiny_retriever).search(some, QUERIES, 3)
    everything = tiny_retriever.batch_search(list(QUERIES.values()), 16)
    assert [ranked(scores) for scores in found.values()] == [
        [hit.passage_id for hit in hits if hit.passage_id in some][:3] for hits in everything
    ]
    with pytest.raises(InputError, match="'new', which the model was not built for"):
        BeirSearch(tiny_retriever).search({**some, "new": {"text": "x"}}, QUERIES, 4)


def test_pyterrier_keeps_topics_and_ranks(
    tiny_retriever: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("pyterrier") is None:
        stub: Any = types.ModuleType("pyterrier")
        stub.Transformer = object
        monkeypatch.setitem(sys.modules, "pyterrier", stub)
    topics = pd.DataFrame(
        {"qid": list(QUERIES), "query": list(QUERIES.values()), "docno": ["old"] * 2, "more": [7, 8]}
    )
    found = pyterrier_transformer(tiny_retriever, 3).transform(topics)
    assert list(found.columns) == ["qid", "query", "more", "docno", "score", "rank"]
    assert {qid: rows["docno"].tolist() for qid, rows in found.groupby("qid")} == expected(tiny_retriever, 3)
    assert found["rank"].tolist() == [0, 1, 2] * 2
    assert found["more"].tolist() == [7] * 3 + [8] * 3
    assert (found.groupby("qid")["score"].diff().dropna() < 0).all()
    nothing = pyterrier_transformer(tiny_retriever, 3).transform(topics.iloc[:0])
    assert len(nothing) == 0
    assert "docno" in nothing


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `package` were not installed, and no adapter imported."""
    monkeypatch.setitem(sys.modules, package, None)
    for name in list(sys.modules):
        if name.startswith(f"{package}."):
            monkeypatch.setitem(sys.modules, name, None)


def test_without_pyterrier_it_says_what_to_install(
    tiny_retriever: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("pyterrier", monkeypatch)
    with pytest.raises(UsageError, match="pip install python-terrier"):
        pyterrier_transformer(tiny_retriever)


@pytest.mark.parametrize(
    ("adapter", "package", "wheel"),
    [
        ("langchain", "langchain_core", "langchain-core"),
        ("llama_index", "llama_index", "llama-index-core"),
        ("haystack", "haystack", "haystack-ai"),
        ("mteb", "mteb", "mteb"),
    ],
)
@pytest.mark.parametrize("expected", [UsageError, ImportError])
def test_without_a_framework_its_adapter_says_what_to_install(
    adapter: str, package: str, wheel: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    without(package, monkeypatch)
    monkeypatch.delitem(sys.modules, f"genret.adapters.{adapter}", raising=False)
    with pytest.raises(expected, match=f"needs {wheel}: pip install {wheel} ") as caught:
        importlib.import_module(f"genret.adapters.{adapter}")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_nothing_of_theirs_is_imported_unasked() -> None:
    theirs = ("pyterrier", "beir", "pandas", "mteb", "langchain_core", "llama_index", "haystack", "torch")
    code = f"import sys, genret.adapters; sys.exit(any(name in sys.modules for name in {theirs}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frameworks_are_given_plain_values_and_the_passages_own_metadata(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    marked = [
        one._replace(metadata={"year": 2000 + row, "score": "theirs"}) for row, one in enumerate(passages)
    ]
    retriever = GenerativeRetriever(tiny_retriever.backbone, tiny_retriever.table, PassageStore.build(marked))
    asked = list(QUERIES.values())
    searched = retriever.batch_search(asked, 3, with_text=True)
    for found, hits in zip(found_passages(retriever, asked, 3), searched, strict=True):
        assert [(one.passage_id, one.text, one.score) for one in found] == [
            (hit.passage_id, hit.text, hit.score) for hit in hits
        ]
        for one, hit in zip(found, hits, strict=True):
            assert json.loads(json.dumps(one.metadata)) == one.metadata
            assert one.metadata["year"] == 2000 + retriever.passages.row(one.passage_id)
            assert (one.metadata["id"], one.metadata["score"]) == (hit.passage_id, hit.score)
            assert one.parts["docid"] == hit.docid
    (late,) = found_passages(retriever, asked[:1], 16, where="year >= 2014")
    assert {one.metadata["year"] for one in late} == {2014, 2015}


def test_what_is_neither_a_retriever_nor_a_folder_is_refused(tiny_retriever: GenerativeRetriever) -> None:
    assert loaded(tiny_retriever) is tiny_retriever
    with pytest.raises(UsageError, match="a retriever or its model folder, found int"):
        loaded(5)  # type: ignore[arg-type]


def test_an_n_gram_models_matches_are_plain_values(tmp_path: Path) -> None:
    retriever = tiny_ngrams.retriever(tmp_path)
    (found,) = found_passages(retriever, ["where lies paris"], 2)
    (hits,) = retriever.batch_search(["where lies paris"], 2)
    assert [one.parts["matches"] for one in found] == [[asdict(one) for one in hit.matches] for hit in hits]
    assert json.dumps([one.metadata for one in found])


def test_calls_from_many_threads_give_what_one_thread_gives(tiny_retriever: GenerativeRetriever) -> None:
    queries = [*QUERIES.values(), "walk", "city"] * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda query: found_passages(tiny_retriever, [query], 3)[0], queries))
    assert found == [found_passages(tiny_retriever, [query], 3)[0] for query in queries]


def test_scores_of_a_part_of_a_corpus_by_n_grams(tmp_path: Path) -> None:
    retriever = tiny_ngrams.retriever(tmp_path)
    some = [one.passage_id for one in tiny_ngrams.PASSAGES[:3]]
    queries = dict(enumerate(tiny_ngrams.QUERIES))
    found = scores_by_query(retriever, {str(n): text for n, text in queries.items()}, 2, some)
    for n, text in queries.items():
        hits = [hit.passage_id for hit in retriever.search(text, 16) if hit.passage_id in some]
        assert list(found[str(n)]) == hits[:2]


@pytest.mark.parametrize(
    ("filters", "where"),
    [
        (None, None),
        ({}, None),
        ({"field": "meta.lang", "operator": "==", "value": 'a "b" \\'}, '`lang` = "a \\"b\\" \\\\"'),
        ({"field": "year", "operator": "!=", "value": 2}, "not `year` = 2"),
        ({"field": "meta.year", "operator": "==", "value": None}, "not has `year`"),
        ({"field": "id", "operator": "in", "value": ["a", "b"]}, 'id in ("a", "b")'),
        ({"field": "meta.open", "operator": "not in", "value": [True]}, "not `open` in (true)"),
        ({"field": "meta.y", "operator": "in", "value": []}, "(has `y` and not has `y`)"),
        (
            {
                "operator": "NOT",
                "conditions": [
                    {"field": "meta.a", "operator": ">", "value": 1.5},
                    {"operator": "OR", "conditions": [{"field": "meta.b", "operator": "<=", "value": -1}]},
                ],
            },
            "not (`a` > 1.5 and (`b` <= -1))",
        ),
    ],
)
def test_haystacks_filters_are_conditions_on_fields(
    filters: dict[str, Any] | None, where: str | None
) -> None:
    assert where_of(filters) == where


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"lang": "en"}, "expected .*operator"),
        (["lang"], "expected .*operator"),
        ({"operator": "AND", "conditions": []}, "AND: expected a list of conditions"),
        ({"operator": "XOR", "conditions": [{}]}, "expected one of AND, OR, NOT, ==.*'XOR'"),
        ({"field": "meta.a", "operator": "in", "value": "en"}, "in: expected a list of values, found 'en'"),
        ({"field": "meta.a", "operator": ">", "value": None}, "value: expected text, a number"),
        ({"field": "meta.a", "operator": "==", "value": float("nan")}, "value: expected text, a number"),
        ({"field": "me`ta", "operator": "==", "value": 1}, "field: expected a name"),
        ({"operator": "==", "value": 1}, "field: expected a name"),
    ],
)
def test_what_is_no_filter_of_haystacks_is_refused(filters: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        where_of(filters)
