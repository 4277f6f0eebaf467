"""The backbone without a network: every logit is 0, whichever way it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from backbones import DOCID_TOKENS, TEXTS, word_tokenizer

from genret.errors import InputError
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.word_backbone import WordBackbone


def backbone() -> WordBackbone:
    found = WordBackbone(word_tokenizer())
    found.extend_vocabulary(DOCID_TOKENS)
    return found


def test_it_is_a_backbone_whose_vocabulary_is_docids() -> None:
    found = backbone()
    assert isinstance(found, Backbone)
    assert found.vocab_size == 3 + len(DOCID_TOKENS)
    assert list(found.parameters()) == []
    assert found.sparse_tables() == []
    assert found.source_lengths(TEXTS) == [3, 1, 8, 5]


def test_every_token_scores_nothing_at_every_step() -> None:
    found = backbone()
    encoded, targets = found.encode(TEXTS), torch.tensor([[3, 4, 1]] * len(TEXTS))
    hidden, state = found.start(encoded)
    taught = found(TEXTS, targets)
    assert taught.shape == (len(TEXTS), 3, found.vocab_size)
    assert torch.equal(found.target_logits(encoded, targets), taught)
    for column in range(3):
        logits = found.logits(hidden)
        assert logits.dtype == torch.float32
        assert torch.equal(logits, taught[:, column])
        assert not logits.any()
        hidden, state = found.step(state, targets[:, column])
    rows = torch.tensor([0, 0, 3])
    hidden, state = found.step(found.reorder(state, rows), torch.full((3, 2), 4))
    assert found.logits(hidden, torch.tensor([1, 5])).shape == (3, 2, 2)
    out = torch.ones(3, 2, found.vocab_size)
    assert found.logits(hidden, out=out) is out
    assert not out.any()


def test_a_folder_is_two_tokenizers(tmp_path: Path) -> None:
    found = backbone()
    found.save_pretrained(tmp_path)
    again = load_backbone(tmp_path)
    assert isinstance(again, WordBackbone)
    assert again.tokenizer.get_vocab() == found.tokenizer.get_vocab()
    assert again.source_tokenizer.get_vocab() == found.source_tokenizer.get_vocab()
    assert (again.eos_token_id, again.pad_token_id) == (1, 0)
    with pytest.raises(InputError, match="has no options; found max_source_tokens"):
        load_backbone(tmp_path, max_source_tokens=3)
