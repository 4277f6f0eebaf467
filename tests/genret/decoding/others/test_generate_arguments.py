"""`custom_generate` takes what `generate` takes: every field and argument is obeyed, cannot matter, or is refused."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
from backbones import BACKBONES, TEXTS
from floats import FORWARD, assert_close
from transformers import GenerationConfig, LogitsProcessorList, MinLengthLogitsProcessor
from transformers.generation.streamers import BaseStreamer

from docid.trie import DocidTrie
from genret.constraint import FunctionConstraint, TrieConstraint
from genret.decoding import beam_search
from genret.decoding.others.generate_arguments import HARMLESS, OBEYED, REFUSED, check_config
from genret.decoding.others.hf import (
    ConstrainedLogitsProcessor,
    constrained_generate,
    prefix_allowed_tokens_fn,
)
from genret.errors import InputError, UsageError

NAMES = ["t5", "bart", "gpt2", "llama"]
DOCIDS = [[5], [6, 7], [6, 8, 9], [10, 11, 12, 13], [10, 11, 12], [13, 5, 6, 7], [14]]
# More beams than docids and their prefixes: transformers' search sees every candidate, too.
BEAMS = {"num_beams": 20, "num_return_sequences": 20, "early_stopping": "never", "length_penalty": 0.0}
# A sum of at most ten float32 log-probabilities computed in batches of another shape: 2^-24 of their size at each
# operation, through some hundred operations a layer.
CLOSE = {"rel": 1e-4, "abs": 1e-4}


@cache
def backbone_of(name: str) -> Any:
    return BACKBONES[name]()


def inputs_of(name: str) -> dict[str, Any]:
    backbone = backbone_of(name)
    if backbone.model.config.is_encoder_decoder:
        batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
        return {key: batch[key] for key in ("input_ids", "attention_mask")}
    encoded = backbone.encode(TEXTS)
    return {"input_ids": encoded.input_ids, "attention_mask": encoded.mask.long()}


def trie(name: str, docids: list[list[int]] = DOCIDS) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, backbone_of(name).eos_token_id))


def call(name: str, **options: Any) -> Any:
    backbone = backbone_of(name)
    given = {"max_new_tokens": 8, "pad_token_id": backbone.pad_token_id, "return_dict_in_generate": True}
    return backbone.model.generate(**inputs_of(name), **{**given, **BEAMS, **options})


def answers(name: str, output: Any, prompt: int, docids: list[list[int]] = DOCIDS) -> list[dict[Any, float]]:
    """Of each query the docids that came out whole, with what precedes them, and their scores."""
    eos, beams = backbone_of(name).eos_token_id, BEAMS["num_beams"]
    rows: list[dict[Any, float]] = [{} for _ in TEXTS]
    for place, (row, score) in enumerate(
        zip(output.sequences.tolist(), output.sequences_scores.tolist(), strict=True)
    ):
        tail = row[prompt:]
        tail = tail[: tail.index(eos)] if eos in tail else None
        # transformers marks rows that did not finish by -1e9, which it divides as any score.
        if tail in docids and score > -1e6:
            rows[place // beams][tuple(row[:prompt]), tuple(tail)] = score
    return rows


def compare(
    name: str, prompt: int, docids: list[list[int]] = DOCIDS, **options: Any
) -> list[dict[Any, float]]:
    constraint = trie(name, docids)
    function = prefix_allowed_tokens_fn(constraint, backbone_of(name).eos_token_id, prompt_length=prompt)
    theirs = answers(
        name, call(name, prefix_allowed_tokens_fn=function, output_scores=True, **options), prompt, docids
    )
    ours = answers(
        name, call(name, custom_generate=constrained_generate(constraint), **options), prompt, docids
    )
    for own, other in zip(ours, theirs, strict=True):
        assert own.keys() == other.keys()
        assert_close([own[key] for key in other], list(other.values()), ulps=FORWARD)
    return ours


def prompt_of(name: str) -> int:
    backbone = backbone_of(name)
    return len(backbone.prefix) if hasattr(backbone, "prefix") else inputs_of(name)["input_ids"].shape[1]


def test_every_field_of_a_generation_configuration_has_its_place() -> None:
    """A field of a newer transformers fails here until somebody has thought about it."""
    fields = set(GenerationConfig().to_dict())
    assert fields == OBEYED | HARMLESS.keys() | REFUSED.keys()
    assert len(OBEYED) + len(HARMLESS) + len(REFUSED) == len(fields)
    assert all(HARMLESS.values())


def test_what_the_defaults_ask_for_is_not_refused() -> None:
    defaults = GenerationConfig()._get_default_generation_params()
    for name, (neutral, _) in REFUSED.items():
        assert defaults.get(name) is None or defaults[name] in neutral, name


@pytest.mark.parametrize("name", NAMES)
def test_plain(name: str) -> None:
    assert all(len(row) == len(DOCIDS) for row in compare(name, prompt_of(name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("penalty", [1.0, -0.5, 2.0])
def test_length_penalty(name: str, penalty: float) -> None:
    compare(name, prompt_of(name), length_penalty=penalty)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("least", [1, 2, 4])
def test_least_lengths(name: str, least: int) -> None:
    forced = 1 if name == "bart" else 0
    kept = {tuple(docid) for docid in DOCIDS if len(docid) >= least}
    found = compare(name, prompt_of(name), min_new_tokens=least + forced)
    assert all({docid for _, docid in row} == kept for row in found)
    start = prompt_of(name) - forced
    again = compare(name, prompt_of(name), min_length=start + least + forced)
    assert again == found


@pytest.mark.parametrize("name", NAMES)
def test_docids_that_do_not_fit_do_not_come(name: str) -> None:
    forced = 1 if name == "bart" else 0
    found = compare(name, prompt_of(name), max_new_tokens=3 + forced, forced_eos_token_id=None)
    assert all({len(docid) for _, docid in row} == {1, 2} for row in found)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_forced_end_costs_nothing_at_the_last_place(name: str, penalty: float) -> None:
    eos = backbone_of(name).eos_token_id
    options = {"max_new_tokens": 5 + (name == "bart"), "length_penalty": penalty}
    whole = [[10, 11, 12, 13], [5], [13, 5, 6, 7], [6, 8]]
    freed = compare(name, prompt_of(name), whole, forced_eos_token_id=eos, **options)
    paid = compare(name, prompt_of(name), whole, forced_eos_token_id=None, **options)
    for with_end, without in zip(freed, paid, strict=True):
        for key, score in with_end.items():
            assert (score > without[key]) == (len(key[1]) == 4)
    with pytest.raises(UsageError, match="forced_eos_token_id=9"):
        call(name, custom_generate=constrained_generate(trie(name)), forced_eos_token_id=9)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_forced_first_token(name: str, penalty: float) -> None:
    plain = compare(name, prompt_of(name))
    found = compare(name, 2, forced_bos_token_id=21, length_penalty=penalty)
    assert all(prefix[1] == 21 for row in found for prefix, _ in row)
    if penalty == 0:
        assert [list(row.values()) for row in found] != [list(row.values()) for row in plain]


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_decoders_beginning(name: str) -> None:
    free = {"forced_bos_token_id": None}
    assert all(
        prefix == (17,) for row in compare(name, 1, decoder_start_token_id=17, **free) for prefix, _ in row
    )
    beginnings = torch.tensor([[0, 20], [0, 21], [0, 20], [0, 22]])
    for start in (0, 2):
        options = {"decoder_start_token_id": start, **free}
        beginnings[:, 0] = start
        found = compare(name, 2, decoder_input_ids=beginnings, **options)
        assert [{prefix for prefix, _ in row} for row in found] == [
            {tuple(row)} for row in beginnings.tolist()
        ]


@pytest.mark.parametrize("name", NAMES)
def test_several_ends(name: str) -> None:
    eos = backbone_of(name).eos_token_id
    compare(name, prompt_of(name), eos_token_id=[30, eos])
    with pytest.raises(UsageError, match=r"eos_token_id=.*\[11\] inside a docid"):
        call(name, custom_generate=constrained_generate(trie(name)), eos_token_id=[11, eos])
    with pytest.raises(InputError, match="end with token"):
        call(name, custom_generate=constrained_generate(trie(name)), eos_token_id=30)


@pytest.mark.parametrize("num_beams", [1, 2, 20])
@pytest.mark.parametrize("name", ["mt5", "umt5", "bart-untied", "bert2bert", "bert2gpt", "llama-tied", "opt"])
def test_every_model_that_the_search_takes(name: str, num_beams: int) -> None:
    """Of special tokens that only the call names."""
    backbone = backbone_of(name)
    named = {"eos_token_id": backbone.eos_token_id, "num_beams": num_beams, "num_return_sequences": num_beams}
    if backbone.model.config.is_encoder_decoder:
        named["decoder_start_token_id"] = backbone.prefix[0]
    found = beam_search(backbone, backbone.encode(TEXTS), trie(name), num_beams)
    output = call(name, custom_generate=constrained_generate(trie(name)), **named)
    sequences, scores = output.sequences[:, prompt_of(name) :].tolist(), output.sequences_scores.tolist()
    hypotheses = [h for row in found for h in row]
    came = [place for place, score in enumerate(scores) if score > -torch.inf]
    for place, hypothesis in zip(came, hypotheses, strict=True):
        padding = [backbone.pad_token_id] * (len(sequences[place]) - len(hypothesis.tokens))
        assert sequences[place] == [*hypothesis.tokens, *padding]
        assert_close(scores[place], hypothesis.score, ulps=FORWARD)


def test_padding_is_the_calls() -> None:
    output = call("t5", custom_generate=constrained_generate(trie("t5")), pad_token_id=33)
    assert (output.sequences[:, 1:][output.sequences_scores == -torch.inf] == 33).all()
    rows = call("t5", custom_generate=constrained_generate(trie("t5")), return_dict_in_generate=False)
    assert isinstance(rows, torch.Tensor)


@pytest.mark.parametrize(("field", "neutral"), [(name, rule[0]) for name, rule in REFUSED.items()])
def test_refused_by_name(field: str, neutral: tuple[object, ...]) -> None:
    """Whether the call says it or the model's own generation configuration."""
    unlike = {"early_stopping": True, "cache_implementation": "offloaded"}
    value = unlike.get(field, not neutral[0] if neutral and isinstance(neutral[0], bool) else 3.5)
    config = GenerationConfig()
    setattr(config, field, value)
    with pytest.raises(UsageError, match=f"^{field}="):
        check_config(config)
    for accepted in (None, *neutral):
        setattr(config, field, accepted)
        check_config(config)


SETTINGS: dict[str, Any] = {
    "do_sample": True,
    "early_stopping": True,
    "repetition_penalty": 1.3,
    "no_repeat_ngram_size": 2,
    "bad_words_ids": [[5]],
    "suppress_tokens": [5],
    "output_scores": True,
    "max_time": 5.0,
    "renormalize_logits": True,
    "sequence_bias": {(5,): 2.0},
    "num_beam_groups": 2,
}


@pytest.mark.parametrize("field", SETTINGS)
def test_refused_in_a_call_and_from_the_models_own_configuration(field: str) -> None:
    custom = constrained_generate(trie("t5"))
    with pytest.raises(UsageError, match=f"^{field}="):
        call("t5", custom_generate=custom, **{"early_stopping": "never", field: SETTINGS[field]})
    model = backbone_of("t5").model
    kept = model.generation_config
    model.generation_config = copy.deepcopy(kept)
    try:
        setattr(model.generation_config, field, SETTINGS[field])
        options = {name: value for name, value in BEAMS.items() if name != field}
        with pytest.raises(UsageError, match=f"^{field}="):
            model.generate(**inputs_of("t5"), max_new_tokens=5, custom_generate=custom, **options)
    finally:
        model.generation_config = kept


class Silent(BaseStreamer):
    def put(self, value: Any) -> None:
        pass

    def end(self) -> None:
        pass


CALLS: dict[str, Any] = {
    "logits_processor": LogitsProcessorList([MinLengthLogitsProcessor(3, 1)]),
    "stopping_criteria": [lambda ids, scores: False],
    "prefix_allowed_tokens_fn": lambda query, ids: [5],
    "streamer": Silent(),
    "negative_prompt_ids": torch.ones(4, 2, dtype=torch.int64),
    "synced_gpus": True,
}


@pytest.mark.parametrize("argument", CALLS)
def test_arguments_that_transformers_keeps_to_itself(argument: str) -> None:
    with pytest.raises(UsageError, match=f"^{argument}="):
        call("t5", custom_generate=constrained_generate(trie("t5")), **{argument: CALLS[argument]})


def test_inputs_that_would_not_reach_the_model() -> None:
    custom = constrained_generate(trie("gpt2"))
    ids = inputs_of("gpt2")["input_ids"]
    with pytest.raises(UsageError, match=r"^token_type_ids="):
        call("gpt2", custom_generate=custom, token_type_ids=torch.zeros_like(ids))
    with pytest.raises(UsageError, match=r"^position_ids="):
        call("gpt2", custom_generate=custom, position_ids=torch.arange(ids.shape[1]).expand_as(ids) + 1)
    with pytest.raises(UsageError, match=r"^decoder_attention_mask="):
        call(
            "t5",
            custom_generate=constrained_generate(trie("t5")),
            decoder_input_ids=torch.tensor([[0, 20]] * 4),
            decoder_attention_mask=torch.tensor([[1, 0]] * 4),
        )
    with pytest.raises(UsageError, match="num_beams: say it to `generate`"):
        constrained_generate(trie("t5"), num_beams=3)
    with pytest.raises(UsageError, match=r"model\.generate"):
        custom(backbone_of("t5").model, ids, GenerationConfig())


def test_a_filter_goes_with_its_query() -> None:
    """Queries whose decoder begins differently are searched apart."""
    beginnings = torch.tensor([[0, 20], [0, 21], [0, 20], [0, 22]])
    filters = [[0], [1, 2], None, [6]]
    custom = constrained_generate(trie("t5"), filters=filters)
    found = answers("t5", call("t5", custom_generate=custom, decoder_input_ids=beginnings), 2)
    expected = [{tuple(DOCIDS[i]) for i in own or range(len(DOCIDS))} for own in filters]
    assert [{docid for _, docid in row} for row in found] == expected


def test_the_processor_leaves_a_forced_first_token_alone() -> None:
    """Without being told how many tokens come before the docid."""
    eos = backbone_of("t5").eos_token_id
    options = {"forced_bos_token_id": 21, "forced_eos_token_id": eos, "min_new_tokens": 3}
    processor = ConstrainedLogitsProcessor(trie("t5"), eos)
    by_processor = answers("t5", call("t5", logits_processor=[processor], output_scores=True, **options), 2)
    ours = answers("t5", call("t5", custom_generate=constrained_generate(trie("t5")), **options), 2)
    for own, other in zip(ours, by_processor, strict=True):
        assert own.keys() == other.keys()
        assert_close([own[key] for key in other], list(other.values()), ulps=FORWARD)


def test_the_processor_never_leaves_a_row_without_a_token() -> None:
    """A docid shorter than min_new_tokens has no legal token left: it ends, as the least likely of all."""
    backbone = backbone_of("t5")
    processor = ConstrainedLogitsProcessor(trie("t5", [[5], [6]]), backbone.eos_token_id, prompt_length=1)
    rows = backbone.model.generate(
        **inputs_of("t5"), logits_processor=[processor], do_sample=True, min_new_tokens=4, max_new_tokens=6
    )
    assert all(row[1] in (5, 6) and row[2] == backbone.eos_token_id for row in rows.tolist())


def test_a_function_says_what_follows_a_forced_token() -> None:
    backbone = backbone_of("bart")
    constraint = FunctionConstraint(
        lambda p: [7] if not p else [backbone.eos_token_id], backbone.eos_token_id
    )
    output = call("bart", custom_generate=constrained_generate(constraint), forced_bos_token_id=8)
    assert output.sequences[0].tolist()[1:4] == [8, 7, backbone.eos_token_id]
