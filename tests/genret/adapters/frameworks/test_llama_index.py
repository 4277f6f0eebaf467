"""The adapter for LlamaIndex in LlamaIndex's own calls and a query engine."""

from __future__ import annotations

import asyncio

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import MetadataMode

from genret import GenerativeRetriever
from genret.adapters.llama_index import GenretRetriever

QUESTION = "the river near rome"


def test_nodes_are_the_retrievers_hits(tiny_retriever: GenerativeRetriever) -> None:
    retriever = GenretRetriever(tiny_retriever, similarity_top_k=3)
    hits = tiny_retriever.search(QUESTION, 3, with_text=True)
    for found in (retriever.retrieve(QUESTION), asyncio.run(retriever.aretrieve(QUESTION))):
        assert [(one.node_id, one.score, one.text) for one in found] == [
            (hit.passage_id, hit.score, hit.text) for hit in hits
        ]
        assert [one.metadata["docid"] for one in found] == [hit.docid for hit in hits]


def test_a_condition(tiny_retriever: GenerativeRetriever) -> None:
    found = GenretRetriever(tiny_retriever, where='title contains "rome"').retrieve(QUESTION)
    assert len(found) == 4
    assert all("rome" in one.metadata["title"] for one in found)


def test_a_language_model_is_shown_the_title_and_the_text(tiny_retriever: GenerativeRetriever) -> None:
    (found,) = GenretRetriever(tiny_retriever, similarity_top_k=1).retrieve(QUESTION)
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        shown = found.node.get_content(metadata_mode=mode)
        assert shown == f"title: {found.metadata['title']}\n\n{found.text}"


def test_in_a_query_engine(tiny_retriever: GenerativeRetriever) -> None:
    engine: BaseQueryEngine = RetrieverQueryEngine(
        GenretRetriever(tiny_retriever, similarity_top_k=2),
        get_response_synthesizer(llm=MockLLM()),
    )
    answer = engine.query(QUESTION)
    assert [one.node_id for one in answer.source_nodes] == [
        hit.passage_id for hit in tiny_retriever.search(QUESTION, 2)
    ]
    assert answer.source_nodes[0].text in str(answer)
