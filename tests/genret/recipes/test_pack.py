"""Training from packed examples: made by the recipe that is trained, read by the model that they were made for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from backbones import sentence_encoder, t5

from genret.config import from_mapping
from genret.errors import InputError
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.pack import prepare_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.tokenizer.plain_text import text_ids
from genret.training.examples.batch import CrossEntropy, SourceTokens, TrainingModule, collate
from genret.training.examples.example import Example


@pytest.fixture
def recipe(tmp_path) -> DocidRecipe:
    """Four passages, a tiny T5, docids from their titles."""
    rows = [{"_id": f"p{n}", "title": f"city {n}", "text": f"the river near city {n}"} for n in range(4)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    t5().save_pretrained(tmp_path / "t5")
    content = {
        "output": str(tmp_path / "run"),
        "data": {"corpus": str(tmp_path / "corpus.jsonl")},
        "docids": {"strategy": "title"},
        "model": {"kind": "encoder-decoder", "name": str(tmp_path / "t5")},
        "mixture": {"sentences": 1.0},
        "training": {"max_steps": 2, "batch_tokens": 400, "logging_steps": 1},
    }
    return from_mapping(DocidRecipe, content, "recipe")


def test_a_model_trains_from_packed_examples(recipe, tmp_path):
    prepare_recipe(recipe, str(tmp_path / "packed"))
    packed = replace(recipe, data=replace(recipe.data, packed=str(tmp_path / "packed")))
    trained = run_recipe(packed)
    (metrics,) = Path(recipe.output).rglob("metrics.jsonl")
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "step"] == [1, 2]
    before = t5().model.state_dict()
    assert any(
        not torch.equal(after, before[name]) for name, after in trained.backbone.model.state_dict().items()
    )


def test_sources_that_were_tokenised_ahead_weigh_and_lose_what_their_texts_do():
    backbone = t5()
    module = TrainingModule(backbone, CrossEntropy(), encode_ids=backbone.encode_ids).eval()
    texts = ["who lies near rome", "paris"]
    batch = collate([Example(text, (5 + n, 6, 1), "q", 1.0, n) for n, text in enumerate(texts)], 0)
    ids = text_ids(backbone.tokenizer, texts, special_tokens=True)
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    ahead = replace(batch, sources=[], source_tokens=SourceTokens(tokens, tokens != 0))
    assert torch.equal(module(ahead).total, module(batch).total)
    assert float(module.weight(ahead)) == 6.0
    with pytest.raises(ValueError, match="need `encode_ids`"):
        TrainingModule(backbone, CrossEntropy())(ahead)


def test_a_model_that_reads_texts_is_refused(recipe, tmp_path):
    prepare_recipe(recipe, str(tmp_path / "packed"))
    tiny = sentence_encoder()
    tiny.model.save_pretrained(tmp_path / "encoder")
    tiny.tokenizer.save_pretrained(tmp_path / "encoder")
    model = replace(recipe.model, kind="frozen-encoder", name=str(tmp_path / "encoder"))
    other = replace(recipe, model=model)
    with pytest.raises(
        InputError, match="only an encoder-decoder reads packed examples, found frozen-encoder"
    ):
        prepare_recipe(other, str(tmp_path / "again"))
    with pytest.raises(InputError, match="packed examples, found a Frozen"):
        run_recipe(replace(other, data=replace(recipe.data, packed=str(tmp_path / "packed"))))
