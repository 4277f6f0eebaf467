"""A tokenizer's fingerprint: the same for a saved copy, another for anything that changes ids."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from backbones import bart_tokenizer, byte_tokenizer, word_tokenizer
from tokenizers import normalizers, pre_tokenizers
from transformers import AutoTokenizer

from genret.models.frozen.frozen_encoder import docid_tokenizer
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.fingerprint import tokenizer_fingerprint

TOKENIZERS = [byte_tokenizer, word_tokenizer, bart_tokenizer, docid_tokenizer]


@pytest.mark.parametrize("make", TOKENIZERS)
def test_a_saved_copy_has_the_same(make: Any, tmp_path: Path) -> None:
    tokenizer = make()
    extend_tokenizer(tokenizer, ["<a>", "<b>"])
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(tokenizer)


def test_use_does_not_change_it() -> None:
    tokenizer = word_tokenizer()
    before = tokenizer_fingerprint(tokenizer)
    tokenizer("where lies paris", padding="max_length", truncation=True, max_length=7)
    tokenizer.padding_side = "left"
    assert tokenizer_fingerprint(tokenizer) == before


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from backbones import word_tokenizer; from genret.tokenizer.fingerprint import tokenizer_fingerprint;"
        "print(tokenizer_fingerprint(word_tokenizer()))"
    )
    folder = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == tokenizer_fingerprint(word_tokenizer())


def test_whatever_changes_ids_changes_it() -> None:
    plain = word_tokenizer()
    more, other_order, special, cased, split = (copy.deepcopy(plain) for _ in range(5))
    extend_tokenizer(more, ["<a>", "<b>"])
    extend_tokenizer(other_order, ["<b>", "<a>"])
    special.sep_token = "[UNK]"
    cased.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    split.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    several = [plain, more, other_order, special, cased, split, byte_tokenizer(), bart_tokenizer()]
    assert len({tokenizer_fingerprint(tokenizer) for tokenizer in several}) == len(several)
