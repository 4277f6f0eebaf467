"""The search against exhaustive teacher-forced scoring, batch against single, on a tiny model of every kind."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import (
    Hypothesis,
    beam_search,
    diverse_beam_search,
    greedy_search,
    sample,
    sample_without_replacement,
    traced_beam_search,
)
from genret.decoding.steps.candidates import Scorer
from tests.genret.backbones import BACKBONES, TEXTS
from tests.genret.decoding.reference import distinct, exhaustive

SCORES = ["full", "renormalised", "raw"]


@cache
def backbone_of(name: str) -> Any:
    return BACKBONES[name]()


def random_docids(backbone: Any, seed: int, count: int, longest: int) -> list[list[int]]:
    """Docids over few tokens, so that they branch late as well as early; some shared, some prefixes of others."""
    generator = torch.Generator().manual_seed(seed)
    special = {backbone.eos_token_id, backbone.pad_token_id}
    tokens = [token for token in range(4, min(backbone.vocab_size, 400), 3) if token not in special][:7]
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [
        [tokens[i] for i in torch.randint(0, len(tokens), (length,), generator=generator).tolist()]
        for length in lengths
    ]


def constraint_of(backbone: Any, docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, backbone.eos_token_id), backbone.device)


def encode_often(backbone: Any, text: str, times: int) -> Any:
    return backbone.encode([text] * times)


@pytest.mark.parametrize("score", SCORES)
def test_no_probability_is_above_one_and_logits_are_what_they_are(score: Any) -> None:
    """Rounding may give the logarithm of a certain token's probability a little above 0."""
    scorer = Scorer(backbone_of("gpt2"), score, 1, None)
    found = scorer.at_most_one(torch.tensor([0.5, 0.0, -2.0, -torch.inf])).tolist()
    assert found == [0.5 if score == "raw" else 0.0, 0.0, -2.0, -torch.inf]


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("score", SCORES)
def test_a_wide_beam_is_exhaustive(name: str, score: str) -> None:
    backbone = backbone_of(name)
    for seed in range(3 if score == "full" else 1):
        docids = random_docids(backbone, seed, 14, 5)
        sequences = list(distinct(docids, backbone.eos_token_id))
        found = beam_search(
            backbone, backbone.encode(TEXTS), constraint_of(backbone, docids), num_beams=14, score=score
        )
        for text, hypotheses in zip(TEXTS, found, strict=True):
            expected = dict(exhaustive(backbone, partial(encode_often, backbone, text), sequences, score))
            assert_close({tuple(h.tokens): h.score for h in hypotheses}, expected, ulps=FORWARD, scale=LOGITS)
            assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("score", SCORES)
def test_a_batch_is_its_queries_one_by_one(name: str, score: str) -> None:
    """Texts of different lengths: padding, rows that finish early and other queries change nothing."""
    backbone = backbone_of(name)
    constraint = constraint_of(backbone, random_docids(backbone, 5, 40, 6))
    together = beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=4, score=score)
    for text, hypotheses in zip(TEXTS, together, strict=True):
        alone = beam_search(backbone, backbone.encode([text]), constraint, num_beams=4, score=score)[0]
        assert [(h.tokens, h.documents) for h in hypotheses] == [(h.tokens, h.documents) for h in alone]
        assert_close([h.score for h in hypotheses], [h.score for h in alone], ulps=FORWARD, scale=LOGITS)


@pytest.mark.parametrize("name", BACKBONES)
def test_tokens_without_a_choice_go_through_the_model_together(name: str) -> None:
    """One address before every docid, and one more run behind its first choice: in one pass, with true scores."""
    backbone = backbone_of(name)
    a, b, c, d = sorted({token for docid in random_docids(backbone, 0, 20, 5) for token in docid})[:4]
    docids = [[a, b, c, first, d, d, *rest] for first in (a, b) for rest in ([a], [b, c], [c, d, d])]
    sequences = list(distinct(docids, backbone.eos_token_id))
    for score in SCORES:
        found = beam_search(backbone, backbone.encode(TEXTS), constraint_of(backbone, docids), 6, score=score)
        for text, hypotheses in zip(TEXTS, found, strict=True):
            expected = dict(exhaustive(backbone, partial(encode_often, backbone, text), sequences, score))
            assert_close({tuple(h.tokens): h.score for h in hypotheses}, expected, ulps=FORWARD, scale=LOGITS)


@pytest.mark.parametrize("name", ["t5", "bart", "gpt2", "frozen"])
@pytest.mark.parametrize("score", SCORES)
def test_half_precision_weights_give_float32_scores(name: str, score: str) -> None:
    """A bfloat16 hidden state is good to 3 digits; what is done with it afterwards is float32."""
    backbone = BACKBONES[name]().to(torch.bfloat16)
    docids = random_docids(backbone, 4, 14, 5)
    sequences = list(distinct(docids, backbone.eos_token_id))
    found = beam_search(backbone, backbone.encode(TEXTS), constraint_of(backbone, docids), 14, score=score)
    for text, hypotheses in zip(TEXTS, found, strict=True):
        expected = dict(exhaustive(backbone, partial(encode_often, backbone, text), sequences, score))
        assert_close({tuple(h.tokens): h.score for h in hypotheses}, expected, within=0.05)
        scores = torch.tensor([h.score for h in hypotheses])
        assert not torch.equal(scores, scores.bfloat16().float())


RELATIVES = {
    "diverse": partial(diverse_beam_search, num_beams=6, num_groups=3, strength=1.0),
    "diverse-renormalised": partial(
        diverse_beam_search, num_beams=6, num_groups=2, strength=1.0, score="renormalised"
    ),
    "sample": partial(sample, num_samples=5),
    "sample-renormalised": partial(sample, num_samples=5, score="renormalised"),
    "without-replacement": partial(sample_without_replacement, num_samples=5),
    "greedy": greedy_search,
    "look-ahead": partial(beam_search, num_beams=4, look_ahead=lambda queries, p, states: -p[:, -1] / 50),
    "traced": lambda *args: traced_beam_search(*args, num_beams=4, score="raw")[0],
}


@pytest.mark.parametrize("name", ["t5", "gpt2", "frozen"])
@pytest.mark.parametrize("relative", RELATIVES)
def test_the_relatives_report_true_scores(name: str, relative: str) -> None:
    """Groups, samples and walks move rows about in their own ways: every score must still be the sequence's."""
    backbone = backbone_of(name)
    docids = random_docids(backbone, 8, 20, 5)
    sequences = list(distinct(docids, backbone.eos_token_id))
    score = {"diverse-renormalised": "renormalised", "sample-renormalised": "renormalised", "traced": "raw"}
    found: list[list[Hypothesis]] = RELATIVES[relative](
        backbone, backbone.encode(TEXTS[:2]), constraint_of(backbone, docids)
    )
    for text, hypotheses in zip(TEXTS[:2], found, strict=True):
        expected = dict(
            exhaustive(
                backbone, partial(encode_often, backbone, text), sequences, score.get(relative, "full")
            )
        )
        assert hypotheses
        for h in hypotheses:
            assert_close(h.score, expected[tuple(h.tokens)], ulps=FORWARD, scale=LOGITS)
