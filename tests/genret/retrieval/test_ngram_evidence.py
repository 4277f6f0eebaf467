"""Passages ranked by weighted evidence, against sums by hand; words in folders and through changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from floats import assert_close
from tiny_ngrams import PASSAGES, QUERIES, VIEWS, retriever

from fm_index.scoring import score_passages
from genret.corpus import Passage
from genret.errors import ArtefactError, InputError
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramOptions, NgramRetriever
from genret.retrieval.ngrams import evidence as evidence_module
from genret.retrieval.ngrams.evidence import ASKED, features_of, weighed
from genret.retrieval.ngrams.lexicon import READINGS
from genret.words import WordOptions

WORDS = WordOptions()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> NgramRetriever:
    return retriever(tmp_path_factory.mktemp("evidence") / "index", words=WORDS)


def weights(made: NgramRetriever, seed: int) -> dict[str, float]:
    """Some kinds count for nothing."""
    rng = np.random.default_rng(seed)
    return {kind: float(rng.choice([0.0, 0.3, 1.0, 2.5])) for kind in made.options.evidence}


def words_by_hand(made: NgramRetriever, query: int, given: dict[str, float]) -> np.ndarray:
    """Word by word: its weight, its share of the passage, and how much of what was written holds it."""
    evidence = made.evidence(made.maker.keys(QUERIES))
    assert made.lexicon is not None
    total = np.zeros(len(PASSAGES))
    for source, texts in evidence.texts.items():
        for reading, read in READINGS.items():
            own = made.lexicon.readings[reading]
            for text, part in texts[query]:
                spelled = "".join(f" {word}" for word in read(text))
                for number in set(own.reader.numbers([spelled])[0].tolist()):
                    share = own.sets.shares(np.array([number]), np.arange(len(PASSAGES)))[0]
                    total += given[f"{source}.{reading}"] * part * own.values[number] * share
    return total


@pytest.mark.parametrize("seed", range(4))
def test_a_score_is_the_weighted_sum_of_all_evidence(made: NgramRetriever, seed: int) -> None:
    given = weights(made, seed)
    given[f"{ASKED}.words"] = 1.0
    searched = made.with_options(weights=given)
    keys = made.maker.keys(QUERIES)
    everything = np.ones(len(PASSAGES), np.bool_)
    for query, found in enumerate(searched.score(keys, len(PASSAGES))):
        worth = weighed(
            keys[query].keys,
            features_of(made.text_index.index, keys[query].keys, keys[query].views, made.options.scoring),
            given,
        )
        ngrams = score_passages(
            made.text_index.index, [worth], made.options.scoring, num_return=9, documents=everything
        )[0]
        expected = words_by_hand(made, query, given)
        expected[ngrams.passages] += ngrams.scores
        assert_close(found.scores, expected[found.passages], relative=1e-5)
        assert (np.diff(found.scores) <= 0).all()
        assert set(np.flatnonzero(expected > 0).tolist()) == set(found.passages.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_sums_times_weights_are_the_scores(made: NgramRetriever, seed: int) -> None:
    given = weights(made, seed)
    given["body.odds"] = 0.5
    searched = made.with_options(weights=given)
    keys = made.maker.keys(QUERIES)
    vector = np.array([given[kind] for kind in made.options.evidence])
    for (rows, sums), found in zip(searched.sums(keys, 4), searched.score(keys, 4), strict=True):
        np.testing.assert_array_equal(rows, found.passages)
        assert (sums >= 0).all()
        assert_close(sums @ vector, found.scores, relative=1e-5)


def test_matches_add_up_and_name_words(made: NgramRetriever) -> None:
    for query, hits in zip(QUERIES, made.batch_search(QUERIES, k=5), strict=True):
        assert hits
        for hit in hits:
            assert_close(sum(match.score for match in hit.matches), hit.score, relative=1e-5)
        assert any(match.view == f"{ASKED}.words" for match in hits[0].matches), query


def test_words_find_passages_that_no_n_gram_nominates(
    made: NgramRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with few candidates of each sort, the best by words are among them."""
    monkeypatch.setattr(evidence_module, "DEPTH", 1)
    (keys,) = made.maker.keys(["zebra"])
    alone = keys.without(list(VIEWS))
    (found,) = made.score([alone], 1)
    assert made.passages.passage_ids[found.passages[0]] == "last"
    (none,) = made.score([alone.without([ASKED])], 3)
    assert len(none.passages) == 0
    rows = np.array([passage.passage_id == "rome" for passage in PASSAGES])
    (limited,) = made.score([keys], 3, rows)
    assert limited.passages.tolist() in ([], [1])


def test_a_folder_keeps_words_and_weights(made: NgramRetriever, tmp_path: Path) -> None:
    assert made.lexicon is not None
    learned = made.lexicon.learned(QUERIES, [[0], [4]])
    given = NgramRetriever(
        made.backbone, made.text_index, replace(made.options, weights=weights(made, 7)), learned
    )
    given.save_pretrained(tmp_path / "model")
    loaded = load_retriever(tmp_path / "model")
    assert isinstance(loaded, NgramRetriever)
    assert loaded.options == given.options
    for found, expected in zip(loaded.batch_search(QUERIES, 5), given.batch_search(QUERIES, 5), strict=True):
        assert [hit.passage_id for hit in found] == [hit.passage_id for hit in expected]
        assert_close([hit.score for hit in found], [hit.score for hit in expected], relative=1e-5)
        assert [{match.text for match in hit.matches} for hit in found] == [
            {match.text for match in hit.matches} for hit in expected
        ]
    (tmp_path / "model" / "words" / "words" / "words.values").unlink()
    with pytest.raises(ArtefactError, match=r"words.values"):
        load_retriever(tmp_path / "model")


def test_words_follow_passages_that_come_and_go(made: NgramRetriever) -> None:
    changed = made.add([Passage("loire", "Loire", "The Loire is a river.")]).remove(["rome"])
    assert changed.lexicon is not None
    assert changed.lexicon.num_documents == {len(changed.passages)} == {len(PASSAGES)}
    # Words alone: a tokenizer of bytes has letters for words, of which this passage has most.
    hits = changed.with_options(weights={"asked.words": 1.0, "asked.beginnings": 1.0}).search("the loire", 5)
    assert hits[0].passage_id == "loire"
    assert "rome" not in {hit.passage_id for hit in hits}


def test_evidence_that_is_not_there_is_named(made: NgramRetriever) -> None:
    with pytest.raises(
        InputError, match=r"weights.titel.odds: there is no such evidence; expected one of body.odds"
    ):
        NgramOptions(VIEWS, weights={"titel.odds": 1.0})
    with pytest.raises(InputError, match=r"weights.asked.words: there is no such evidence"):
        NgramOptions(VIEWS, weights={"asked.words": 1.0})
    given = replace(made.options, weights={"query.odds": 1.0, "body.odds": 2.0})
    assert given.without("query").weights == {"body.odds": 2.0}
