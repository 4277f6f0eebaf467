"""SmolLM2 in vLLM over the titles and the n-grams of a corpus of one's own: GENRET_ENGINES_CORPUS names it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from vllm import LLM, SamplingParams
from vllm.distributed import cleanup_dist_env_and_memory

from docid import DocidTrie
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
REQUESTS, LONGEST, TITLES = 400, 12, 100_000


@pytest.mark.skipif(not CORPUS, reason="no corpus: set GENRET_ENGINES_CORPUS to one")
def test_titles_and_ngrams_of_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = smollm2_folder(default_cache("models"))
    tokenizer, store = load_tokenizer(folder), read_store(Path(CORPUS))
    place = Path(INDEX) if INDEX else tmp_path / "index"
    if not INDEX:
        build_text_index(store, tokenizer, place, layout=Layout.of(tokenizer))
    index = TextIndex.load(place).index
    titles = encode_field(tokenizer, [one.title for one in store if one.title][:TITLES])
    trie = DocidTrie.build(titles, tokenizer.eos_token_id)
    trie.save(tmp_path / "titles.trie")
    monkeypatch.setenv("GENRET_CONSTRAINTS", f"titles={tmp_path / 'titles.trie'};text={place}")
    sets_here.cache_clear()
    llm = LLM(
        str(folder),
        dtype="float32",
        enforce_eager=True,
        max_model_len=256,
        max_num_seqs=64,
        distributed_executor_backend="uni",
        logits_processors=["genret.engines.vllm:ConstraintProcessor"],
    )
    random = np.random.default_rng(0)
    queries = [f"A page about {store[int(row)].title}:" for row in random.integers(0, len(store), REQUESTS)]
    params = [
        SamplingParams(
            max_tokens=64 if number % 2 else LONGEST,
            temperature=0.0 if number % 3 else 1.0,
            extra_args={"genret": "titles" if number % 2 else "text"},
        )
        for number in range(REQUESTS)
    ]
    wrong = []
    for number, output in enumerate(llm.generate(queries, params, use_tqdm=False)):
        tokens = list(output.outputs[0].token_ids)
        body = tokens[:-1] if tokens[-1] == trie.eos else tokens
        right = bool(trie.documents(tokens)) if number % 2 else index.count(body) > 0
        if not right:
            wrong.append((number, tokens))
    cleanup_dist_env_and_memory()
    assert wrong == []
