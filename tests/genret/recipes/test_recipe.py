"""A whole run from a configuration: codebooks, decoder, search, command line."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from backbones import sentence_encoder
from command_line import genret
from typer.testing import CliRunner

from docid import DocidTable
from genret.config import load_config
from genret.corpus import read_store
from genret.docids import autoencoder
from genret.errors import InputError, UsageError
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.from_configuration import load_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.docids import GenerativeRetriever
from genret.training.examples.material import (
    DataOptions,
    held_back_queries,
    read_material,
    split_held_back,
)
from genret.words import DEFAULT_WEIGHT

PLACES = ["river", "city", "mountain", "paris", "rome"]
DEEDS = ["run", "walk", "read", "lies near"]
SHAPE = "{d_model: 48, tie_word_embeddings: false, decoder_layers: 1, decoder_heads: 4, decoder_ffn_dim: 64, dropout: 0.0}"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def config(tmp_path) -> Path:
    """A corpus of 20 passages with a question each, a tiny encoder, and a configuration over them."""
    corpus, encoder = tmp_path / "corpus", tmp_path / "encoder"
    (corpus / "qrels").mkdir(parents=True)
    passages = [(place, deed) for place in PLACES for deed in DEEDS]
    write_lines(
        corpus / "corpus.jsonl",
        [
            {"_id": f"p{n}", "title": p, "text": f"the {p} where who {d} a the {p}."}
            for n, (p, d) in enumerate(passages)
        ],
    )
    write_lines(
        corpus / "queries.jsonl",
        [{"_id": f"q{n}", "text": f"who {d} near the {p}"} for n, (p, d) in enumerate(passages)],
    )
    judged = "".join(f"q{n}\tp{n}\t1\n" for n in range(len(passages)))
    (corpus / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    tiny = sentence_encoder()
    tiny.model.save_pretrained(encoder)
    tiny.tokenizer.save_pretrained(encoder)
    path = tmp_path / "run.yaml"
    path.write_text(
        f"""
output: {tmp_path / "run"}
data: {{corpus: {corpus}, judgements: {corpus / "qrels" / "train.tsv"}}}
docids: {{options: {{levels: 3, codes: 6}}}}
model: {{name: {encoder}, options: {SHAPE}}}
mixture: {{labelled: 1, whole: 1}}
sources: {{whole: {{kind: firstp, words: null}}}}
teacher: {{gold_share: {{labelled: 1.0, whole: 1.0}}}}
codebook: {{max_steps: 60, batch_size: 20, learning_rate: 0.01}}
search: {{num_beams: 20}}
"""
    )
    return path


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def found(retriever: GenerativeRetriever, recipe: DocidRecipe) -> int:
    """Questions whose passage's docid comes first; the tiny encoder gives some passages the same one."""
    questions = [json.loads(line) for line in (Path(recipe.data.corpus) / "queries.jsonl").open()]
    hits = retriever.batch_search([question["text"] for question in questions], 1)
    gold = [
        retriever.table.docid(retriever.passages.row("p" + question["_id"][1:])) for question in questions
    ]
    return sum(hit[0].docid == docid for hit, docid in zip(hits, gold, strict=True))


def test_codebooks_then_decoder_retrieve_every_training_docid(config):
    recipe = load_config(
        DocidRecipe,
        config,
        [
            "training={max_steps: 300, batch_size: 20, learning_rate: 0.003, logging_steps: 50}",
            "search.score=full",
        ],
    )
    trained = run_recipe(recipe)
    lines = [json.loads(line) for line in (Path(recipe.output) / "decoder" / "metrics.jsonl").open()]
    assert [line["loss"] for line in lines if line["kind"] == "step"][-1] < 0.01
    assert lines[0]["corpus"] == trained.passages.fingerprint
    assert lines[0]["configuration"]["teacher"]["gold_share"] == {"labelled": 1.0, "whole": 1.0}
    assert found(GenerativeRetriever(trained.backbone, trained.table, trained.passages), recipe) == 20


@pytest.mark.parametrize("steps", [0, 60])
def test_a_configuration_gives_docids_words_and_learns_with_them(config, monkeypatch, steps):
    """Codebooks that stay as they are, and that are trained beside words; the folder has both parts."""
    given = [f"codebook.max_steps={steps}", "docids.words={limit: 2}", "search={mode: plan}"]
    if steps:
        given.append("search.plan_ahead=true")
    assert genret(monkeypatch, "train", config, *given) == 0
    retriever = GenerativeRetriever.from_pretrained(config.parent / "run" / "model")
    assert (config.parent / "run" / "codebook").exists() == bool(steps)
    assert retriever.words is not None
    assert retriever.words.sets.limit == 2
    assert (retriever.words.weight == DEFAULT_WEIGHT) == (steps == 0)
    (hit,) = retriever.search("who run near the rome", 1)
    assert {word.text for word in hit.words} <= {"run", "rome", "near"}
    assert hit.words


@pytest.mark.parametrize("held_back", [0.0, 0.3])
def test_queries_that_were_held_back_say_what_words_weigh(config, held_back, monkeypatch, capsys):
    """Others cannot: a trained decoder knows theirs by heart."""
    training = "training={max_steps: 2, batch_size: 20, learning_rate: 0.003}"
    given = ["codebook.max_steps=0", training, "docids.words={}", f"data.held_back={held_back}"]
    assert genret(monkeypatch, "train", config, *given) == 0
    said = "the weight of words" in (err := capsys.readouterr().err)
    assert said == ("on 6 labelled queries held back" in err) == bool(held_back)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("docids.words={limit: 0}", "limit"),
        ("docids.words={words: 3}", "words"),
        ("search.mode=greedy", "mode"),
        ("training={max_steps: 0}", "training.max_steps: found 0; leave out training"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_work(config, given, message):
    with pytest.raises((InputError, UsageError), match=message):
        load_config(DocidRecipe, config, [given])


def test_the_command_trains_refuses_and_resumes(config):
    import typer

    from genret.cli.models.train import register

    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)  # with one command typer would swallow its name
    runner = CliRunner()
    first = runner.invoke(app, ["train", str(config), "search.score=raw"])
    assert first.exit_code == 0, first.output
    model = Path(first.stdout.strip())
    before = found(GenerativeRetriever.from_pretrained(model), load_config(DocidRecipe, config))
    assert before >= 15
    again = runner.invoke(app, ["train", str(config)])
    assert isinstance(again.exception, InputError)
    assert "exists already; pass --resume" in str(again.exception)
    both = runner.invoke(app, ["train", str(config), "--resume", "--overwrite"])
    assert isinstance(both.exception, UsageError)
    resumed = runner.invoke(app, ["train", str(config), "--resume", "codebook.max_steps=80"])
    assert resumed.exit_code == 0, resumed.output
    kinds = [json.loads(line)["kind"] for line in (model.parent / "codebook" / "metrics.jsonl").open()]
    assert "resumed" in kinds
    assert found(GenerativeRetriever.from_pretrained(model), load_config(DocidRecipe, config)) >= before


def test_an_autoencoders_docids_are_those_of_docid_build(config, monkeypatch):
    """`genret train` trains what `genret docid build` trains: the same strategy gives the same table."""
    monkeypatch.setattr(
        autoencoder, "RqVaeOptions", partial(autoencoder.RqVaeOptions, steps=40, hidden=(16,), latent=8)
    )
    options = "docids={strategy: rqvae, options: {levels: 3, codes: 6, collisions: next}}"
    assert genret(monkeypatch, "train", config, options, "codebook.max_steps=5") == 0
    trained = GenerativeRetriever.from_pretrained(config.parent / "run" / "model")
    corpus, encoder = config.parent / "corpus", config.parent / "encoder"
    sets = [word for one in ("levels=3", "codes=6", "collisions=next") for word in ("--set", one)]
    given = ["--strategy", "rqvae", *sets, "--encoder", encoder, "-o", config.parent / "table"]
    assert genret(monkeypatch, "docid", "build", corpus, *given) == 0
    table = DocidTable.load(config.parent / "table")
    rows = range(20)
    assert list(map(table.docid, rows)) == list(map(trained.table.docid, rows))
    assert len(set(map(table.docid, rows))) > 5


def margin_over(config: Path, lines: str) -> str:
    """The override that trains on margins over a run of these lines."""
    run = config.with_name("negatives.run")
    run.write_text(lines)
    return f"loss={{kind: margin, run: {run}, candidates: 4}}"


def test_margins_over_a_runs_passages_retrieve_every_training_docid(config):
    """Each question's run has its own passage, which is no negative, and the four after it, which are."""
    lines = "".join(
        f"q{n} Q0 p{(n + place) % 20} {place + 1} {5.0 - place} x\n" for n in range(20) for place in range(5)
    )
    training = "training={max_steps: 150, batch_size: 20, learning_rate: 0.003, logging_steps: 50}"
    recipe = load_config(
        DocidRecipe, config, [margin_over(config, lines), training, "mixture={labelled: 1}", "sources={}"]
    )
    trained = run_recipe(recipe)
    log = [json.loads(line) for line in (Path(recipe.output) / "decoder" / "metrics.jsonl").open()]
    assert recipe.loss["run"] in log[0]["data"]
    assert found(GenerativeRetriever(trained.backbone, trained.table, trained.passages), recipe) == 20


def test_a_run_of_another_corpus_ends_before_anything_is_trained(config, monkeypatch, capsys):
    training = "training={max_steps: 5, batch_size: 20, learning_rate: 0.003}"
    wrong = margin_over(config, "q3 Q0 p77 1 1.0 x\n")
    assert genret(monkeypatch, "train", config, wrong, training) == 3
    assert "query 'q3': passage 'p77' is not in the corpus" in capsys.readouterr().err
    assert not config.with_name("run").exists()
    absent = "loss={kind: margin, run: absent.run}"
    assert genret(monkeypatch, "train", config, absent, "--plan") == 3
    assert "absent.run: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.packed=folder", "loss.run: packed examples have no texts"),
        ("data.judgements=null", "loss.run: data.judgements must say which passages are right"),
    ],
)
def test_a_run_needs_texts_and_judgements(config, override, message):
    overrides = [margin_over(config, ""), "mixture={whole: 1}", override]
    with pytest.raises(InputError, match=message):
        load_config(DocidRecipe, config, overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["mixture={labeled: 1}", "sources={}"], "no source is called 'labeled'"),
        (["sources.sentences={}"], "sources.sentences: the mixture has no such name"),
        (["sources.whole.wrds=3"], "did you mean 'words'"),
        (["data.judgements=null"], "mixture.labelled: the source needs data.judgements"),
        (["codebook=null"], "nothing to train"),
        (["model={kind: causal}"], "only frozen encoders start from codebooks"),
        (["docids={strategy: semantics}"], "docids: strategy: no docid strategy is called"),
        (["docids={options: {level: 3}}"], "did you mean 'levels'"),
        (["docids={options: {levels: 2147483648}}"], "levels: expected at most 256, found 2147483648"),
        (["docids={options: {levels: 256, codes: 65536}}"], "16,777,216 new tokens; expected at most"),
        (["model.options.d_model=10000000000"], "d_model: expected at most"),
        (["model.options={d_model: 200000, decoder_layers: 1000}"], "Choose smaller widths"),
        (["model.options={d_model: wide}"], "d_model: expected a whole number, found 'wide'"),
        (
            ["model={kind: encoder-decoder, tokenizer: x, config: {d_ff: 0}}"],
            "d_ff: expected at least 1, found 0",
        ),
        (["codebook.seed=-1"], "seed: expected at least 0, found -1"),
        (["codebook.optimizer={adam_beta1: 1e19}"], "adam_beta1: expected a number below 1, found 1e"),
        (["codebook.batch_size=2147483648"], "batch_size: expected at most"),
        (["codebook.max_setps=3"], "did you mean 'codebook.max_steps'"),
        (["codebook.optimizer={max_grad_nrm: 3}"], "did you mean 'codebook.optimizer.max_grad_norm'"),
    ],
)
def test_impossible_recipes_are_named(config, overrides, message):
    with pytest.raises(InputError, match=message):
        load_config(DocidRecipe, config, overrides)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"passage_vectors": "absent.npy"}}, "absent.npy: cannot be read as a .npy file of vectors"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(config, changes, message):
    recipe = load_config(DocidRecipe, config)
    for section, values in changes.items():
        recipe = replace(recipe, **{section: replace(getattr(recipe, section), **values)})
    with pytest.raises(InputError, match=message):
        run_recipe(recipe)


def test_what_is_held_back_is_what_training_does_not_read(config):
    recipe = load_config(DocidRecipe, config, ["data.held_back=0.25"])
    passages = read_store(recipe.data.corpus)
    material = read_material(recipe.data, passages, None, recipe.seed)
    trained = {material.queries[query_id] for query_id in material.judgements}
    held = held_back_queries(recipe.data, passages, recipe.seed)
    assert len(held) == 5
    assert {text for text, _ in held} | trained == set(material.queries.values())
    assert trained.isdisjoint(text for text, _ in held)
    rows = {query: frozenset([row]) for row, query in enumerate(material.queries.values())}
    assert all(rows[text] == relevant for text, relevant in held)
    assert held_back_queries(load_config(DocidRecipe, config).data, passages, recipe.seed) == []


def test_held_back_queries_are_a_fixed_part():
    names = [f"q{n}" for n in range(50)]
    kept, held = split_held_back(names, 0.2, 3)
    assert len(held) == 10
    assert sorted(kept + held) == sorted(names)
    assert (kept, held) == split_held_back(names, 0.2, 3)
    assert split_held_back(names, 0.0, 3) == (names, [])
    assert isinstance(DataOptions("x").held_back, float)


def test_the_shipped_configurations_load():
    paths = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_recipe(path).output
