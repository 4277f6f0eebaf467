"""Texts as words, beside the same by regular expressions; what is no word of several pieces stays tokens."""

from __future__ import annotations

import re

import pytest
from backbones import byte_tokenizer, sentence_encoder, word_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from genret.errors import InputError
from genret.tokenizer.plain_text import text_ids
from genret.words.word_reader import BUCKETS, WordReader

TOKENIZER = sentence_encoder().tokenizer
READER = WordReader(TOKENIZER)
texts = st.lists(st.sampled_from(["paris", "who", "whooping", "tram3", "é", ",", "-", " ", "\n", "x"])).map(
    "".join
)


@given(texts)
def test_words_are_runs_of_letters_and_digits(text: str) -> None:
    """With an alphabet that the tokenizer can spell, and marks that it cannot, which are words of their own."""
    expected = re.findall(r"[^\W_]+|[^\w\s]", text)
    spans = list(READER.spans(text))
    assert [text[span.begin : span.end] for span in spans] == expected
    assert [span.number for span in spans] == READER.numbers([text])[0].tolist()


def test_equal_words_have_equal_numbers_and_names_wherever_they_stand() -> None:
    first, second = READER.numbers(["who whooping", "a WHOOPING who"])
    assert (first[0], first[1]) == (second[2], second[1])
    assert READER.names("who whooping") == {int(first[0]): "who", int(first[1]): "whooping"}


def test_words_of_one_token_are_that_token_and_others_none_of_their_pieces() -> None:
    who, whooping = READER.numbers(["who whooping"])[0].tolist()
    assert who == BUCKETS + TOKENIZER.convert_tokens_to_ids("who")
    assert whooping < BUCKETS
    assert READER.vocab_size == BUCKETS + len(TOKENIZER)


@given(texts)
def test_a_name_leads_back_to_its_number(text: str) -> None:
    assert {READER.number(name): name for name in READER.names(text).values()} == READER.names(text)


@pytest.mark.parametrize("text", ["שלום עולם", "한국어 문장", "हिन्दी भाषा", "العربية لغة"])
def test_words_of_scripts_with_blanks_are_what_stands_between_them(text: str) -> None:
    """Their letters have no case, as those of scripts without blanks have none."""
    vocabulary = {
        piece: number for number, piece in enumerate(["[UNK]", *dict.fromkeys(text.replace(" ", ""))])
    }
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    spans = WordReader(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")).spans(text)
    assert [text[span.begin : span.end] for span in spans] == text.split()


def test_letters_of_scripts_without_blanks_are_tokens() -> None:
    pieces = ["[UNK]", *"ภาษาไทย我们"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    text = "ภาษาไทย 我们"
    numbers = WordReader(fast).numbers([text])[0]
    assert numbers.tolist() == [BUCKETS + token for token in text_ids(fast, [text])[0]]


def test_a_tokenizer_that_does_not_say_where_its_tokens_are_has_them_for_words() -> None:
    tokenizer = byte_tokenizer()
    reader = WordReader(tokenizer)
    assert reader.vocab_size == len(tokenizer)
    assert reader.numbers(["who", ""])[0].tolist() == text_ids(tokenizer, ["who"])[0]
    assert set(reader.names("who").values()) == {"w", "h", "o"}
    with pytest.raises(InputError, match="does not say where"):
        list(reader.spans("who"))


def test_sets_of_tokens_are_read_as_tokens() -> None:
    """As earlier versions chose them."""
    reader = WordReader(TOKENIZER, len(TOKENIZER))
    assert reader.numbers(["whooping"])[0].tolist() == text_ids(TOKENIZER, ["whooping"])[0]
    assert [span.name for span in reader.spans("paris xy")] == TOKENIZER.tokenize("paris xy")


def test_further_tokens_of_a_vocabulary_change_no_number() -> None:
    tokenizer = word_tokenizer()
    before = WordReader(tokenizer).numbers(["who whooping"])[0].tolist()
    tokenizer.add_tokens(["<a_1>"])
    assert WordReader(tokenizer).numbers(["who whooping"])[0].tolist() == before


def test_texts_without_words_are_empty() -> None:
    assert [len(row) for row in READER.numbers(["", "  "])] == [0, 0]
    assert READER.names("") == {}
