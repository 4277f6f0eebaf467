"""The processor in vLLM: what comes out is in the set, whatever the engine does with its rows; and how often by chance."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from floats import FORWARD, SINGLE, assert_close
from scipy.stats import chisquare
from served_models import (
    EOS,
    PROCESSOR,
    VOCAB,
    docid_model,
    say,
    text_index,
    tiny_llama,
    title_trie,
    titles,
)
from vllm import LLM, SamplingParams, TokensPrompt
from vllm.distributed import cleanup_dist_env_and_memory
from vllm.exceptions import VLLMValidationError

from docid import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search, score_all
from genret.engines.named_sets import sets_here
from genret.engines.vllm import constrained_beam_search
from genret.indexing import TextIndex
from genret.models import CausalBackbone
from genret.models.loading import load_backbone
from genret.retrieval import GenerativeRetriever

REQUESTS = 2000
# As `scale`: sums of up to eight log-probabilities, each of logits below 8. With FORWARD that is 1e-3.
SUMS = 64.0
MODES: dict[str, dict[str, Any]] = {
    # 40 blocks of 32 tokens for 64 rows of up to 90: requests are preempted; prompts are read in parts.
    "small cache": {
        "enable_prefix_caching": True,
        "num_gpu_blocks_override": 40,
        "block_size": 32,
        "max_num_batched_tokens": 128,
        "enable_chunked_prefill": True,
    },
    "no prefix cache": {"enable_prefix_caching": False},
}


@dataclass
class World:
    """A model, its sets and vLLM with both."""

    backbone: CausalBackbone
    trie: DocidTrie
    index: TextIndex
    retriever: GenerativeRetriever
    llm: LLM


@pytest.fixture(scope="module", params=list(MODES))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("engine")
    backbone = tiny_llama(place / "llama")
    trie = title_trie(place / "titles.trie")
    text_index(place / "text")
    retriever = docid_model(place / "model", backbone)
    named = {"titles": "titles.trie", "text": "text", "model": "model"}
    os.environ["GENRET_CONSTRAINTS"] = ";".join(f"{name}={place / path}" for name, path in named.items())
    sets_here.cache_clear()
    llm = LLM(
        str(place / "llama"),
        dtype="float32",
        enforce_eager=True,
        max_model_len=128,
        max_num_seqs=64,
        max_logprobs=-1,
        distributed_executor_backend="uni",
        logits_processors=[PROCESSOR],
        disable_log_stats=False,
        **MODES[request.param],
    )
    yield World(backbone, trie, TextIndex.load(place / "text"), retriever, llm)
    del llm
    cleanup_dist_env_and_memory()


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    random = np.random.default_rng(seed)
    # Of many lengths, some with a beginning in common.
    return [
        [*([5] * 20 if n % 3 == 0 else []), *random.integers(3, 300, random.integers(1, 50)).tolist()]
        for n in range(count)
    ]


def asked(world: World, number: int, prompt: list[int]) -> tuple[list[int], dict[str, Any] | None]:
    """A request of each kind in turn: its prompt, and what it asks."""
    kind = number % 6
    if kind == 0:
        return prompt, None
    if kind == 1:
        return prompt, {"constraint": "titles"}
    if kind == 2:
        return prompt, {"constraint": "model", "where": f"n < {100 + number}"}
    if kind == 3:
        return prompt, {"constraint": "text"}
    if kind == 4:
        docid = world.retriever.table.sequence(number % 2000).tolist()
        return [*prompt, docid[0]], {"constraint": "model", "prefix": 1}
    return prompt, {"constraint": "model"}


def inside(world: World, arguments: dict[str, Any] | None, prompt: list[int], tokens: list[int]) -> bool:
    """Whether the output, cut at its longest, is what the request may emit."""
    if arguments is None:
        return True
    prefix = prompt[len(prompt) - arguments.get("prefix", 0) :]
    whole = [*prefix, *tokens]
    ended, body = whole[-1] == EOS, whole[:-1] if whole[-1] == EOS else whole
    if arguments["constraint"] == "text":
        # At most 20 tokens, so that few come to a document's end.
        return world.index.index.count(body) > 0 and (not ended or len(tokens) > 1)
    trie = world.trie if arguments["constraint"] == "titles" else world.retriever.trie
    found = trie.documents(whole)
    if "where" in arguments:
        found = [row for row in found if row < int(arguments["where"].split()[-1])]
    return ended and bool(found)


def test_two_thousand_requests_of_mixed_constraints(
    world: World, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    given = [asked(world, number, prompt) for number, prompt in enumerate(prompts(REQUESTS))]
    params = [
        SamplingParams(
            max_tokens=20,
            temperature=0.0 if random.random() < 0.4 else float(random.choice([0.5, 1.0, 2.0])),
            detokenize=False,
            extra_args=None if arguments is None else {"genret": arguments},
        )
        for _, arguments in given
    ]
    outputs = world.llm.generate(
        [TokensPrompt(prompt_token_ids=prompt) for prompt, _ in given], params, use_tqdm=False
    )
    wrong = [
        (arguments, list(output.outputs[0].token_ids))
        for (prompt, arguments), output in zip(given, outputs, strict=True)
        if not inside(world, arguments, prompt, list(output.outputs[0].token_ids))
    ]
    assert wrong == []
    preempted = {one.name: one.value for one in world.llm.get_metrics() if hasattr(one, "value")}
    say(capsys, f"{request.node.name}: {preempted.get('vllm:num_preemptions')} preemptions")
    if "num_gpu_blocks_override" in MODES[request.node.callspec.params["world"]]:
        assert preempted["vllm:num_preemptions"] > 0


def expected_shares(world: World, prompt: list[int], docids: list[list[int]]) -> np.ndarray[Any, Any]:
    """The probability of each docid, by walking it with softmax over its legal tokens: transformers' own logits."""
    trie = DocidTrie.build(docids, EOS)
    found = []
    for docid in docids:
        with torch.inference_mode():
            logits = world.backbone.model(torch.tensor([[*prompt, *docid]])).logits[0, len(prompt) - 1 :]
        whole, total = [*docid, EOS], 0.0
        for place, token in enumerate(whole):
            legal = trie.allowed(whole[:place])
            scores = logits[place, legal].double().log_softmax(0)
            total += float(scores[legal.index(token)])
        found.append(np.exp(total))
    return np.array(found)


def test_samples_come_as_often_as_they_should(world: World, tmp_path: Path) -> None:
    docids = [[3, 4], [3, 5], [3], [6, 7, 8], [6, 7, 9], [10], [11, 3], [11, 12, 13, 14]]
    DocidTrie.build(docids, EOS).save(tmp_path / "few.trie")
    named = sets_here().named
    assert named is not None
    named["few"] = str(tmp_path / "few.trie")
    prompt, draws = [5, 9, 200, 17], 6000
    params = SamplingParams(
        n=draws, max_tokens=8, temperature=1.0, detokenize=False, extra_args={"genret": "few"}
    )
    output = world.llm.generate([TokensPrompt(prompt_token_ids=prompt)], params, use_tqdm=False)[0]
    counted = Counter(tuple(one.token_ids) for one in output.outputs)
    shares = expected_shares(world, prompt, docids)
    assert_close(shares.sum(), 1.0, relative=SINGLE)
    seen = [counted[(*docid, EOS)] for docid in docids]
    assert sum(seen) == draws
    # Right code fails one run in a million.
    assert chisquare(seen, shares * draws).pvalue > 1e-6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("titels", "did you mean 'titles'"),
        ({"constraint": "model", "where": "year > 3"}, "no field"),
        ({"constraint": "model", "where": "n < 0"}, "lets no passage of 'model' through"),
        ("wide", "token 3000, and the served model's vocabulary has 1024"),
        ("closed", "closes its docids with token 2, and the served model ends with 1"),
        ("foreign", "another tokenizer than the served model's"),
        ("damaged", "truncated or altered"),
        ("model", "would cut a docid off"),
        ({"constraint": "text", "where": "n > 3"}, "leave `where` out"),
        ({"constraint": "titles", "beams": 3}, "beams"),
    ],
)
def test_what_cannot_be_served_is_refused_when_it_comes(
    world: World, arguments: Any, sentence: str, tmp_path: Path
) -> None:
    place = tmp_path / "set"
    if arguments == "foreign":
        text_index(place, tokens=["a token of its own"])
    else:
        end = 2 if arguments == "closed" else EOS
        DocidTrie.build([[3000 if arguments == "wide" else 30]], end).save(place)
    if arguments == "damaged":
        place.write_bytes(place.read_bytes()[:-9])
    named = sets_here().named
    assert named is not None
    named.update(dict.fromkeys(("wide", "closed", "foreign", "damaged"), str(place)))
    limit = 3 if arguments == "model" else 20
    with pytest.raises(VLLMValidationError, match=sentence):
        world.llm.generate(
            [TokensPrompt(prompt_token_ids=[5])],
            SamplingParams(max_tokens=limit, extra_args={"genret": arguments}),
        )
    for name in ("wide", "closed", "foreign", "damaged"):
        del named[name]
    with pytest.raises(VLLMValidationError, match="min_tokens"):
        world.llm.generate(
            [TokensPrompt(prompt_token_ids=[5])],
            SamplingParams(min_tokens=2, extra_args={"genret": "titles"}),
        )


@pytest.mark.parametrize("score", ["full", "renormalised"])
def test_our_beams_over_vllm_are_our_beams(world: World, score: Any) -> None:
    ids = prompts(12, seed=4)
    constraint = TrieConstraint(world.trie)
    with torch.inference_mode():
        own = beam_search(world.backbone, world.backbone.sources(ids), constraint, 10, score=score)
    found = constrained_beam_search(world.llm, ids, constraint, 10, score=score)
    for mine, theirs in zip(own, found, strict=True):
        assert [one.tokens for one in mine] == [one.tokens for one in theirs]
        assert_close([one.score for one in theirs], [one.score for one in mine], ulps=FORWARD, scale=SUMS)


def test_our_beams_are_exhaustive_where_no_beam_is_full(world: World) -> None:
    ids, small = prompts(4, seed=5), DocidTrie.build(titles(300), EOS)
    constraint = TrieConstraint(small)
    with torch.inference_mode():
        every = score_all(world.backbone, world.backbone.sources(ids), constraint)
    found = constrained_beam_search(world.llm, ids, constraint, small.num_leaves, num_return=10)
    for mine, theirs in zip(every, found, strict=True):
        assert [one.tokens for one in mine[:10]] == [one.tokens for one in theirs]
        assert_close(
            [one.score for one in theirs], [one.score for one in mine[:10]], ulps=FORWARD, scale=SUMS
        )


def test_vocabulary_and_backbone(world: World) -> None:
    assert world.llm.llm_engine.model_config.get_vocab_size() == VOCAB
    with pytest.raises(ValueError, match="words"):
        load_backbone("vllm:x", "words")
