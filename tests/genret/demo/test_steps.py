"""The steps of a traced search against what the search returns, on a Markov model: the next token depends on the last one alone."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import torch
from floats import FORWARD, LOGITS, SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from docid import DocidTrie
from genret.constraint import TrieConstraint
from genret.corpus.types import Passage
from genret.decoding import beam_search, traced_beam_search
from genret.demo.search_steps import Step, prefixes, reachable, steps_of

EOS = 1
VOCABULARY = 8
docids = st.lists(st.lists(st.integers(2, VOCABULARY - 1), min_size=1, max_size=4), min_size=1, max_size=20)


class Markov:
    """Logits of the next token are the row of the last token; the query is its own start token."""

    vocab_size, eos_token_id, pad_token_id = VOCABULARY, EOS, 0
    device = torch.device("cpu")
    feeds_several = False
    tokenizer = SimpleNamespace(convert_ids_to_tokens=lambda ids: [f"<{token}>" for token in ids])

    def __init__(self, seed: int) -> None:
        self.table = torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 2

    def encode(self, texts: list[str]) -> Tensor:
        return torch.tensor([len(text) % VOCABULARY for text in texts])

    def start(self, encoded: Tensor) -> tuple[Tensor, None]:
        return self._hidden(encoded), None

    def step(self, state: None, tokens: Tensor) -> tuple[Tensor, None]:
        return self._hidden(tokens), None

    def reorder(self, state: None, rows: Tensor, rows_per_query: int | None = None) -> None:
        return None

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        table = self.table if tokens is None else self.table[:, tokens]
        return torch.matmul(hidden, table, out=out)

    def _hidden(self, tokens: Tensor) -> Tensor:
        return functional.one_hot(tokens, VOCABULARY).float()


def made_up(sequences: list[list[int]], seed: int = 0) -> Any:
    return SimpleNamespace(
        backbone=Markov(seed),
        trie=DocidTrie.build(sequences, EOS),
        passages=[Passage(str(row), f"title {row}", "text") for row in range(len(sequences))],
    )


def search(retriever: Any, num_beams: int, score: str = "full") -> list[Step]:
    backbone: Any = retriever.backbone
    constraint = TrieConstraint(retriever.trie)
    encoded = backbone.encode(["query"])
    traces = traced_beam_search(backbone, encoded, constraint, num_beams, score=score)[1]
    return steps_of(traces[0], num_beams)


@settings(deadline=None, max_examples=60)
@given(docids, st.integers(0, 10**6), st.integers(1, 6), st.sampled_from(["full", "renormalised"]))
def test_the_steps_end_with_what_the_real_search_returns(
    sequences: list[list[int]], seed: int, num_beams: int, score: str
) -> None:
    retriever = made_up(sequences, seed)
    backbone = retriever.backbone
    steps = search(retriever, num_beams, score)
    constraint = TrieConstraint(retriever.trie)
    real = beam_search(backbone, backbone.encode(["query"]), constraint, num_beams=num_beams, score=score)[0]
    ended = steps[-1].ended
    assert [list(one.tokens) for one in ended] == [list(one.tokens) for one in real]
    assert_close([one.score for one in ended], [one.score for one in real], ulps=FORWARD, scale=LOGITS)


@settings(deadline=None, max_examples=60)
@given(docids, st.integers(0, 10**6), st.integers(1, 6))
def test_every_step_narrows_what_can_be_reached(
    sequences: list[list[int]], seed: int, num_beams: int
) -> None:
    retriever = made_up(sequences, seed)
    counts = [reachable(retriever, step) for step in search(retriever, num_beams)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] <= len(sequences)
    assert counts[-1] >= 1


def test_one_search_written_out() -> None:
    retriever = made_up([[2, 4], [2, 5], [3, 4], [3]])
    table = torch.zeros(VOCABULARY, VOCABULARY)
    start = len("query") % VOCABULARY
    table[start, 2], table[start, 3] = math.log(6), math.log(3)
    retriever.backbone.table = table
    first, second, third = search(retriever, num_beams=1)
    total = 6 + 3 + 6  # six more tokens with logit 0
    (live,) = first.live
    assert live.tokens == (2,)
    assert_close([live.probability, math.exp(live.score)], [6 / 9, 6 / total], relative=SINGLE)
    assert (first.number, first.of, first.ended, reachable(retriever, first)) == (1, 2, [], 2)
    assert [one.tokens for one in second.live] == [(2, 4)]
    assert [one.tokens for one in third.ended] == [(2, 4, EOS)]
    assert [reachable(retriever, step) for step in (second, third)] == [1, 1]
    shown = prefixes(retriever, first, limit=5)
    assert [(one.tokens, one.reachable, one.example) for one in shown] == [(["<2>"], 2, "title 1")]
    assert_close((shown[0].probability, shown[0].score), (2 / 3, math.log(0.4)), ulps=FORWARD, scale=LOGITS)


def test_a_shared_docid_counts_all_its_passages() -> None:
    retriever = made_up([[2, 3], [2, 3], [2, 4]])
    steps = search(retriever, num_beams=4)
    assert [reachable(retriever, step) for step in steps] == [3, 3, 3]


def test_raw_scores_are_sums_of_logits() -> None:
    retriever = made_up([[2, 4], [3, 4]])
    retriever.backbone.table = torch.arange(float(VOCABULARY**2)).reshape(VOCABULARY, VOCABULARY) / 10
    first, second, _ = search(retriever, num_beams=2, score="raw")
    start = len("query") % VOCABULARY
    table = retriever.backbone.table
    assert_close(
        [one.score for one in first.live],
        [float(table[start, 3]), float(table[start, 2])],
        ulps=FORWARD,
        scale=LOGITS,
    )
    assert_close(second.live[0].score, float(table[start, 3] + table[3, 4]), ulps=FORWARD, scale=LOGITS)
