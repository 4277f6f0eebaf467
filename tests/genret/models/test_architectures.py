"""Searches over every architecture against exhaustive teacher forcing by bare transformers; `docs/models.md` agrees.

The quick form decodes a part of the grid for each accepted row of the document; the soak form all of it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from floats import assert_close
from torch import Tensor

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.decoding.steps.hypothesis import Score
from scripts.models_table import DOCUMENT, row_of
from tests.genret.decoding.reference import Docid, distinct, simple_beam_search
from tests.genret.models.architectures import ARCHITECTURES

ROWS = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
NAMES = [row.split(" | ")[0].removeprefix("| ") for row in ROWS]
ACCEPTED = [name for name, row in zip(NAMES, ROWS, strict=True) if row.split(" | ")[1] == "yes"]
SCORES: tuple[Score, ...] = ("full", "renormalised", "raw")
# 13 docids of 1 to 9 tokens: one the beginning of others, two twice.
DOCIDS = [
    [10], [10, 11], [10, 11, 12, 13, 14], [20, 21], [20, 22, 23], [20, 22, 23], [30, 31, 32, 33, 34, 35, 36, 37, 38],
    [30, 31, 40, 41, 42, 43], [50, 51, 52, 53, 54, 55, 56], [60, 61, 62, 63], [60, 61, 62, 64], [60, 61, 62, 64],
    [70, 71, 72, 73, 74, 75, 76, 77],
]  # fmt: skip
QUERIES = [
    [41, 17, 66],
    [12],
    [33, 80, 25, 44, 71, 90, 13, 58, 62, 47, 19],
    [85, 24, 36, 5],
    [55, 9, 77, 31, 68, 22, 40],
]


@cache
def backbone_of(name: str) -> Any:
    return ARCHITECTURES[name]()


class Bare:
    """transformers' own logits, one sequence at a time; the longest sequence through a prefix answers for it."""

    def __init__(self, backbone: Any, query: list[int], sequences: list[Docid]) -> None:
        self.logits: dict[Docid, Tensor] = {}
        with torch.no_grad():
            for sequence in sequences:
                rows = backbone.bare_logits(query, sequence[:-1]).float()
                self.logits.update({sequence[:place]: row for place, row in enumerate(rows)})

    def __call__(self, prefix: Docid) -> Tensor:
        return self.logits[prefix]


def bound(logits: dict[Docid, Tensor], tokens: int) -> float:
    """What rounding may change of a sum of `tokens` scores.

    A logit is a sum over at most a few hundred float32 products through a few layers: its error is taken as 2^-13
    of the spread of the logits, a third of what the self-check lets pass (2^-11.5), where a path that is wrong
    changes the leading digits. A score is a logit and a log-sum-exp: twice that.
    """
    spread = max(float(row[row.isfinite()].std()) for row in logits.values())
    return 2 * tokens * 2.0**-13 * max(spread, 1.0)


def check(name: str, queries: list[list[int]], docids: list[list[int]], scores: Any, beams: Any) -> None:
    backbone = backbone_of(name)
    eos = backbone.eos_token_id
    sequences = list(distinct(docids, eos))
    constraint = TrieConstraint(DocidTrie.build(docids, eos))
    bare = [Bare(backbone, query, sequences) for query in queries]
    with torch.inference_mode():
        encoded = backbone.sources(queries)
    for score in scores:
        for num_beams in beams:
            found = beam_search(backbone, encoded, constraint, num_beams, score=score)
            for truth, hypotheses in zip(bare, found, strict=True):
                expected = simple_beam_search(truth, sequences, num_beams, score)
                assert [tuple(h.tokens) for h in hypotheses] == [tokens for tokens, _ in expected]
                for hypothesis, (tokens, value) in zip(hypotheses, expected, strict=True):
                    assert_close(hypothesis.score, value, within=bound(truth.logits, len(tokens)))


def test_the_document_has_every_architecture() -> None:
    assert list(ARCHITECTURES) == NAMES
    assert len(ACCEPTED) >= 60


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ACCEPTED])
def test_what_the_document_refuses_is_refused(name: str) -> None:
    assert row_of(name, ARCHITECTURES[name]) == ROWS[NAMES.index(name)]


# Its recurrent layers run token by token in Python: seconds for each of a few hundred sequences.
QUICK = [pytest.param(name, marks=pytest.mark.soak) if name == "Qwen3-Next" else name for name in ACCEPTED]


@pytest.mark.parametrize("name", QUICK)
def test_an_accepted_model_is_exact_and_its_row_is_right(name: str) -> None:
    assert row_of(name, lambda: backbone_of(name)) == ROWS[NAMES.index(name)]
    check(name, QUERIES[:2], DOCIDS[3:7] + DOCIDS[:2], ["full"], [3, 100])


@pytest.mark.soak
@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_model_is_exact_over_the_whole_grid(name: str) -> None:
    check(name, QUERIES, DOCIDS, SCORES, [1, 3, 5, 100])
