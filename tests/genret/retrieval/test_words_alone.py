"""Docids of words alone: ranked by words, beside Python's sets and logarithms; what is of beams is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from backbones import sentence_encoder
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.strategies import DocumentFields, WordsAlone
from genret.corpus import Passage, PassageStore
from genret.docids.fitted import FittedStrategy
from genret.errors import ArtefactError, InputError, UsageError
from genret.models.word_backbone import WordBackbone
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.words import DEFAULT_WEIGHT
from genret.words.words import WordOptions, choose_words

NAMES = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read"]
TOKENIZER = sentence_encoder().tokenizer


def built(texts: list[str], limit: int = 3) -> GenerativeRetriever:
    """Passages p0, p1, ... without titles."""
    strategy = WordsAlone(limit)
    backbone = WordBackbone(TOKENIZER)
    unbound = strategy.assign(DocumentFields(len(texts)))
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    rows = [Passage(f"p{row}", "", text, {"row": row}) for row, text in enumerate(texts)]
    passages = PassageStore.build(rows)
    words = choose_words(passages, TOKENIZER, WordOptions(limit))
    return GenerativeRetriever(backbone, table, passages, words=words, fitted=FittedStrategy(strategy))


def slow(texts: list[str], limit: int, query: str) -> list[float]:
    """What each passage's words share with the query: by BM25's formulas, strings, and shares in sixteenths."""
    documents = [text.split() for text in texts]
    mean = sum(map(len, documents)) / len(documents)
    held = {word: sum(word in one for one in documents) for word in NAMES}
    idf = {
        word: float(np.float32(math.log1p((len(texts) - n + 0.5) / (n + 0.5)))) for word, n in held.items()
    }
    scores = []
    for words in documents:
        shares = {
            word: words.count(word) / (words.count(word) + 0.6 * (0.25 + 0.75 * len(words) / mean))
            for word in words
        }
        ids = dict(zip(NAMES, TOKENIZER.convert_tokens_to_ids(NAMES), strict=True))
        best = sorted(shares, key=lambda word: (-shares[word] * idf[word], ids[word]))[:limit]
        sixteenths = {word: max(round(16 * shares[word]), 1) for word in best}
        shared = set(query.split()) & set(best)
        scores.append(DEFAULT_WEIGHT * sum(idf[word] * sixteenths[word] / 16 for word in shared))
    return scores


texts = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=12), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_passages_are_ranked_by_the_words_that_they_share(texts: list[str], asked: list[str]) -> None:
    query = " ".join(asked)
    hits = built(texts).search(query, len(texts))
    expected = slow(texts, 3, query)
    assert len(hits) == len(texts)
    for hit in hits:
        assert hit.code_score == 0
        assert hit.score == hit.word_score
        assert_close([hit.score], [expected[int(hit.passage_id[1:])]], ulps=FORWARD)
    order = [(-hit.score, int(hit.passage_id[1:])) for hit in hits]
    assert order == sorted(order)


TEXTS = [f"{first} near {second}" for first in NAMES for second in NAMES]


@pytest.mark.parametrize("mode", ["beam", "both"])
def test_beams_are_refused_by_name(mode: str) -> None:
    found = built(TEXTS)
    assert found.options.mode == "plan"
    with pytest.raises(UsageError, match=f"mode is '{mode}'; .*words alone.*'plan' ranks all passages"):
        found.with_options(mode=mode)
    with pytest.raises(UsageError, match=f"mode is '{mode}'"):
        GenerativeRetriever(
            found.backbone,
            found.table,
            found.passages,
            words=found.words,
            options=SearchOptions(mode=mode),  # type: ignore[arg-type]
        )
    with pytest.raises(UsageError, match="no beams to decode: this model's docids are words alone"):
        found.decode(["river"], 3)
    with pytest.raises(UsageError, match="no search to follow: this model's docids are words alone"):
        found.trace("river")


def test_words_must_be_there() -> None:
    found = built(TEXTS)
    with pytest.raises(InputError, match="the docids are words alone, and no words are given"):
        GenerativeRetriever(found.backbone, found.table, found.passages)


def test_a_subset_is_ranked_as_it_is_among_all() -> None:
    found, rows = built(TEXTS), [60, 3, 20, 17]
    every = [hit for hit in found.search("walk near rome", len(TEXTS)) if int(hit.passage_id[1:]) in rows]
    some = found.search("walk near rome", 10, constraint=found.constraint.within(rows))
    assert [hit[1:] for hit in some] == [hit[1:] for hit in every]
    assert len(some) == 4
    assert found.search("walk near rome", 10, where="row in (60, 3, 20, 17)") == some


def test_a_removed_passage_is_not_found() -> None:
    found = built(TEXTS)
    assert found.words is not None
    gone = np.array([4])
    fewer = GenerativeRetriever(found.backbone, found.table.without(gone), found.passages, words=found.words)
    assert [hit.passage_id for hit in found.search("rome", 64) if hit.passage_id != "p4"] == [
        hit.passage_id for hit in fewer.search("rome", 64)
    ]


def test_passages_come_and_go_without_an_encoder(tmp_path: Path) -> None:
    """Those that were there score as before; what is new has the words that its text shares."""
    found = built(TEXTS)
    grown = found.add([Passage("new", "", "read rome walk")]).remove(["p4"])
    grown.save_pretrained(tmp_path / "model")
    again = GenerativeRetriever.from_pretrained(tmp_path / "model")
    hits = {hit.passage_id: hit.score for hit in again.search("walk near rome", len(TEXTS) + 1)}
    before = {hit.passage_id: hit.score for hit in found.search("walk near rome", len(TEXTS))}
    new = hits.pop("new")
    assert hits.keys() == before.keys() - {"p4"}
    assert_close(list(hits.values()), [before[one] for one in hits], ulps=FORWARD)
    shared = again.search("new read", 1)[0].words
    assert new > 0
    assert {word.text for word in shared} == {"read"}


def test_standing_and_words_are_those_of_any_docid() -> None:
    found = built(TEXTS)
    hit = found.search("who walk near rome", 1)[0]
    stands = found.standing("who walk near rome", hit.passage_id)
    assert (stands.rank, stands.word_rank, stands.code_rank, stands.code_score) == (1, 1, 1, 0.0)
    assert stands.score == stands.word_score == hit.score
    marked = [piece.text for piece in found.pieces(hit) if piece.match is not None]
    assert set(marked) == {match.text for match in found.matches(hit)} == {"walk", "near", "rome"}
    assert hit.docid == "<words>"


def test_a_folder_has_no_network_and_answers_the_same(tmp_path: Path) -> None:
    found = built(TEXTS)
    found.save_pretrained(tmp_path / "model")
    again = GenerativeRetriever.from_pretrained(tmp_path / "model")
    assert again.batch_search(["walk rome", "city"], 9) == found.batch_search(["walk rome", "city"], 9)
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix == ".safetensors"]
    assert sum(1 for _ in again.backbone.parameters()) == 0


@pytest.mark.parametrize("change", [{"options": SearchOptions(mode="beam")}, {"words": None}])
def test_a_folder_that_could_not_answer_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    found = built(TEXTS)
    vars(found).update(change)
    found.save_pretrained(tmp_path / "model")
    with pytest.raises(
        ArtefactError,
        match=r"altered: its docids are words alone, and it (has no words|is searched in mode 'beam')",
    ):
        GenerativeRetriever.from_pretrained(tmp_path / "model")
