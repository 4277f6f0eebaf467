"""The adapters for the evaluation libraries in runs of their own: MTEB, BEIR, PyTerrier. No data from any hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mteb
import pandas as pd
import pyterrier as pt
import pytest
from beir.retrieval.evaluation import EvaluateRetrieval
from datasets import Dataset
from floats import DOUBLE, assert_close
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.cache import ResultCache

from genret import GenerativeRetriever, InputError
from genret.adapters import BeirSearch, MtebSearch, pyterrier_transformer
from genret.corpus import Passage
from genret.evaluation import evaluate

QUERIES = {"q1": "where lies paris", "q2": "the river near rome", "q3": "a city"}
JUDGED = {"q1": {"paris.rome": 1, "paris.walk": 1}, "q2": {"river.rome": 1}, "q3": {"city.run": 1}}
METRICS = {"ndcg_at_10": "nDCG@10", "recall_at_3": "recall@3", "mrr_at_10": "MRR@10"}
# MTEB and BEIR round to five places.
ROUNDED = 5.1e-6


class Task(AbsTaskRetrieval):
    """Made of what the test gives."""

    metadata = mteb.TaskMetadata(
        name="Sixteen",
        description="Sixteen passages.",
        reference="https://example.org",
        dataset={"path": "none", "revision": "none"},
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        date=("2020-01-01", "2020-01-02"),
        domains=["Written"],
        task_subtypes=[],
        license="apache-2.0",
        annotations_creators="derived",
        dialect=[],
        sample_creation="created",
        bibtex_citation="",
    )

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        self.data_loaded = True


def task(passages: list[Passage], top_ranked: dict[str, list[str]] | None = None, **columns: Any) -> Task:
    made = Task()
    queries = [{"id": query_id, "text": text} for query_id, text in QUERIES.items()]
    split: Any = {
        "corpus": Dataset.from_list(
            [{"id": one.passage_id, "title": one.title, "text": one.text} for one in passages]
        ),
        "queries": Dataset.from_list([{**one, **columns} for one in queries]),
        "relevant_docs": {query_id: dict(judged) for query_id, judged in JUDGED.items()},
        "top_ranked": top_ranked,
    }
    made.dataset = {"default": {"test": split}}
    made.data_loaded = True
    return made


def scores(model: Any, one: Task, tmp_path: Path, **options: Any) -> dict[str, Any]:
    found = mteb.evaluate(model, one, cache=ResultCache(tmp_path / "cache"), co2_tracker=False, **options)
    result: dict[str, Any] = found.task_results[0].scores["test"][0]
    return result


def expected(retriever: GenerativeRetriever, k: int = 16) -> dict[str, list[tuple[str, float]]]:
    found = retriever.batch_search(list(QUERIES.values()), k)
    return {
        query_id: [(hit.passage_id, hit.score) for hit in hits]
        for query_id, hits in zip(QUERIES, found, strict=True)
    }


def test_mteb_measures_what_genret_eval_measures(
    tiny_retriever: GenerativeRetriever, passages: list[Passage], tmp_path: Path
) -> None:
    model = MtebSearch(tiny_retriever, "genret/tiny")
    assert isinstance(model, mteb.SearchProtocol)
    found = scores(model, task(passages), tmp_path)
    ours = evaluate(expected(tiny_retriever), JUDGED, list(METRICS.values()))
    for theirs, name in METRICS.items():
        assert_close(found[theirs], ours.mean(name), within=ROUNDED)
    assert list((tmp_path / "cache").rglob("*genret__tiny*"))


def test_mteb_refuses_nothing_but_a_corpus_of_another_model(
    tiny_retriever: GenerativeRetriever, passages: list[Passage], tmp_path: Path
) -> None:
    model = MtebSearch(tiny_retriever)
    with pytest.raises(InputError, match="'p9', which the model was not built for"):
        scores(model, task([*passages, Passage("p9", "", "a text")]), tmp_path)
    found = model_answers(model, task(passages[:5]))
    assert {query_id: set(hits) for query_id, hits in found.items()} == {
        query_id: {one.passage_id for one in passages[:5]} for query_id in QUERIES
    }


def model_answers(model: MtebSearch, one: Task) -> dict[str, dict[str, float]]:
    """What MTEB is handed."""
    split = one.dataset["default"]["test"]
    given: Any = {
        "task_metadata": one.metadata,
        "hf_split": "test",
        "hf_subset": "default",
        "encode_kwargs": {},
    }
    model.index(split["corpus"], num_proc=None, **given)
    return model.search(split["queries"], top_k=16, top_ranked=split["top_ranked"], num_proc=None, **given)


def test_mteb_reranks_what_a_task_names(
    tiny_retriever: GenerativeRetriever, passages: list[Passage], tmp_path: Path
) -> None:
    named = {query_id: [one.passage_id for one in passages[n : n + 6]] for n, query_id in enumerate(QUERIES)}
    found = model_answers(MtebSearch(tiny_retriever), task(passages, named))
    for query_id, hits in expected(tiny_retriever).items():
        assert list(found[query_id]) == [one for one, _ in hits if one in named[query_id]]
    scores(MtebSearch(tiny_retriever), task(passages, named), tmp_path)


def test_mteb_instructions_are_part_of_the_question(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    found = model_answers(MtebSearch(tiny_retriever), task(passages, instruction="run"))
    hits = tiny_retriever.search(f"{QUERIES['q1']} run", 16)
    assert list(found["q1"]) == [hit.passage_id for hit in hits]


def test_beir_measures_what_genret_eval_measures(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    corpus = {one.passage_id: {"title": one.title, "text": one.text} for one in passages}
    runner = EvaluateRetrieval(BeirSearch(tiny_retriever), k_values=[3, 10])
    found = runner.retrieve(corpus, QUERIES)
    ndcg, _, recall, _ = runner.evaluate(JUDGED, found, runner.k_values)
    ours = evaluate(expected(tiny_retriever), JUDGED, ["nDCG@10", "recall@3"])
    assert_close(ndcg["NDCG@10"], ours.mean("nDCG@10"), within=ROUNDED)
    assert_close(recall["Recall@3"], ours.mean("recall@3"), within=ROUNDED)


def test_pyterrier_measures_what_genret_eval_measures(tiny_retriever: GenerativeRetriever) -> None:
    topics = pd.DataFrame(list(QUERIES.items()), columns=["qid", "query"])
    judged = pd.DataFrame(
        [(query_id, one, grade) for query_id, grades in JUDGED.items() for one, grade in grades.items()],
        columns=["qid", "docno", "label"],
    )
    search = pyterrier_transformer(tiny_retriever, 16)
    table = pt.Experiment([search, search % 3], topics, judged, ["ndcg_cut_10", "recip_rank"], plan="linear")
    ours = evaluate(expected(tiny_retriever), JUDGED, ["nDCG@10", "MRR@16"])
    assert_close(float(table["ndcg_cut_10"][0]), ours.mean("nDCG@10"), relative=DOUBLE)
    assert_close(float(table["recip_rank"][0]), ours.mean("MRR@16"), relative=DOUBLE)
    assert search.search("where lies paris")["docno"].tolist() == [
        one for one, _ in expected(tiny_retriever)["q1"]
    ]
