"""Objectives on backbones: against plain sums over candidates, and a decoder that learns to rank by each."""

from __future__ import annotations

import pytest
import torch
from backbones import BACKBONES
from floats import FORWARD, assert_close, close

from docid import DocidTable
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.training.examples.batch import TrainingModule, collate
from genret.training.examples.example import Example
from genret.training.losses.candidates import Beams
from genret.training.losses.objectives import LossOptions, make_objective

TEXTS = ["who lies near paris", "where river rome", "what city", "run the mountain"]
DOCIDS = [[5, 6], [5, 7], [8], [9, 5, 6]]


def prepared(options: LossOptions, name: str = "t5"):
    backbone = BACKBONES[name]()
    table = DocidTable.build([str(row) for row in range(4)], DOCIDS)
    constraint = TrieConstraint(table.trie(backbone.eos_token_id))
    examples = [
        Example(text, (*docid, backbone.eos_token_id), "q", 1.0, row)
        for row, (text, docid) in enumerate(zip(TEXTS, DOCIDS, strict=True))
    ]
    batch = collate(examples, backbone.pad_token_id, step=3)
    find = Beams(constraint, options.candidates + 1)
    objective = make_objective(options, table, backbone, label_smoothing=0.0, seed=0, find=find)
    return backbone, constraint, batch, TrainingModule(backbone, objective)


def test_margins_are_between_the_right_docid_and_every_decoded_one():
    backbone, constraint, batch, module = prepared(LossOptions("margin", margin=0.5, cross_entropy=0.25))
    module.eval()
    found = module(batch)
    total = 0.0
    for row, hypotheses in enumerate(beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=4)):
        scores = {one.documents[0]: one.score for one in hypotheses}
        total -= 0.25 * scores[row]
        total += sum(max(0.0, 0.5 - scores[row] + score) for other, score in scores.items() if other != row)
    assert_close(found.total, total, ulps=FORWARD)
    assert float(found.weight) == float(module.weight(batch)) == 4.0


@pytest.mark.parametrize(
    "options",
    [
        LossOptions("consistency", consistency=0.5),
        LossOptions("margin", cross_entropy=0.0),
        LossOptions("policy-gradient", cross_entropy=0.0, samples=32),
    ],
    ids=lambda options: options.kind,
)
def test_a_decoder_learns_to_put_the_right_docid_first(options):
    backbone, constraint, batch, module = prepared(options)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=5e-3)
    torch.manual_seed(0)
    for _ in range(60):
        module.train()
        optimizer.zero_grad()
        module(batch).mean.backward()
        optimizer.step()
    module.eval()
    with torch.inference_mode():
        found = beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=4)
    assert [hypotheses[0].documents[0] for hypotheses in found] == [0, 1, 2, 3]


def test_consistency_adds_what_two_passes_differ_by():
    """In evaluation mode nothing differs: what is left is cross-entropy."""
    _, _, batch, module = prepared(LossOptions("consistency", consistency=3.0))
    _, _, _, plain = prepared(LossOptions())
    module.eval()
    plain.eval()
    alone = float(plain(batch).total.detach())
    assert_close(module(batch).total, alone, ulps=FORWARD)
    module.train()
    torch.manual_seed(0)
    assert not close(float(module(batch).total.detach()), alone, relative=1e-3)


def test_candidates_are_decoded_without_dropout_and_training_goes_on():
    _, _, batch, module = prepared(LossOptions("policy-gradient"))
    module.train()
    module(batch)
    assert module.backbone.training


@pytest.mark.parametrize("options", [{"margin": -1.0}, {"samples": 1}, {"candidates": 0}])
def test_impossible_options_are_named(options):
    with pytest.raises(InputError, match=next(iter(options))):
        LossOptions(**options)
