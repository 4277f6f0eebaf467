"""`genret train` as it is started: by itself, by torchrun, by the deepspeed launcher with a host file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from backbones import byte_tokenizer
from floats import FORWARD, assert_close
from ranks import read_lines
from safetensors.torch import load_file

from genret.models import load_backbone
from genret.retrieval.docids import GenerativeRetriever

pytestmark = pytest.mark.timeout(600)
BIN = Path(sys.executable).parent
PLACES = ["river", "city", "mountain", "paris", "rome"]
DEEDS = ["run", "walk", "read", "lies near"]
CONFIG = """
output: unused
data: {{corpus: {corpus}, evaluation: {corpus}/qrels/dev.tsv}}
docids: {{strategy: string, options: {{digits: true}}}}
model:
  kind: encoder-decoder
  tokenizer: {tokenizer}
  config: {{d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, dropout_rate: 0.0}}
mixture: {{firstp: 1}}
training:
  engine: deepspeed
  deepspeed: {{zero_stage: 2, config: {json}}}
  max_steps: 7
  batch_size: 8
  logging_steps: 1
  save_steps: 3
  eval_steps: 3
  metric_for_best_model: hit@10
search: {{num_beams: 4, score: full}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """Twenty passages, five judged queries, a T5 from nothing."""
    folder = tmp_path_factory.mktemp("data")
    corpus = folder / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    rows = [f"the {place} where they {deed}." for place in PLACES for deed in DEEDS]
    lines = [json.dumps({"_id": f"p{n}", "title": "", "text": text}) for n, text in enumerate(rows)]
    (corpus / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    queries = [
        json.dumps({"_id": f"q{n}", "text": f"who is at the {place}"}) for n, place in enumerate(PLACES)
    ]
    (corpus / "queries.jsonl").write_text("\n".join(queries) + "\n")
    judged = "".join(f"q{n}\tp{4 * n}\t1\n" for n in range(5))
    (corpus / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    byte_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "ds.json").write_text('{"steps_per_print": 1000, "gradient_accumulation_steps": "auto"}')
    path = folder / "run.yaml"
    path.write_text(CONFIG.format(corpus=corpus, tokenizer=folder / "tokenizer", json=folder / "ds.json"))
    return path


def start(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)


def losses(output: Path) -> list[float]:
    lines = read_lines(output / "decoder" / "metrics.jsonl")
    return [line["loss"] for line in lines if line["kind"] == "step"]


def check_exports(output: Path) -> None:
    """The best checkpoint and the last, which is not evaluated, side by side in Hugging Face's layout."""
    lines = read_lines(output / "decoder" / "metrics.jsonl")
    found = {line["step"]: line["hit@10"] for line in lines if "hit@10" in line}
    best = max(found, key=lambda step: (found[step], -step))
    for name, step in (("model", best), ("model-last", 7)):
        stored: dict[str, torch.Tensor] = {}
        for path in (output / "decoder" / "checkpoints" / f"step-{step:08d}").glob("model-*"):
            stored |= load_file(path)
        exported = dict(load_backbone(output / name).named_parameters())  # type: ignore[attr-defined]
        assert {f"backbone.{one}" for one in exported} == stored.keys()
        assert all(torch.equal(weight, stored[f"backbone.{one}"]) for one, weight in exported.items())
    ends = [GenerativeRetriever.from_pretrained(output / name) for name in ("model", "model-last")]
    assert [len(one.search("the river where they run.", 3)) for one in ends] == [3, 3]


def test_launchers_give_the_same_run(config, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost slots=2\n")
    genret = str(BIN / "genret")
    launchers = {
        "torch": [genret],
        "torchrun": ["torchrun", "--standalone", "--nproc-per-node=2", "--no-python", genret],
        "deepspeed": [
            # By its interpreter: the script itself does not find one whose path has a space.
            sys.executable,
            str(BIN / "deepspeed"),
            "--no_ssh_check",
            "--no_local_rank",
            "--master_addr=127.0.0.1",
            "--hostfile",
            str(hosts),
            "--num_gpus=2",
            "--no_python",
            genret,
        ],
    }
    others = {"torch": "training.engine=torch", "torchrun": "training.deepspeed={zero_stage: 3}"}
    for name, launcher in launchers.items():
        changed = [others[name]] if name in others else []
        done = start(*launcher, "train", str(config), f"output={tmp_path / name}", *changed)
        assert done.returncode == 0, done.stderr[-3000:]
        check_exports(tmp_path / name)
    for name in ("torchrun", "deepspeed"):
        assert_close(losses(tmp_path / name), losses(tmp_path / "torch"), ulps=FORWARD)
    lines = read_lines(tmp_path / "torchrun" / "decoder" / "metrics.jsonl")
    assert [line["step"] for line in lines if "hit@10" in line] == [3, 6]


def test_wrong_input_is_a_sentence_in_every_process(config, tmp_path):
    (tmp_path / "taken").mkdir()
    done = start(
        "torchrun", "--standalone", "--nproc-per-node=2", "--no-python", str(BIN / "genret"), "train", str(config),
        f"output={tmp_path / 'taken'}",
    )  # fmt: skip
    assert done.returncode != 0
    assert "taken exists already; pass --resume" in done.stderr
    assert "process 0 of 2:" in done.stderr
    assert 'genret/cli/models/train.py", line' not in done.stderr
