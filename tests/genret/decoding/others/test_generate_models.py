"""`custom_generate` over the architectures that the search takes: what their padding, caches and windows need."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from backbones import TEXTS, byte_tokenizer, t5
from floats import FORWARD, assert_close
from torch import Tensor
from transformers import DynamicCache

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.decoding.others.hf import constrained_generate
from genret.decoding.steps.hypothesis import Hypothesis
from genret.errors import UsageError
from genret.models import EncoderDecoderBackbone
from tests.genret.models.architectures import ARCHITECTURES, causal

DOCIDS = [[10], [10, 11], [10, 11, 12, 13, 14], [20, 21], [20, 22, 23], [60, 61, 62, 63], [60, 61, 62, 64]]
QUERIES = [[41, 17, 66], [12], [33, 80, 25, 44, 71, 90, 13, 58, 62, 47, 19], [85, 24, 36, 5]]
# One of each kind: caches of their own, windows, experts, no cache, and sources that may not be padded.
NAMES = [
    "uMT5", "LED", "BART", "FSMT", "Marian", "M2M100, NLLB", "XLM-R to XLM-R", "BERT to ELECTRA", "OPT", "Qwen2", "Gemma 3",
    "Mixtral", "Llama, dynamic RoPE", "BART decoder", "RoBERTa as decoder", "RWKV", "Mamba",
]  # fmt: skip
BEAMS = 4
OPTIONS: dict[str, Any] = {
    "num_beams": BEAMS,
    "num_return_sequences": BEAMS,
    "max_new_tokens": 12,
    "early_stopping": "never",
    "length_penalty": 0.0,
    "forced_eos_token_id": None,
    "return_dict_in_generate": True,
}


def trie(backbone: Any) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(DOCIDS, backbone.eos_token_id))


def generated(backbone: Any, inputs: dict[str, Any], before: int) -> list[list[tuple[list[int], float]]]:
    """What `generate` answers each query: tokens behind the first `before`, the end token the last, and scores."""
    ends = {"eos_token_id": backbone.eos_token_id, "pad_token_id": backbone.pad_token_id}
    custom = constrained_generate(trie(backbone))
    output = backbone.model.generate(**inputs, **OPTIONS, **ends, custom_generate=custom)
    rows = [(row[before:], score) for row, score in _pairs(output) if score > -torch.inf]
    assert len(rows) == len(output.sequences)
    found = [(tokens[: tokens.index(backbone.eos_token_id) + 1], score) for tokens, score in rows]
    return [found[place : place + BEAMS] for place in range(0, len(found), BEAMS)]


def _pairs(output: Any) -> list[tuple[list[int], float]]:
    return list(zip(output.sequences.tolist(), output.sequences_scores.tolist(), strict=True))


def compare(found: list[list[tuple[list[int], float]]], expected: list[list[Hypothesis]]) -> None:
    for mine, hypotheses in zip(found, expected, strict=True):
        assert [tokens for tokens, _ in mine] == [h.tokens for h in hypotheses]
        assert_close([score for _, score in mine], [h.score for h in hypotheses], ulps=FORWARD)


def padded(backbone: Any, queries: list[list[int]]) -> dict[str, Tensor]:
    """As a tokenizer gives them: on the right for an encoder, on the left for a prompt."""
    width = max(map(len, queries))
    gaps = [[backbone.pad_token_id] * (width - len(query)) for query in queries]
    right = backbone.model.config.is_encoder_decoder
    pairs = list(zip(queries, gaps, strict=True))
    ids = [query + gap if right else gap + query for query, gap in pairs]
    ones = [([1] * len(query), [0] * len(gap)) for query, gap in pairs]
    mask = [real + gap if right else gap + real for real, gap in ones]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def truth(backbone: Any, inputs: dict[str, Tensor], begun: Tensor, tokens: list[int]) -> float:
    """The score of `tokens` behind `begun` [1, n] by transformers, of one sequence without a cache."""
    whole = torch.cat([begun, torch.tensor([tokens])], 1)
    name = "decoder_input_ids" if backbone.model.config.is_encoder_decoder else "input_ids"
    with torch.no_grad():
        logits = backbone.model(**{**inputs, name: whole[:, :-1]}, use_cache=False).logits[0].float()
    scores = torch.log_softmax(logits[begun.shape[1] - 1 :], -1)
    return float(scores.gather(1, torch.tensor(tokens)[:, None]).sum())


@pytest.mark.parametrize("name", NAMES)
def test_generate_answers_as_the_search_does(name: str) -> None:
    backbone = ARCHITECTURES[name]()
    inputs: dict[str, Any] = padded(backbone, QUERIES)
    before = inputs["input_ids"].shape[1]
    if backbone.model.config.is_encoder_decoder:
        inputs["decoder_start_token_id"], before = backbone.prefix[0], len(backbone.prefix)
    with torch.inference_mode():
        encoded = backbone.sources(QUERIES)
    compare(generated(backbone, inputs, before), beam_search(backbone, encoded, trie(backbone), BEAMS))


def test_an_encoder_that_reads_padding_is_given_none() -> None:
    model = copy.deepcopy(t5().model)
    forward = model.encoder.forward
    model.encoder.forward = lambda *a, attention_mask=None, **kwargs: forward(*a, **kwargs)
    backbone = EncoderDecoderBackbone(model, byte_tokenizer())
    assert backbone.paths.sources == "equal"
    batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
    expected = beam_search(backbone, backbone.encode(TEXTS), trie(backbone), BEAMS)
    compare(generated(backbone, dict(batch), 1), expected)
    # What was encoded before, with padding, cannot be mended.
    given = {"encoder_outputs": model.encoder(batch.input_ids), "attention_mask": batch.attention_mask}
    with pytest.raises(UsageError, match="attention_mask with padding: not possible"):
        generated(backbone, given, 1)


def test_a_recurrent_model_s_own_cache_is_refused() -> None:
    backbone = ARCHITECTURES["Mamba"]()
    inputs = padded(backbone, QUERIES)
    with pytest.raises(UsageError, match="cache_params='DynamicCache': not possible"):
        generated(backbone, {**inputs, "cache_params": DynamicCache(config=backbone.model.config)}, 11)


@pytest.mark.parametrize("name", ["M2M100, NLLB", "T5Gemma"])
def test_a_beginning_with_a_token_behind_which_the_cache_is_wrong(name: str) -> None:
    backbone = ARCHITECTURES[name]()
    assert backbone.paths.whole_tokens == (0,)
    source, begun = {"input_ids": torch.tensor([QUERIES[0]])}, torch.tensor([[2, 0, 33]])
    ((*found,),) = generated(backbone, {**source, "decoder_input_ids": begun}, 3)
    expected = [truth(backbone, source, begun, tokens) for tokens, _ in found]
    assert_close([score for _, score in found], expected, ulps=FORWARD)


def test_a_window_that_only_this_prompt_reaches() -> None:
    """A backbone cuts its prompts; `generate` is given any."""
    backbone = causal("mistral", sliding_window=520, max_position_embeddings=1024)()
    assert backbone.paths.shared
    prompt = torch.randint(5, 96, (1, 540), generator=torch.Generator().manual_seed(0))
    ((*found,),) = generated(backbone, {"input_ids": prompt, "attention_mask": torch.ones_like(prompt)}, 540)
    expected = [truth(backbone, {}, prompt, tokens) for tokens, _ in found]
    assert_close([score for _, score in found], expected, ulps=FORWARD)
