"""Our constraints inside `generate`: the same sequences by every way in, for both kinds of model."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close

from docid.trie import DocidTrie
from genret.constraint import NoConstraint, TrieConstraint
from genret.decoding import beam_search
from genret.decoding.others.hf import (
    ConstrainedLogitsProcessor,
    constrained_generate,
    prefix_allowed_tokens_fn,
)
from genret.decoding.others.rows_by_tokens import RowsByTokens
from tests.genret.backbones import BACKBONES, TEXTS

NAMES = ["t5", "bart", "gpt2", "llama"]
EXACT = {"length_penalty": 0.0, "early_stopping": "never"}


@cache
def backbone_of(name: str) -> Any:
    return BACKBONES[name]()


def inputs_of(backbone: Any) -> tuple[dict[str, torch.Tensor], int]:
    """What `generate` takes, and the tokens before each docid."""
    if backbone.model.config.is_encoder_decoder:
        batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
        return {key: batch[key] for key in ("input_ids", "attention_mask")}, len(backbone.prefix)
    encoded = backbone.encode(TEXTS)  # prompts of different lengths, padded on the left
    return {"input_ids": encoded.input_ids, "attention_mask": encoded.mask.long()}, encoded.input_ids.shape[1]


def docids_of(seed: int, count: int = 30, length: int = 3) -> list[list[int]]:
    drawn = torch.randint(5, 14, (count, length), generator=torch.Generator().manual_seed(seed)).tolist()
    return [list(docid) for docid in dict.fromkeys(map(tuple, drawn))]


def trie_of(backbone: Any, docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, backbone.eos_token_id))


def generated(backbone: Any, **options: Any) -> list[list[int]]:
    inputs, offset = inputs_of(backbone)
    options = {
        "max_new_tokens": 4 + offset,
        "pad_token_id": backbone.pad_token_id,
        "do_sample": False,
        **options,
    }
    rows = backbone.model.generate(**inputs, **options)
    eos = backbone.eos_token_id
    tokens = [row[offset:].tolist() for row in rows]
    return [row[: row.index(eos) + 1] if eos in row else row for row in tokens]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_beams", [1, 4])
def test_every_way_into_generate_gives_the_same(name: str, num_beams: int) -> None:
    backbone = backbone_of(name)
    eos, offset = backbone.eos_token_id, inputs_of(backbone)[1]
    for seed in range(4):
        constraint = trie_of(backbone, docids_of(seed))
        options = {"num_beams": num_beams, "num_return_sequences": num_beams}
        options |= EXACT if num_beams > 1 else {}
        processor = ConstrainedLogitsProcessor(constraint, eos, prompt_length=offset)
        function = prefix_allowed_tokens_fn(constraint, eos, prompt_length=offset)
        by_processor = generated(backbone, logits_processor=[processor], **options)
        assert by_processor == generated(backbone, prefix_allowed_tokens_fn=function, **options)
        known = {(*docid, eos) for docid in docids_of(seed)}
        assert all(tuple(row) in known for row in by_processor)
        if num_beams > 1:
            found = beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=num_beams)
            assert by_processor == [h.tokens for row in found for h in row]
            ours = generated(backbone, custom_generate=constrained_generate(constraint), **options)
            assert ours == by_processor


@pytest.mark.parametrize("name", ["t5", "gpt2"])
def test_one_processor_serves_call_after_call(name: str) -> None:
    """Without being told where docids begin, and without a word between the calls."""
    backbone = backbone_of(name)
    constraint = trie_of(backbone, docids_of(1))
    processor = ConstrainedLogitsProcessor(constraint, backbone.eos_token_id)
    options = {"num_beams": 3, "num_return_sequences": 3, **EXACT}
    first = generated(backbone, logits_processor=[processor], **options)
    again = generated(backbone, logits_processor=[processor], **options)
    greedy = generated(backbone, logits_processor=[processor])
    processor.reset()
    assert first == again == generated(backbone, logits_processor=[processor], **options)
    assert len(greedy) == len(TEXTS)


@pytest.mark.parametrize("name", ["t5", "gpt2"])
def test_docids_of_many_lengths_and_finished_rows(name: str) -> None:
    """Greedy rows that end early go on being padded: nothing is legal for them, and nothing breaks."""
    backbone = backbone_of(name)
    docids = [[5], [6, 7], [8, 9, 10, 11], [12, 13, 5, 6, 7, 8]]
    processor = ConstrainedLogitsProcessor(trie_of(backbone, docids), backbone.eos_token_id)
    rows = generated(backbone, logits_processor=[processor], max_new_tokens=8, do_sample=True)
    assert {tuple(row) for row in rows} <= {(*docid, backbone.eos_token_id) for docid in docids}


def test_fewer_docids_than_beams() -> None:
    backbone = backbone_of("t5")
    constraint = trie_of(backbone, [[5, 6], [7]])
    inputs, offset = inputs_of(backbone)
    processor = ConstrainedLogitsProcessor(constraint, backbone.eos_token_id, offset)
    options = {"num_beams": 4, "num_return_sequences": 4, "max_new_tokens": 6, **EXACT}
    backbone.model.generate(**inputs, logits_processor=[processor], **options)  # an empty set would raise
    output = backbone.model.generate(
        **inputs, custom_generate=constrained_generate(constraint), return_dict_in_generate=True, **options
    )
    for rows, scores in zip(output.sequences.split(4), output.sequences_scores.split(4), strict=True):
        assert (scores > -torch.inf).tolist() == [True, True, False, False]
        assert rows[2:, offset:].unique().tolist() == [backbone.pad_token_id]


def test_scores_of_custom_generate_are_ours() -> None:
    backbone = backbone_of("bart")
    constraint = trie_of(backbone, docids_of(2))
    inputs, _ = inputs_of(backbone)
    output = backbone.model.generate(
        **inputs,
        num_beams=3,
        num_return_sequences=2,
        length_penalty=0.0,
        max_new_tokens=9,
        return_dict_in_generate=True,
        custom_generate=constrained_generate(constraint, "renormalised"),
    )
    found = beam_search(backbone, backbone.encode(TEXTS), constraint, 3, 2, "renormalised")
    assert_close(
        output.sequences_scores.tolist(), [h.score for row in found for h in row], ulps=FORWARD, scale=LOGITS
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_model_keeps_its_own_attention(name: str) -> None:
    backbone: Any = BACKBONES[name]()
    model = backbone.model
    model.set_attn_implementation("eager")
    constraint = trie_of(backbone, docids_of(2))
    generated(backbone, custom_generate=constrained_generate(constraint), num_beams=2)
    parts = [part for part in model.modules() if hasattr(part, "config")]
    assert {part.config._attn_implementation for part in parts} == {"eager"}


def test_rows_in_any_order_and_dead_rows() -> None:
    """The processor by hand: rows are reordered, repeated, and one leaves the docids."""
    constraint = TrieConstraint(DocidTrie.build([[4, 5, 6], [4, 7], [8]], 1))
    processor = ConstrainedLogitsProcessor(constraint, eos=1)

    def legal(ids: list[list[int]]) -> list[list[int]]:
        scores = processor(torch.tensor(ids), torch.zeros(len(ids), 10))
        return [row.isfinite().nonzero().squeeze(1).tolist() for row in scores]

    assert legal([[0], [0]]) == [[4, 8], [4, 8]]
    assert legal([[0, 8], [0, 4]]) == [[1], [5, 7]]
    assert legal([[0, 4, 7], [0, 4, 9]]) == [[1], [1]]
    assert legal([[0, 4, 9, 5], [0, 4, 7, 1]]) == [[1], [1]]
    assert legal([[0, 4, 7]]) == [[4, 8]]  # shorter than before: a new call, whose prompt this is
    processor = ConstrainedLogitsProcessor(constraint, eos=1, prompt_length=1)
    assert legal([[0, 4, 7], [0, 4, 5], [0, 3, 3]]) == [[1], [6], [1]]


def test_rows_with_the_same_tokens_are_looked_up_once() -> None:
    """`generate` begins with every beam of every query at the root, whose successors are the most of all."""
    states = RowsByTokens(TrieConstraint(DocidTrie.build([[5, 6], [5, 7], [8]], 1)), 10, prompt_length=1)
    successors, rows = states.successors(torch.zeros((6, 1), dtype=torch.int64))
    assert (successors.tokens.tolist(), rows.tolist()) == ([5, 8], [0] * 6)
    successors, rows = states.successors(torch.tensor([[0, 8], [0, 5], [0, 9], [0, 5], [0, 8], [0, 5]]))
    assert (successors.tokens.tolist(), rows.tolist()) == ([6, 7, 1], [1, 0, -1, 0, 1, 0])


def test_no_constraint_leaves_scores_alone() -> None:
    processor = ConstrainedLogitsProcessor(NoConstraint(10, 1), eos=1)
    scores = torch.randn(2, 10)
    assert processor(torch.tensor([[0], [0]]), scores) is scores
    assert torch.equal(processor(torch.tensor([[0, 3], [0, 4]]), scores), scores)
