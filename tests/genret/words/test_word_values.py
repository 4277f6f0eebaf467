"""Words of queries against dictionaries and sums by hand, and their two files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from backbones import sentence_encoder
from floats import FORWARD, assert_close

from docid.words import WordSets
from genret.corpus import Passage
from genret.errors import ArtefactError, InputError
from genret.words import DEFAULT_WEIGHT, Words
from genret.words.word_reader import WordReader
from genret.words.words import SETS_FILE, VALUES_FILE, WordOptions, choose_words

TEXTS = ["river near rome", "the city of rome", "walk", "read read read river", ""]
PASSAGES = [Passage(str(row), "mountain" if row == 2 else "", text) for row, text in enumerate(TEXTS)]


def chosen(limit: int = 64) -> Words:
    tokenizer = sentence_encoder().tokenizer
    return choose_words(PASSAGES, tokenizer, WordOptions(limit))


def ids(text: str) -> set[int]:
    return set(WordReader(sentence_encoder().tokenizer).numbers([text])[0].tolist())


def test_passages_hold_the_words_of_title_and_text() -> None:
    sets = chosen().sets.sets()
    for row, passage in enumerate(PASSAGES):
        held = set(sets.values[sets.offsets[row] : sets.offsets[row + 1]].tolist())
        assert held == ids(passage.title) | ids(passage.text)


def test_titles_may_be_left_out() -> None:
    words = choose_words(PASSAGES, sentence_encoder().tokenizer, WordOptions(title_weight=0))
    (mountain,) = ids("mountain")
    assert not words.sets.shares(np.array([mountain]), np.arange(len(PASSAGES))).any()


def test_later_passages_are_counted_as_the_first_were() -> None:
    grown = chosen(2).extended(PASSAGES)
    sets = grown.sets.sets()
    rows = [set(sets.values[sets.offsets[row] : sets.offsets[row + 1]].tolist()) for row in range(10)]
    assert rows[:5] == rows[5:]


@pytest.mark.parametrize("learned", [False, True])
def test_a_word_is_worth_its_idf_times_weight_and_factor(learned: bool) -> None:
    words = chosen()
    factors = np.random.default_rng(0).random(words.sets.vocab_size).astype(np.float32) if learned else None
    words = replace(words, weight=0.7, factors=factors)
    weighted = words.weighted(["rome rome river", "", "nothing that is known rome"])
    idf = words.sets.statistics.idf()
    for query, text in enumerate(["rome rome river", "", "nothing that is known rome"]):
        part = slice(*weighted.offsets[query : query + 2])
        expected = {
            token: 0.7 * idf[token] * (1 if factors is None else factors[token]) for token in ids(text)
        }
        assert weighted.tokens[part].tolist() == sorted(expected)
        assert_close(weighted.weights[part], [expected[token] for token in sorted(expected)], ulps=FORWARD)


def test_a_word_that_is_worth_nothing_is_not_looked_up() -> None:
    words = chosen()
    factors = np.ones(words.sets.vocab_size, np.float32)
    factors[list(ids("rome"))] = 0
    assert set(replace(words, factors=factors).weighted(["rome river"]).tokens.tolist()) == ids("river")


@pytest.mark.parametrize("learned", [False, True])
def test_a_folder_gives_the_same_words_again(tmp_path: Path, learned: bool) -> None:
    words = chosen()
    if learned:
        words = replace(words, weight=0.25, factors=np.full(words.sets.vocab_size, 2, np.float32))
    words.save(tmp_path)
    again = Words.load(tmp_path, sentence_encoder().tokenizer)
    assert again.weight == words.weight
    assert np.array_equal(again.values, words.values)
    assert np.array_equal(again.sets.postings, words.sets.postings)


def test_another_tokenizer_and_damage_are_told(tmp_path: Path) -> None:
    words = chosen()
    words.save(tmp_path)
    other = sentence_encoder().tokenizer
    other.add_tokens(["another"])
    with pytest.raises(ArtefactError, match="its words were chosen with another tokenizer"):
        Words.load(tmp_path, other)
    with pytest.raises(InputError, match="choose the words again with this tokenizer"):
        replace(words, tokenizer=other)
    path = tmp_path / VALUES_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtefactError):
        Words.load(tmp_path, sentence_encoder().tokenizer)


def test_sets_of_another_tokenizer_of_the_same_size_are_refused(tmp_path: Path) -> None:
    words = chosen()
    words.save(tmp_path)
    stored = WordSets.load(tmp_path / SETS_FILE)
    assert stored.title_weight == words.title_weight
    assert Words.load(tmp_path, words.tokenizer).sets.vocabulary == stored.vocabulary
    replace(stored, vocabulary=None).save(tmp_path / SETS_FILE)
    assert Words.load(tmp_path, words.tokenizer).sets.vocabulary is None
    replace(stored, vocabulary="another").save(tmp_path / SETS_FILE)
    with pytest.raises(ArtefactError, match="its words were chosen with another tokenizer"):
        Words.load(tmp_path, words.tokenizer)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_weights_are_numbers_from_0(weight: float) -> None:
    with pytest.raises(InputError, match="expected a number of at least 0"):
        replace(chosen(), weight=weight)


@pytest.mark.parametrize("factor", [-1.0, float("nan")])
def test_factors_are_numbers_from_0(factor: float) -> None:
    words = chosen()
    factors = np.full(words.sets.vocab_size, factor, np.float32)
    with pytest.raises(InputError, match="a factor is no number from 0"):
        replace(words, factors=factors)
    with pytest.raises(InputError, match="factors of 3 words"):
        replace(words, factors=np.ones(3, np.float32))


def test_the_default_is_015_of_a_cosine() -> None:
    """As `DEFAULT_WEIGHT` says of itself: scores are cosines over a temperature of .05."""
    assert_close(DEFAULT_WEIGHT * 0.05, 0.015, ulps=FORWARD)


def test_the_unknown_token_is_no_word() -> None:
    """Two texts that the tokenizer cannot spell share nothing by that."""
    tokenizer = sentence_encoder().tokenizer
    words = choose_words([Passage("1", "", "ξξ river"), Passage("2", "", "walk")], tokenizer, WordOptions())
    unknown = words.reader.first_token + tokenizer.unk_token_id
    assert ids("ξξ") == {unknown}
    assert (words.sets.shares(np.array([unknown]), np.arange(2)) > 0).tolist() == [[True, False]]
    assert set(words.weighted(["жж river"]).tokens.tolist()) == ids("river")


@pytest.mark.parametrize("times", [-1, 257])
def test_titles_count_a_bounded_number_of_times(tmp_path: Path, times: int) -> None:
    with pytest.raises(InputError, match=f"its titles count {times} times, expected 0 to 256"):
        replace(chosen(), title_weight=times)
    words = chosen()
    object.__setattr__(words, "title_weight", times)
    words.save(tmp_path)
    with pytest.raises(ArtefactError, match=f"its titles count {times} times"):
        Words.load(tmp_path, sentence_encoder().tokenizer)
