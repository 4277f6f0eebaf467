"""A decoder that starts from codebooks ranks docids as they do."""

from __future__ import annotations

import json

import pytest
import torch
from backbones import sentence_encoder
from floats import FORWARD, assert_close

from docid.strategies import DocumentFields, Residual
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models import load_backbone
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.linear_index.codebook import CodebookModel, DocidPaths, start_from_codebooks
from genret.training.linear_index.query_side import QuerySide
from genret.training.linear_index.teacher import DenseTeacher

WORDS = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read", "who", "where", "near", "lies"]
TEXTS = [f"{first} {second}" for first in WORDS for second in WORDS if first != second]
SHAPE = {"decoder_layers": 2, "decoder_heads": 4, "decoder_ffn_dim": 64, "max_docid_tokens": 8}


def prepared(**shape):
    encoder = sentence_encoder()
    vectors = encoder.embed(TEXTS)
    unbound = Residual(levels=3, codes=6).assign(DocumentFields(len(TEXTS), embeddings=vectors))
    backbone = FrozenEncoderBackbone.build(
        encoder, **{"d_model": 48, "tie_word_embeddings": False, **SHAPE, **shape}
    )
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    generator = torch.Generator().manual_seed(0)
    side = QuerySide(torch.eye(48) + 0.1 * torch.randn(48, 48, generator=generator), 17.0)
    teacher = DenseTeacher(TEXTS, vectors, vectors, gold_share={}, neighbours=4, side=side)
    index = CodebookModel(teacher, DocidPaths(table, (2,)), side=side)
    with torch.no_grad():
        index.query_map.add_(0.1 * torch.randn(48, 48, generator=generator))
    return backbone, table, index


def started():
    """A backbone that scores as its codebooks do."""
    backbone, table, index = prepared()
    start_from_codebooks(backbone, index)
    return backbone, table, index


def test_raw_scores_are_those_of_the_linear_index():
    backbone, table, index = started()
    constraint = TrieConstraint(table.trie(backbone.eos_token_id))
    queries = TEXTS[::17]
    with torch.inference_mode():
        found = beam_search(backbone, backbone.encode(queries), constraint, num_beams=200, score="raw")
        vectors = index.teacher.asked[index.teacher.rows(queries)]
        expected = index.queries(vectors) @ index.documents(index.paths.paths).T
    for hypotheses, scores in zip(found, expected, strict=True):
        assert len(hypotheses) == table.num_docids
        linear = scores[[one.documents[0] for one in hypotheses]]
        assert_close([one.score for one in hypotheses], linear, ulps=FORWARD)


def test_silent_blocks_are_passed_over_and_change_nothing():
    """Logits with gradients, for which every block is computed, against those without."""
    backbone, table, _ = started()
    encoded = backbone.encode(TEXTS[:5])
    targets = torch.tensor([table.sequence(row).tolist() for row in range(5)])
    run = []
    for block in backbone.model.decoder.blocks:
        block.register_forward_hook(lambda *_: run.append(1))
    with torch.enable_grad():
        every = backbone.target_logits(encoded, targets)
    assert len(run) == 2
    with torch.no_grad():
        passed = backbone.target_logits(encoded, targets)
        hidden, state = backbone.start(encoded)
        hidden, _ = backbone.step(backbone.reorder(state, torch.tensor([3, 1])), targets[[3, 1], 0])
        stepped = backbone.logits(hidden)
    assert len(run) == 2
    assert_close(every, passed, ulps=FORWARD)
    assert_close(stepped, every[[3, 1], 1], ulps=FORWARD)
    with torch.no_grad():
        backbone.model.decoder.blocks[1].feed_out.bias[0] = 0.5
        backbone.target_logits(encoded, targets)
    assert len(run) == 3


def test_a_decoder_that_cannot_start_so_is_refused():
    _, _, index = prepared()
    narrow = FrozenEncoderBackbone.build(sentence_encoder(), d_model=32, tie_word_embeddings=False, **SHAPE)
    with pytest.raises(InputError, match="needs d_model 48 and tie_word_embeddings false; found d_model 32"):
        start_from_codebooks(narrow, index)
    tied = FrozenEncoderBackbone.build(sentence_encoder(), d_model=48, **SHAPE)
    with pytest.raises(InputError, match="tie_word_embeddings True"):
        start_from_codebooks(tied, index)


def test_a_model_with_a_network_over_docids_is_refused(tmp_path):
    """As the version before wrote them: never loaded without it."""
    backbone, _, _ = started()
    backbone.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "docid_width": 16}))
    with pytest.raises(InputError, match="a network over docids, which no version reads any more"):
        load_backbone(tmp_path / "model", "frozen-encoder")


def test_steps_give_what_teacher_forcing_gives_and_a_folder_gives_it_again(tmp_path):
    """Silent blocks keep their tokens token by token, several at once, and after a reordering."""
    backbone, _, _ = started()
    encoded, targets = backbone.encode(TEXTS[:3]), torch.tensor([[3, 9, 15], [4, 10, 16], [3, 11, 17]])
    with torch.inference_mode():
        whole = backbone.target_logits(encoded, targets)
        hidden, state = backbone.start(encoded)
        assert_close(backbone.logits(hidden), whole[:, 0], ulps=FORWARD)
        order = torch.tensor([2, 0, 1])
        _, two = backbone.step(state, targets[:, 0])
        swapped = backbone.reorder(two, order)
        hidden, _ = backbone.step(swapped, targets[order, 1])
        assert_close(backbone.logits(hidden), whole[order, 2], ulps=FORWARD)
        hidden, _ = backbone.step(state, targets[:, :2])
        assert_close(backbone.logits(hidden), whole[:, 1:], ulps=FORWARD)
        backbone.save_pretrained(tmp_path / "model")
        again = load_backbone(tmp_path / "model", "frozen-encoder")
        assert_close(again.target_logits(again.encode(TEXTS[:3]), targets), whole, ulps=FORWARD)
