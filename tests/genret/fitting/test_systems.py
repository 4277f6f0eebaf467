from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close

from genret.corpus import Passage, Query
from genret.demo.questions import DemoQuestion, judgements_of
from genret.demo.search_steps import steps_of
from genret.errors import UsageError
from genret.fitting.systems import MODEL_NAME, compare_systems, untrained
from genret.jobs.stages import Stages
from genret.retrieval.docids import GenerativeRetriever

# The tiny decoder is narrower than these: it starts from noise.
VECTORS = np.eye(48, dtype=np.float32)[:16]
QUESTIONS = [
    DemoQuestion("q1", "what river lies near rome", ("river.rome",)),
    DemoQuestion("q2", "walk", ("city.walk",)),
]


def test_every_system_is_asked_every_question(
    tiny_retriever: GenerativeRetriever,
    passages: list[Passage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stages = Stages()
    queries = [Query(one.query_id, one.text) for one in QUESTIONS]
    found = compare_systems(tiny_retriever, passages, queries, judgements_of(QUESTIONS), stages, k=3)
    assert next(iter(found.evaluations)) == MODEL_NAME
    assert all(one.query_ids == ("q1", "q2") for one in found.evaluations.values())
    assert found.evaluations["BM25"].mean("hit@1") >= 0.5
    assert [one.query_id for one in QUESTIONS] == list(found.hits)
    assert all(len(hits) == 3 for hits in found.hits.values())
    assert len(stages.finished) == 6
    assert len(found.evaluations) == 8


def test_the_control_has_the_same_shape_and_the_first_weights(tiny_retriever: GenerativeRetriever) -> None:
    trained: Any = tiny_retriever.backbone
    with torch.no_grad():
        trained.model.decoder.embed.weight += 1.0  # a training step
    control = untrained(tiny_retriever, VECTORS)
    fresh: Any = control.backbone
    assert fresh.sentence_encoder.model is trained.sentence_encoder.model
    assert control.table is tiny_retriever.table
    pairs = list(
        zip(fresh.model.decoder.state_dict().items(), trained.model.decoder.state_dict().items(), strict=True)
    )
    assert all(one[0] == two[0] and one[1].shape == two[1].shape for one, two in pairs)
    assert not torch.equal(fresh.model.decoder.embed.weight, trained.model.decoder.embed.weight)
    assert {hit.passage_id for hit in control.search("rome", 16)} == set(tiny_retriever.passages.passage_ids)


def test_a_model_that_numbers_tokens_otherwise_is_refused(tiny_retriever: GenerativeRetriever) -> None:
    table = tiny_retriever.table
    other = SimpleNamespace(
        new_tokens=table.new_tokens[::-1], num_documents=table.num_documents, arrays=table.arrays
    )
    tiny_retriever.table = other  # type: ignore[assignment]
    arrays = table.arrays
    other.arrays = arrays._replace(new_token_ids=arrays.new_token_ids[::-1])
    with pytest.raises(RuntimeError, match="otherwise"):
        untrained(tiny_retriever, VECTORS)


def test_another_backbone_is_refused(tiny_retriever: GenerativeRetriever) -> None:
    tiny_retriever.backbone = SimpleNamespace()  # type: ignore[assignment]
    with pytest.raises(UsageError, match="frozen encoder"):
        untrained(tiny_retriever, VECTORS)


@pytest.mark.parametrize("plan_ahead", [False, True])
@pytest.mark.parametrize("num_beams", [1, 4, 16])
def test_the_demos_steps_agree_with_the_retriever(
    tiny_retriever: GenerativeRetriever, num_beams: int, plan_ahead: bool
) -> None:
    settings = replace(tiny_retriever.options, num_beams=num_beams, plan_ahead=plan_ahead)
    tiny_retriever.options = settings
    hits = tiny_retriever.search("a mountain near paris", 1, num_beams=num_beams)
    trace = tiny_retriever.trace("a mountain near paris", num_beams)
    best = steps_of(trace, num_beams)[-1].ended[0]
    row = tiny_retriever.passages.row(hits[0].passage_id)
    assert list(best.tokens[:-1]) == tiny_retriever.table.sequence(row).tolist()
    assert_close(best.score, hits[0].score, ulps=FORWARD)
