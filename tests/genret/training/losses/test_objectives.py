"""Objectives on backbones: against plain sums over candidates, and a decoder that learns to rank by each."""

from __future__ import annotations

import math
from contextlib import nullcontext

import pytest
import torch
from backbones import BACKBONES
from floats import FORWARD, LOGITS, assert_close, close

from docid import DocidTable
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models.weight_adapters.options import AdapterOptions
from genret.training.examples.batch import TrainingModule, collate
from genret.training.examples.example import Example
from genret.training.losses.loss_kinds import (
    LOSSES,
    ConsistencyLoss,
    CrossEntropyLoss,
    Loss,
    MarginLoss,
    PolicyGradientLoss,
    PreferenceLoss,
    PrefixMarginLoss,
    RankingLoss,
    Training,
    make_loss,
)
from genret.training.losses.ranked_candidates import BeamFinder

TEXTS = ["who lies near paris", "where river rome", "what city", "run the mountain"]
DOCIDS = [[5, 6], [5, 7], [8], [9, 5, 6]]


def prepared(loss: Loss, name: str = "t5"):
    backbone = BACKBONES[name]()
    table = DocidTable.build([str(row) for row in range(4)], DOCIDS)
    constraint = TrieConstraint(table.trie(backbone.eos_token_id))
    examples = [
        Example(text, (*docid, backbone.eos_token_id), "q", 1.0, row)
        for row, (text, docid) in enumerate(zip(TEXTS, DOCIDS, strict=True))
    ]
    batch = collate(examples, backbone.pad_token_id, step=3)
    find = BeamFinder(constraint, loss.candidates + 1) if isinstance(loss, RankingLoss) else None
    objective = loss.objective(Training(backbone, table, find=find))
    return backbone, constraint, batch, TrainingModule(backbone, objective, loss.weigh)


def test_margins_are_between_the_right_docid_and_every_decoded_one():
    backbone, constraint, batch, module = prepared(MarginLoss(margin=0.5, cross_entropy=0.25))
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
        ConsistencyLoss(consistency=0.5),
        MarginLoss(cross_entropy=0.0),
        PrefixMarginLoss(cross_entropy=0.0),
        PreferenceLoss(beta=1.0, cross_entropy=0.5),
        PolicyGradientLoss(cross_entropy=0.0, samples=32),
    ],
    ids=lambda options: options.name,
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


@pytest.mark.parametrize("adapted", [False, True])
def test_a_model_begins_as_its_own_reference(adapted):
    """The loss of the first step is log 2 for every pair, whether the reference is a copy or the model without adapters;
    afterwards the right docids have gained on it, and the reference is what it was.
    """
    loss = PreferenceLoss(beta=1.0)
    backbone, constraint, batch, _ = prepared(loss)
    if adapted:
        backbone.adapt(AdapterOptions(r=4))
    before = backbone.target_logits(backbone.encode(TEXTS), batch.targets).detach()
    training = Training(backbone, None, find=BeamFinder(constraint, 4))
    module = TrainingModule(backbone, loss.objective(training), loss.weigh).eval()
    assert_close(module(batch).mean, math.log(2), ulps=FORWARD, scale=LOGITS)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(20):
        optimizer.zero_grad()
        module(batch).mean.backward()
        optimizer.step()
    assert float(module(batch).mean.detach()) < 0.2
    copied = module.objective._copy
    assert (copied is None) == adapted
    with nullcontext() if copied is not None else backbone.adapters.off():
        reference = copied or backbone
        after = reference.target_logits(reference.encode(TEXTS), batch.targets)
        assert_close(after, before, ulps=FORWARD, scale=LOGITS)
    names = [name for name, _ in module.named_parameters()]
    assert len(names) == len([name for name, _ in backbone.named_parameters()])


def test_consistency_adds_what_two_passes_differ_by():
    """In evaluation mode nothing differs: what is left is cross-entropy."""
    _, _, batch, module = prepared(ConsistencyLoss(consistency=3.0))
    _, _, _, plain = prepared(CrossEntropyLoss())
    module.eval()
    plain.eval()
    alone = float(plain(batch).total.detach())
    assert_close(module(batch).total, alone, ulps=FORWARD)
    module.train()
    torch.manual_seed(0)
    assert not close(float(module(batch).total.detach()), alone, relative=1e-3)


def test_candidates_are_decoded_without_dropout_and_training_goes_on():
    _, _, batch, module = prepared(PolicyGradientLoss())
    module.train()
    module(batch)
    assert module.backbone.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "margin", "margin": -1.0}, "margin: expected at least 0"),
        ({"kind": "policy-gradient", "samples": 1}, "samples: expected at least 2"),
        ({"kind": "margin", "candidates": 0}, "candidates: expected at least 1"),
        ({"kind": "prefix-margin", "beta": 1.0}, "beta: expected .*below 1"),
        ({"kind": "prefix-margin", "prefixes": [0]}, "prefixes"),
        ({"kind": "dpo", "beta": 0.0}, "beta: expected"),
        ({"kind": "margn"}, "no loss is called 'margn'; did you mean 'margin'"),
        ({"margin": 1.0}, "unknown key 'margin'"),
        ({"kind": "sampled", "samples": 3}, "unknown key 'samples'"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(InputError, match=f"^loss: .*{message}"):
        make_loss(options)


def test_every_kind_is_made_by_its_name():
    assert {name: type(make_loss({"kind": name})) for name in LOSSES} == LOSSES
    assert make_loss({}) == CrossEntropyLoss()
