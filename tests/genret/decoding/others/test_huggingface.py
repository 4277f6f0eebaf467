"""The same hypotheses and scores as Hugging Face's `generate` over the same docids.

Hugging Face finishes a hypothesis only where it ranks among the first K candidates. With docids of one length
that loses nothing; with docids of many lengths the comparison takes as many beams as there are docids.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from tests.genret.backbones import BACKBONES, TEXTS

Ranked = list[list[tuple[list[int], float]]]


@cache
def backbone_of(name: str) -> Any:
    return BACKBONES[name]()


def generate(backbone: Any, trie: DocidTrie, num_beams: int, longest: int) -> Ranked:
    """`generate` with a prefix function over `trie`: for each text its docids and their scores."""
    offset = len(backbone.prefix)

    def allowed(_: int, ids: torch.Tensor) -> list[int]:
        if len(ids) < offset:
            return [backbone.prefix[len(ids)]]
        return trie.allowed(ids[offset:].tolist()) or [backbone.pad_token_id]

    batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
    output = backbone.model.generate(
        batch["input_ids"],
        attention_mask=batch["attention_mask"],
        num_beams=num_beams,
        num_return_sequences=num_beams,
        max_new_tokens=longest + offset,
        prefix_allowed_tokens_fn=allowed,
        length_penalty=0.0,
        early_stopping="never",
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    rows = [row[offset:].tolist() for row in output.sequences]
    ended = [row[: row.index(trie.eos) + 1] for row in rows]
    ranked = list(zip(ended, output.sequences_scores.tolist(), strict=True))
    return [ranked[first : first + num_beams] for first in range(0, len(ranked), num_beams)]


def search(backbone: Any, trie: DocidTrie, num_beams: int) -> Ranked:
    found = beam_search(backbone, backbone.encode(TEXTS), TrieConstraint(trie), num_beams=num_beams)
    return [[(h.tokens, h.score) for h in row] for row in found]


def assert_same(ours: Ranked, theirs: Ranked) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert [tokens for tokens, _ in mine] == [tokens for tokens, _ in other]
        assert_close([score for _, score in mine], [score for _, score in other], ulps=FORWARD, scale=LOGITS)


def docids_of(seed: int, lengths: torch.Tensor) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randint(5, 13, (length,), generator=generator).tolist() for length in lengths.tolist()]
    return [list(docid) for docid in dict.fromkeys(map(tuple, drawn))]


@pytest.mark.parametrize("name", ["t5", "mt5", "bart"])
@pytest.mark.parametrize("block", range(4))
def test_docids_of_one_length(name: str, block: int) -> None:
    """10 tries a block: 120 together."""
    backbone = backbone_of(name)
    for seed in range(block * 10, block * 10 + 10):
        length = 1 + seed % 5
        docids = docids_of(seed, torch.full((6 + seed * 2,), length))
        trie = DocidTrie.build(docids, backbone.eos_token_id)
        num_beams = min(len(docids), 2 + seed % 5)
        assert_same(search(backbone, trie, num_beams), generate(backbone, trie, num_beams, length + 1))


@pytest.mark.parametrize("name", ["t5", "bart"])
@pytest.mark.parametrize("block", range(4))
def test_docids_of_many_lengths_with_as_many_beams(name: str, block: int) -> None:
    """10 tries a block: 80 together."""
    backbone = backbone_of(name)
    for seed in range(100 + block * 10, 110 + block * 10):
        lengths = torch.randint(1, 5, (2 + seed % 9,), generator=torch.Generator().manual_seed(seed))
        docids = docids_of(seed, lengths)
        trie = DocidTrie.build(docids, backbone.eos_token_id)
        assert_same(search(backbone, trie, len(docids)), generate(backbone, trie, len(docids), 5))
