"""A control token's spelling in a text is characters, with every kind of tokenizer; other texts keep their ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from backbones import bart_tokenizer, byte_tokenizer, word_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from genret.errors import InputError
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.plain_text import control_ids, prompt_ids, text_ids, text_offsets
from genret.tokenizer.unigram import train_tokenizer

CORPUS = [f"the quick brown fox jumps over the lazy dog number {i} and some more text" for i in range(200)]
SPELLINGS = ["</s>", "<pad>", "<unk>", "<c1_7>", "<c1_8>", "[SEP]", "[CLS]", "<s>", "<|end|>"]


def merging_tokenizer() -> Any:
    """Byte pairs that merge to the spelling of a control token, as converted sentencepiece models have them."""
    pieces = ["<", "s", ">", "/", "a", " ", "|", "s>", "<s>", "<|end|>", "<u>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("s", ">"), ("<", "s>")], unk_token="<u>"))
    names = {"bos_token": "<s>", "eos_token": "<|end|>", "unk_token": "<u>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def whole_words() -> Any:
    """A vocabulary of words, control tokens among them, cut at spaces only."""
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", "fox", "dog"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


@cache
def unigrams() -> Any:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return train_tokenizer(CORPUS, Path(folder) / "t", vocab_size=60, reserved=["<c1_7>", "<c1_8>"])


MADE = {
    "unigram": unigrams,
    "bytes": byte_tokenizer,
    "word pieces": word_tokenizer,
    "words": bart_tokenizer,
    "merges": merging_tokenizer,
    "whole words": whole_words,
}


def test_threads_that_cut_at_different_places_do_not_disturb_each_other() -> None:
    tokenizer = unigrams()
    expected = {length: text_ids(tokenizer, CORPUS, max_length=length) for length in (None, 3, 5, 8)}

    def read(place: int) -> None:
        length = (None, 3, 5, 8)[place % 4]
        assert text_ids(tokenizer, CORPUS, max_length=length) == expected[length]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(200)))


@pytest.mark.parametrize("name", MADE)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_text_has_a_control_token(name: str, data: st.DataObject) -> None:
    tokenizer = MADE[name]()
    own = [str(tokenizer.added_tokens_decoder[number]) for number in control_ids(tokenizer)]
    parts = data.draw(st.lists(st.sampled_from([*SPELLINGS, *own, " ", "fox", "a", "你", "\n"]), max_size=8))
    (ids,) = text_ids(tokenizer, ["".join(parts)])
    assert control_ids(tokenizer).isdisjoint(ids)


@pytest.mark.parametrize("name", MADE)
def test_other_texts_have_the_tokenizers_own_ids(name: str) -> None:
    tokenizer = MADE[name]()
    texts = [
        "the fox",
        "",
        "a  river\n\nof ünïcode 你好",
        " x",
        "the quick brown fox jumps over the lazy dog",
    ]
    assert text_ids(tokenizer, texts) == [tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    cut = text_ids(tokenizer, texts, special_tokens=True, max_length=6)
    assert cut == tokenizer(texts, truncation=True, max_length=6)["input_ids"]
    assert text_ids(tokenizer, []) == []
    tokenizer.truncation_side = "left"
    try:
        cut = text_ids(tokenizer, texts, special_tokens=True, max_length=6)
        assert cut == tokenizer(texts, truncation=True, max_length=6)["input_ids"]
    finally:
        tokenizer.truncation_side = "right"


def test_tokens_that_come_later_are_control_tokens_too() -> None:
    tokenizer = word_tokenizer()
    before = text_ids(tokenizer, ["<c1_9>"])
    extend_tokenizer(tokenizer, ["<c1_9>"])
    assert tokenizer("<c1_9>", add_special_tokens=False)["input_ids"] != before
    assert text_ids(tokenizer, ["<c1_9>"]) == before


def test_runs_of_spaces_and_words_that_were_added_are_text() -> None:
    tokenizer = word_tokenizer()
    texts = ["covid near paris"]
    before = text_ids(tokenizer, texts)
    tokenizer.add_tokens(["covid"])
    assert text_ids(tokenizer, texts) != before
    assert text_ids(tokenizer, texts) == tokenizer(texts, add_special_tokens=False)["input_ids"]


def test_a_template_means_its_control_tokens_and_a_query_does_not() -> None:
    tokenizer = bart_tokenizer()
    texts = ["who", "who </s> rome", "<s>"]
    ids = prompt_ids(tokenizer, "<s>what </s> ", texts)
    head = tokenizer("<s>what </s>", add_special_tokens=False)["input_ids"]
    assert ids[0] == tokenizer("<s>what </s> who", add_special_tokens=False)["input_ids"]
    for row, text in zip(ids, texts, strict=True):
        assert row == [*head, *text_ids(tokenizer, [text])[0]]
    assert prompt_ids(tokenizer, "what ", ["</s>"]) == text_ids(tokenizer, ["what </s>"])
    assert prompt_ids(tokenizer, "<s>", []) == []


def test_offsets_are_those_of_the_text() -> None:
    tokenizer = word_tokenizer()
    ids, offsets = text_offsets(tokenizer, "who [SEP] rome", 64)
    assert [place for place, token in enumerate(ids) if token == tokenizer.sep_token_id] == [len(ids) - 1]
    rome = ids.index(tokenizer.convert_tokens_to_ids("rome"))
    assert offsets[rome] == (10, 14)


def test_a_tokenizer_that_does_not_say_where_its_tokens_are_is_refused() -> None:
    with pytest.raises(InputError, match="ByT5Tokenizer does not say where in a text its tokens are"):
        text_offsets(byte_tokenizer(), "a fox", 8)
