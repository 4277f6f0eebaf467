"""The adapter for LangChain in LangChain's own calls and chains."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from genret import GenerativeRetriever, InputError
from genret.adapters.langchain import GenretRetriever
from genret.corpus import Passage

QUESTIONS = ["where lies paris", "the river near rome", "where lies paris", "walk"]


class Ends(BaseCallbackHandler):
    """What each retrieval ended with."""

    def __init__(self) -> None:
        self.found: list[list[str | None]] = []

    def on_retriever_end(self, documents: list[Document], **_: object) -> None:
        self.found.append([one.id for one in documents])


def ids(documents: list[Document]) -> list[str | None]:
    return [one.id for one in documents]


def expected(retriever: GenerativeRetriever, k: int) -> list[list[str]]:
    return [[hit.passage_id for hit in hits] for hits in retriever.batch_search(QUESTIONS, k)]


def test_a_document_has_the_passage_and_why_it_was_found(
    tiny_retriever: GenerativeRetriever, passages: list[Passage]
) -> None:
    found = GenretRetriever(retriever=tiny_retriever, k=4).invoke(QUESTIONS[0])
    by_id = {one.passage_id: one for one in passages}
    hits = tiny_retriever.search(QUESTIONS[0], 4)
    for document, hit in zip(found, hits, strict=True):
        passage = by_id[hit.passage_id]
        assert (document.id, document.page_content) == (hit.passage_id, passage.text)
        assert document.metadata == {
            "id": hit.passage_id,
            "title": passage.title,
            "score": hit.score,
            "rank": hit.rank,
            "docid": hit.docid,
            "code_score": hit.code_score,
            "word_score": hit.word_score,
            "words": [],
        }


def test_all_ways_of_calling_give_the_same(tiny_retriever: GenerativeRetriever) -> None:
    retriever = GenretRetriever(retriever=tiny_retriever, k=3)
    right = expected(tiny_retriever, 3)
    assert [ids(retriever.invoke(one)) for one in QUESTIONS] == right
    assert [ids(one) for one in retriever.batch(QUESTIONS)] == right
    assert [ids(asyncio.run(retriever.ainvoke(one))) for one in QUESTIONS] == right
    assert [ids(one) for one in asyncio.run(retriever.abatch(QUESTIONS))] == right
    assert [ids(one) for one in retriever.stream(QUESTIONS[0])] == right[:1]
    assert dict(retriever.batch_as_completed(QUESTIONS))[1] == retriever.invoke(QUESTIONS[1])
    fewer = expected(tiny_retriever, 2)
    assert ids(retriever.invoke(QUESTIONS[1], k=2)) == fewer[1]
    assert [ids(one) for one in retriever.batch(QUESTIONS, k=2)] == fewer
    assert [ids(one) for one in retriever.batch(QUESTIONS, k=2, where='id = "paris.run"')] == [
        ["paris.run"]
    ] * 4
    assert ids(
        GenretRetriever(retriever=tiny_retriever, where='title contains "rome"').invoke("rome")
    ) == ids(retriever.invoke("rome", k=10, where='title contains "rome"'))
    assert retriever.batch([]) == []


def test_a_batch_is_one_pass_and_every_question_has_its_callbacks(
    tiny_retriever: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = tiny_retriever.batch_search

    def counted(queries: list[str], *arguments: Any, **options: Any) -> object:
        asked.append(len(queries))
        return answer(queries, *arguments, **options)

    monkeypatch.setattr(tiny_retriever, "batch_search", counted)
    retriever, ends = GenretRetriever(retriever=tiny_retriever, k=3), Ends()
    found = retriever.batch(QUESTIONS, config={"callbacks": [ends]})
    assert asked == [len(QUESTIONS)]
    assert sorted(ends.found) == sorted(ids(one) for one in found)


def test_a_question_that_is_refused_does_not_take_the_others_with_it(
    tiny_retriever: GenerativeRetriever,
) -> None:
    retriever = GenretRetriever(retriever=tiny_retriever, k=3)
    with pytest.raises(InputError, match="empty"):
        retriever.batch([QUESTIONS[0], " "])
    found, refused = retriever.batch([QUESTIONS[0], " "], return_exceptions=True)
    assert ids(found) == expected(tiny_retriever, 3)[0]
    assert isinstance(refused, InputError)


def test_a_folder_in_place_of_a_retriever(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> None:
    tiny_retriever.save_pretrained(tmp_path / "MODEL")
    made = GenretRetriever(retriever=str(tmp_path / "MODEL"), k=3)
    assert [ids(one) for one in made.batch(QUESTIONS)] == expected(tiny_retriever, 3)
    with pytest.raises(ValueError, match="no such folder"):  # within one of pydantic's
        GenretRetriever(retriever=tmp_path / "none")


def test_in_a_chain(tiny_retriever: GenerativeRetriever) -> None:
    retriever = GenretRetriever(retriever=tiny_retriever, k=2)
    joined = RunnableLambda(lambda documents: " | ".join(one.page_content for one in documents))
    chain = {"context": retriever | joined, "question": RunnablePassthrough()} | RunnableLambda(dict)
    answer = chain.invoke(QUESTIONS[1])
    assert answer["question"] == QUESTIONS[1]
    assert answer["context"].count(" | ") == 1
