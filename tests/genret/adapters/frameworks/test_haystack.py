"""The component in Haystack's own pipelines, written down and read again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from haystack import Pipeline
from haystack.components.builders import PromptBuilder

from genret import GenerativeRetriever, UsageError
from genret.adapters.haystack import GenretRetriever

QUESTION = "the river near rome"
EVERYTHING = {"field": "id", "operator": "!=", "value": ""}


@pytest.fixture
def folder(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> Path:
    tiny_retriever.save_pretrained(tmp_path / "MODEL")
    return tmp_path / "MODEL"


def expected(retriever: GenerativeRetriever, k: int) -> list[tuple[str, float, str | None]]:
    return [(hit.passage_id, hit.score, hit.text) for hit in retriever.search(QUESTION, k, with_text=True)]


def found(documents: list[object]) -> list[tuple[str, float, str | None]]:
    return [(one.id, one.score, one.content) for one in documents]  # type: ignore[attr-defined]


def test_in_a_pipeline_that_was_written_down(tiny_retriever: GenerativeRetriever, folder: Path) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", GenretRetriever(str(folder), top_k=3, filters=EVERYTHING))
    template = "{% for one in documents %}{{ one.meta.title }}: {{ one.content }}\n{% endfor %}{{ question }}"
    pipeline.add_component("prompt", PromptBuilder(template, required_variables=["documents", "question"]))
    pipeline.connect("retriever.documents", "prompt.documents")
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["genret.adapters.haystack"])
    for one in (pipeline, again):
        asked = {"retriever": {"query": QUESTION}, "prompt": {"question": QUESTION}}
        answer = one.run(asked, include_outputs_from={"retriever"})
        assert found(answer["retriever"]["documents"]) == expected(tiny_retriever, 3)
        assert answer["prompt"]["prompt"].count("\n") == 3
    named = {"field": "id", "operator": "in", "value": ["paris.run", "city.run"]}
    filtered = {**asked, "retriever": {**asked["retriever"], "filters": named}}
    answer = again.run(filtered, include_outputs_from={"retriever"})
    assert {one.id for one in answer["retriever"]["documents"]} == set(named["value"])
    asked["retriever"]["top_k"] = 1  # type: ignore[assignment]
    answer = again.run(asked, include_outputs_from={"retriever"})
    assert found(answer["retriever"]["documents"]) == expected(tiny_retriever, 1)


def test_beside_other_work(tiny_retriever: GenerativeRetriever) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", GenretRetriever(tiny_retriever, top_k=2))
    answer = asyncio.run(pipeline.run_async({"retriever": {"query": QUESTION}}))
    assert found(answer["retriever"]["documents"]) == expected(tiny_retriever, 2)


def test_a_loaded_retriever_cannot_be_written_down(tiny_retriever: GenerativeRetriever) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", GenretRetriever(tiny_retriever))
    with pytest.raises(UsageError, match="give it the model folder"):
        pipeline.to_dict()
