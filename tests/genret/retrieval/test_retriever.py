"""The retriever: hits in order, nothing invented, and folders that load only when they are whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backbones import DOCID_TOKENS, frozen
from floats import FORWARD, LOGITS, assert_close
from transformers import AutoModel

from docid import DocidTable
from genret.artefact import MANIFEST, write_manifest
from genret.constraint import NoConstraint, TrieConstraint
from genret.corpus import Passage, PassageStore
from genret.errors import ArtefactError, InputError, UsageError
from genret.retrieval.docids import GenerativeRetriever

QUERY = "where lies the city near paris"


def test_hits_are_ranked_and_complete(tiny_retriever: GenerativeRetriever, passages: list[Passage]) -> None:
    hits = tiny_retriever.search(QUERY, k=100, with_text=True)
    assert [hit.rank for hit in hits] == list(range(1, 17))
    assert sorted(hit.passage_id for hit in hits) == sorted(p.passage_id for p in passages)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    text = {passage.passage_id: passage.text for passage in passages}
    assert all(hit.text == text[hit.passage_id] for hit in hits)
    assert tiny_retriever.search(QUERY, k=3)[0].text is None


def test_more_passages_than_beams_raise_the_beams(tiny_retriever: GenerativeRetriever) -> None:
    few = tiny_retriever.with_options(num_beams=1)
    assert len(few.search(QUERY, k=12)) == 12
    assert len(few.search(QUERY, k=1)) == 1


def test_a_constraint_decides_what_is_found(tiny_retriever: GenerativeRetriever) -> None:
    """A subset, with and without a plan, gives the whole search's hits within it; another trie gives its own."""
    rows = [3, 5, 6, 11]
    ids = {tiny_retriever.passages.passage_ids[row] for row in rows}
    every = tiny_retriever.search(QUERY, k=16)
    expected = [hit for hit in every if hit.passage_id in ids]
    within = tiny_retriever.constraint.within(rows)
    for plan_ahead in (False, True):
        chosen = tiny_retriever.with_options(plan_ahead=plan_ahead)
        found = chosen.search(QUERY, k=10, constraint=within)
        assert [hit.passage_id for hit in found] == [hit.passage_id for hit in expected]
        assert_close(
            [hit.score for hit in found], [hit.score for hit in expected], ulps=FORWARD, scale=LOGITS
        )
        assert chosen.trace(QUERY, constraint=within).hypotheses[0].documents[0] in rows
        assert len(chosen.search(QUERY, k=16)) == 16
    table = tiny_retriever.table.without([row for row in range(16) if row not in rows])
    other = TrieConstraint(table.trie(tiny_retriever.backbone.eos_token_id))
    for plan_ahead in (False, True):
        chosen = tiny_retriever.with_options(plan_ahead=plan_ahead)
        assert [hit.passage_id for hit in chosen.search(QUERY, constraint=other)] == [
            hit.passage_id for hit in expected
        ]
    with pytest.raises(UsageError, match="this constraint is a NoConstraint"):
        tiny_retriever.with_options(plan_ahead=True).search(
            QUERY,
            constraint=NoConstraint(tiny_retriever.backbone.vocab_size, tiny_retriever.backbone.eos_token_id),
        )


def test_passages_that_share_a_docid_follow_one_another() -> None:
    backbone = frozen()
    ids = backbone.extend_vocabulary(DOCID_TOKENS)
    strings = ["x", "y", "x", "y", "x"]
    sequences = [[-1, -9] if string == "x" else [-2, -9] for string in strings]
    table = DocidTable.build(strings, sequences, DOCID_TOKENS).bind(ids)
    store = PassageStore.build([Passage(f"p{i}", "", "the city") for i in range(5)])
    hits = GenerativeRetriever(backbone, table, store).search(QUERY, k=5)
    groups = {"x": ["p0", "p2", "p4"], "y": ["p1", "p3"]}
    first, second = hits[0].docid, hits[-1].docid
    assert {first, second} == {"x", "y"}
    assert [hit.passage_id for hit in hits] == groups[first] + groups[second]
    assert [
        hit.passage_id for hit in GenerativeRetriever(backbone, table, store).search(QUERY, k=2)
    ] == groups[first][:2]


def test_a_batch_gives_what_singles_give(tiny_retriever: GenerativeRetriever) -> None:
    queries = [QUERY, "who", "what river lies near the mountain", "run"]
    batches = tiny_retriever.with_options(batch_size=3).batch_search(queries, k=5)
    for query, hits in zip(queries, batches, strict=True):
        single = tiny_retriever.search(query, k=5)
        assert [hit.passage_id for hit in hits] == [hit.passage_id for hit in single]
        assert_close([hit.score for hit in hits], [hit.score for hit in single], ulps=FORWARD, scale=LOGITS)
    assert tiny_retriever.batch_search([], k=5) == []


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"k": -3}, {"k": 5, "num_beams": 0}, {"k": "5"}, {"k": 2.5}, {"k": None}]
)
def test_numbers_out_of_range_are_usage_errors(
    tiny_retriever: GenerativeRetriever, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        tiny_retriever.search(QUERY, **options)


def test_one_text_and_a_list_of_texts_are_told_apart(tiny_retriever: GenerativeRetriever) -> None:
    texts: Any = [QUERY, QUERY]
    with pytest.raises(UsageError, match=r"query 0: expected text, found list; .*`batch_search` a list"):
        tiny_retriever.search(texts)
    for wrong in (QUERY, QUERY.encode(), (one for one in texts)):
        with pytest.raises(UsageError, match=r"expected a list of texts, found (str|bytes|generator)"):
            tiny_retriever.batch_search(wrong)
    with pytest.raises(UsageError, match="query 1: expected text, found NoneType"):
        tiny_retriever.batch_search([QUERY, None])  # type: ignore[list-item]
    assert tiny_retriever.search(QUERY, np.int64(2)) == tiny_retriever.search(QUERY, 2)


def test_an_empty_query_is_refused(tiny_retriever: GenerativeRetriever) -> None:
    with pytest.raises(InputError, match="query 1 is empty"):
        tiny_retriever.batch_search([QUERY, "  "], k=2)


def test_a_query_that_is_no_text_is_refused(tiny_retriever: GenerativeRetriever) -> None:
    with pytest.raises(InputError, match="query 1 is no text: character 4"):
        tiny_retriever.batch_search(["fine", "caf\udce9"])


def test_docids_of_another_corpus_are_refused(tiny_retriever: GenerativeRetriever) -> None:
    store = PassageStore.build([Passage("p", "", "one")])
    with pytest.raises(InputError, match="name 16 passages, the passage store holds 1"):
        GenerativeRetriever(tiny_retriever.backbone, tiny_retriever.table, store)


@pytest.fixture
def folder(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> Path:
    place = tmp_path / "a model"
    tiny_retriever.with_options(num_beams=7).save_pretrained(place)
    return place


def test_a_saved_model_answers_the_same(folder: Path, tiny_retriever: GenerativeRetriever) -> None:
    loaded = GenerativeRetriever.from_pretrained(folder)
    assert loaded.options.num_beams == 7
    before, after = tiny_retriever.search(QUERY, k=16), loaded.search(QUERY, k=16)
    assert [hit.passage_id for hit in before] == [hit.passage_id for hit in after]
    assert_close([hit.score for hit in before], [hit.score for hit in after], ulps=FORWARD, scale=LOGITS)


def test_the_folder_opens_with_transformers(folder: Path, tiny_retriever: GenerativeRetriever) -> None:
    model = AutoModel.from_pretrained(folder)
    ours = tiny_retriever.backbone.model.state_dict()  # type: ignore[attr-defined]
    theirs = model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_nothing_is_overwritten_unless_asked(folder: Path, tiny_retriever: GenerativeRetriever) -> None:
    with pytest.raises(InputError, match="--overwrite"):
        tiny_retriever.save_pretrained(folder)
    tiny_retriever.save_pretrained(folder, overwrite=True)
    assert GenerativeRetriever.from_pretrained(folder).options.num_beams == 10


def test_every_file_is_missed_and_every_damage_noticed(folder: Path, tmp_path: Path) -> None:
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(names) > 5
    for name in names:
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 0x41
        (copy / name).write_bytes(bytes(data))
        with pytest.raises(ArtefactError, match=r"damaged|altered"):
            GenerativeRetriever.from_pretrained(copy)
        (copy / name).unlink()
        with pytest.raises(ArtefactError, match=r"missing|incomplete"):
            GenerativeRetriever.from_pretrained(copy)
        shutil.rmtree(copy)


def test_another_tokenizer_is_refused_and_both_are_named(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    expected = manifest["meta"]["tokenizer"]
    path = folder / "docid_tokenizer" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["added_tokens"][-1]["content"] = "<z_9>"
    path.write_text(json.dumps(content))
    write_manifest(
        folder, kind=GenerativeRetriever.kind, version=GenerativeRetriever.version, meta=manifest["meta"]
    )
    with pytest.raises(ArtefactError, match=f"{expected}.* the tokenizer in this folder is "):
        GenerativeRetriever.from_pretrained(folder)
