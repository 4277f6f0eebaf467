"""The titles and the n-grams of a corpus of one's own in vLLM: GENRET_ENGINES_CORPUS names it. 2,000 requests of a tiny
model with SmolLM2's vocabulary, and some of SmolLM2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_models import PROCESSOR, say, tiny_llama
from vllm import LLM, SamplingParams, TokensPrompt
from vllm.distributed import cleanup_dist_env_and_memory

from docid import DocidTrie
from fm_index import ShardedFMIndex
from genret.corpus import read_store
from genret.engines.named_sets import sets_here
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout, encode_field
from genret.jobs.cache_folder import default_cache
from genret.models.smollm2 import smollm2_folder
from genret.tokenizer.load import load_tokenizer

CORPUS = os.environ.get("GENRET_ENGINES_CORPUS", "")
# An index of it that is there already, with SmolLM2's tokenizer.
INDEX = os.environ.get("GENRET_ENGINES_INDEX", "")
TITLES, LONGEST = 100_000, 40
# How many requests, in which engine. 64 rows of up to 60 tokens in 40 blocks of 32: some are preempted.
ENGINES: dict[str, tuple[int, dict[str, Any]]] = {
    "small cache": (2000, {"num_gpu_blocks_override": 40, "block_size": 32, "max_num_batched_tokens": 128}),
    "no prefix cache": (2000, {"enable_prefix_caching": False}),
    "SmolLM2": (120, {}),
}

pytestmark = [
    pytest.mark.skipif(not CORPUS, reason="no corpus: set GENRET_ENGINES_CORPUS to one"),
    pytest.mark.timeout(1800),
]


@dataclass
class Sets:
    """A corpus's titles and its text, and the model whose tokenizer they are made with."""

    model: Path
    prompts: list[list[int]]
    trie: DocidTrie
    index: ShardedFMIndex


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sets]:
    place, model = tmp_path_factory.mktemp("corpus"), smollm2_folder(default_cache("models"))
    tokenizer, store = load_tokenizer(model), read_store(Path(CORPUS))
    index = Path(INDEX) if INDEX else place / "index"
    if not INDEX:
        build_text_index(store, tokenizer, index, layout=Layout.of(tokenizer))
    titles = encode_field(tokenizer, [one.title for one in store if one.title][:TITLES])
    trie = DocidTrie.build(titles, tokenizer.eos_token_id)
    trie.save(place / "titles.trie")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRET_CONSTRAINTS", f"titles={place / 'titles.trie'};text={index}")
        sets_here.cache_clear()
        rows = np.random.default_rng(0).integers(0, len(store), 2000)
        asked = [f"A page about {store[int(row)].title}:" for row in rows]
        prompts = [tokenizer(one)["input_ids"] for one in asked]
        yield Sets(model, prompts, trie, TextIndex.load(index).index)
    sets_here.cache_clear()


def asked(sets: Sets, number: int) -> tuple[list[int], str | dict[str, Any] | None]:
    """Requests of each kind in turn: their prompts, and what they ask."""
    prompt, kind = sets.prompts[number], number % 4
    if kind == 0:
        return prompt, None
    if kind == 1:
        return prompt, "titles"
    if kind == 2:
        return prompt, "text"
    docid = sets.trie.leaf_sequences()
    begin = docid.offsets[number * 7 % docid.num_rows]
    return [*prompt, int(docid.values[begin])], {"constraint": "titles", "prefix": 1}


def inside(sets: Sets, prompt: list[int], arguments: Any, tokens: list[int]) -> bool:
    """Whether an output is what its request may emit."""
    if arguments is None:
        return True
    if arguments == "text":
        return sets.index.count(tokens[:-1] if tokens[-1] == sets.trie.eos else tokens) > 0
    whole = tokens if arguments == "titles" else [prompt[-1], *tokens]
    return whole[-1] == sets.trie.eos and bool(sets.trie.documents(whole))


@pytest.mark.parametrize("engine", list(ENGINES))
def test_nothing_but_titles_and_ngrams_comes_out(
    engine: str, sets: Sets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count, options = ENGINES[engine]
    folder = sets.model
    if engine != "SmolLM2":
        folder = tmp_path / "llama"
        tiny_llama(folder, load_tokenizer(sets.model))
    given = [asked(sets, number) for number in range(count)]
    most, random = sets.trie.longest(), np.random.default_rng(1)
    params = [
        SamplingParams(
            max_tokens=LONGEST if arguments in (None, "text") else most,
            temperature=float(random.choice([0.0, 0.7, 1.0, 2.0])),
            detokenize=False,
            extra_args=None if arguments is None else {"genret": arguments},
        )
        for _, arguments in given
    ]
    llm = LLM(
        str(folder),
        dtype="float32",
        enforce_eager=True,
        max_model_len=256,
        max_num_seqs=64,
        distributed_executor_backend="uni",
        logits_processors=[PROCESSOR],
        disable_log_stats=False,
        **options,
    )
    prompts = [TokensPrompt(prompt_token_ids=prompt) for prompt, _ in given]
    outputs = llm.generate(prompts, params, use_tqdm=False)
    counted = {one.name: one.value for one in llm.get_metrics() if hasattr(one, "value")}
    preempted = counted["vllm:num_preemptions"]
    del llm
    cleanup_dist_env_and_memory()
    wrong = [
        (arguments, list(output.outputs[0].token_ids))
        for (prompt, arguments), output in zip(given, outputs, strict=True)
        if not inside(sets, prompt, arguments, list(output.outputs[0].token_ids))
    ]
    assert wrong == []
    say(
        capsys,
        f"{engine}: {count} requests, {sets.trie.num_documents:,} titles, an index of {sets.index.num_documents:,} "
        f"passages; {preempted} preemptions",
    )
    assert preempted > 0 or engine != "small cache"
