"""Recipes whose docids are words alone, and tables whose words lie beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from backbones import byte_tokenizer, t5, word_tokenizer
from click.testing import CliRunner
from command_line import built, genret

from docid.words import WordSets
from genret.config import load_config
from genret.errors import InputError
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.docids import GenerativeRetriever

PASSAGES = [
    {"_id": "p0", "title": "the river", "text": "who lies near the river"},
    {"_id": "p1", "title": "the city", "text": "where the city lies near rome"},
    {"_id": "p2", "title": "a walk", "text": "run and walk and read"},
]
WORDS = "docids={strategy: words, options: {limit: 3}}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A corpus, a tokenizer, and the least configuration of words alone."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "corpus.jsonl").write_text("\n".join(map(json.dumps, PASSAGES)))
    word_tokenizer().save_pretrained(tmp_path / "tokenizer")
    path = tmp_path / "run.yaml"
    path.write_text(
        f"""
output: {tmp_path / "run"}
data: {{corpus: {tmp_path / "corpus"}}}
docids: {{strategy: words, options: {{limit: 3}}}}
model: {{kind: words, name: {tmp_path / "tokenizer"}}}
search: {{mode: plan}}
"""
    )
    return path


def table(config: Path, *options: str, tokenizer: str = "tokenizer") -> Path:
    """As `genret docid build` writes it."""
    path = config.parent / "docids.table"
    given = ["--tokenizer", str(config.parent / tokenizer), "-o", str(path), *options]
    result = CliRunner().invoke(built(), ["docid", "build", str(config.parent / "corpus"), *given])
    assert result.exit_code == 0, result.output
    return path


def test_a_configuration_of_words_makes_a_model_that_is_searched(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert genret(monkeypatch, "train", config) == 0
    model = Path(capsys.readouterr().out.strip())
    retriever = GenerativeRetriever.from_pretrained(model)
    assert retriever.words is not None
    assert retriever.words.sets.limit == 3
    assert retriever.search("walk near", 1)[0].passage_id == "p2"
    assert genret(monkeypatch, "search", model, "near the river", "-k", 1, "--matches") == 0
    assert "p0" in capsys.readouterr().out
    assert genret(monkeypatch, "search", model, "river", "--gold", "p1") == 0
    told = capsys.readouterr().out
    assert "words alone" in told
    assert "rank" in told
    assert genret(monkeypatch, "search", model, "river", "--mode", "beam") == 2
    assert "words alone" in capsys.readouterr().err
    picture = config.parent / "beam.html"
    assert genret(monkeypatch, "search", model, "river", "--gold", "p1", "--output", picture) == 2
    assert not picture.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("search.mode=beam", "search.mode: found beam; docids of words alone"),
        ("search={}", "search.mode: found beam"),
        ("model={kind: frozen-encoder}", "set model.kind to words, found frozen-encoder"),
        ("docids={strategy: atomic}", "model.kind: a model of words has no network"),
        ("docids.words={limit: 3}", "the strategy words has limit and title_weight as options"),
        ("docids.options.limit=0", "limit"),
        ("docids.options.title_weight=257", "title_weight"),
        ("codebook={max_steps: 3}", "codebook: a model of kind words has nothing to train"),
        ("model.options={max_source_tokens: 3}", "max_source_tokens"),
    ],
)
def test_what_does_not_go_together_is_told_before_the_work(config: Path, change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config(DocidRecipe, config, [change])


def test_a_table_brings_its_words(config: Path) -> None:
    """The same model as from the strategy; codes without an encoder and words without codes are told apart."""
    path = table(config, "--strategy", "words", "--set", "limit=3")
    given, made = (
        run_recipe(load_config(DocidRecipe, config, [one])) for one in (f"docids={{table: {path}}}", WORDS)
    )
    queries = ["walk near rome", "the river"]
    assert given.retriever().batch_search(queries) == made.retriever().batch_search(queries)
    with pytest.raises(InputError, match=r"its docids are words alone, and model\.kind is encoder-decoder"):
        run_recipe(load_config(DocidRecipe, config, [f"docids={{table: {path}}}", *small_t5(config)]))


def test_words_beside_a_table_of_codes_go_into_the_model(config: Path) -> None:
    """Their vocabulary grows by the docids' tokens, which are those of the same tokenizer."""
    settings = small_t5(config)
    path = table(config, "--strategy", "atomic", "--words", "4", tokenizer="t5")
    trained = run_recipe(load_config(DocidRecipe, config, [f"docids={{table: {path}}}", *settings]))
    assert trained.words is not None
    assert (
        trained.words.sets.vocab_size == len(trained.backbone.source_tokenizer) == len(byte_tokenizer()) + 3
    )
    beside = WordSets.load(path.with_suffix(".words"))
    assert trained.words.sets.sets().values.tolist() == beside.sets().values.tolist()
    trained.retriever().save_pretrained(config.parent / "saved")
    again = GenerativeRetriever.from_pretrained(config.parent / "saved")
    assert again.search("river", 3) == trained.retriever().search("river", 3)
    replace(beside, vocabulary="another").save(path.with_suffix(".words"))
    with pytest.raises(InputError, match=r"docids\.words: chosen with the tokenizer another, this one is"):
        run_recipe(load_config(DocidRecipe, config, [f"docids={{table: {path}}}", *settings]))


def small_t5(config: Path) -> list[str]:
    """Settings of a small encoder-decoder that trains for one step on titles."""
    t5().save_pretrained(config.parent / "t5")
    return [
        f"model={{kind: encoder-decoder, name: {config.parent / 't5'}}}",
        "mixture={titles: 1}",
        "sources={titles: {kind: firstp}}",
        "training={max_steps: 1, batch_size: 2}",
    ]
