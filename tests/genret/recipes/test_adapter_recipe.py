"""A run that trains adapters, from a configuration to a model folder that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backbones import t5
from command_line import genret

from genret.errors import InputError
from genret.recipes.from_configuration import load_recipe
from genret.retrieval.from_folder import load_retriever

PLACES = ["river", "city", "mountain", "paris", "rome"]


@pytest.fixture
def config(tmp_path) -> Path:
    """Five passages with a question each, and a tiny T5."""
    corpus = tmp_path / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    passages = [{"_id": f"p{n}", "title": place, "text": f"the {place}"} for n, place in enumerate(PLACES)]
    queries = [{"_id": f"q{n}", "text": place} for n, place in enumerate(PLACES)]
    for name, rows in (("corpus", passages), ("queries", queries)):
        (corpus / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = "".join(f"q{n}\tp{n}\t1\n" for n in range(len(PLACES)))
    (corpus / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    base = t5()
    base.model.config.dropout_rate = 0.0
    base.save_pretrained(tmp_path / "t5")
    path = tmp_path / "run.yaml"
    path.write_text(f"""
output: {tmp_path / "run"}
data: {{corpus: {corpus}, judgements: {corpus / "qrels" / "train.tsv"}}}
docids: {{strategy: atomic}}
model: {{kind: encoder-decoder, name: {tmp_path / "t5"}, adapter: {{r: 8, targets: [q, v, wi, wo]}}}}
mixture: {{labelled: 1.0}}
training: {{max_steps: 160, batch_size: 10, learning_rate: 0.02, save_steps: 80, logging_steps: 80}}
search: {{num_beams: 5}}
""")
    return path


@pytest.mark.parametrize("export", ["merged", "adapters"])
def test_a_run_learns_by_adapters_and_rows_alone(config, export, monkeypatch):
    assert genret(monkeypatch, "train", config, f"model.adapter.export={export}") == 0
    retriever = load_retriever(config.parent / "run" / "model")
    found = [hits[0].passage_id for hits in retriever.batch_search(PLACES)]
    assert sum(one == f"p{n}" for n, one in enumerate(found)) >= 4
    names = {path.name for path in (config.parent / "run" / "model").iterdir()}
    assert ("adapter_model.safetensors" in names) == (export == "adapters") != ("model.safetensors" in names)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.kind=frozen-encoder",
            "adapters are of causal models and encoder-decoders, kind is frozen-encoder",
        ),
        ("model.adapter.r=0", "model.adapter: r: expected at least 1, found 0"),
        ("model.adapter.rank=4", "unknown key 'model.adapter.rank'"),
        ("loss.kind=sampled", "model.adapter: the loss sampled updates whole tables"),
    ],
)
def test_what_cannot_be_adapted_is_refused_before_the_work(config, override, message):
    with pytest.raises(InputError, match=message):
        load_recipe(config, [override])
