"""docs/extend.md as it stands: its blocks become a package, and each door is gone through once, end to end."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from backbones import sentence_encoder, t5
from click.testing import Result
from floats import FORWARD, assert_close
from guests import install_guest
from typer.testing import CliRunner

from docid import DocidTable
from genret.cli.app import app
from genret.config import load_config
from genret.corpus import read_passages, read_run, write_run
from genret.docids.strategies import open_strategy
from genret.errors import InputError, UsageError
from genret.evaluation import evaluate
from genret.installation import run_checks
from genret.models import load_backbone
from genret.plugins import GROUP
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.training.examples.batch import TrainingModule, collate
from genret.training.examples.example import Example
from genret.training.losses.loss_kinds import Training, make_loss

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
MODULES = dict(re.findall(r"```python\n# shoal/(\w+)\.py\n(.*?)```", PAGE, flags=re.DOTALL))
NAMES = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])["project"]["entry-points"][GROUP]
SHAPE = "{d_model: 48, tie_word_embeddings: false, decoder_layers: 1, decoder_heads: 4, decoder_ffn_dim: 64}"


def genret(*arguments: object) -> Result:
    """The command line; `exception` is what a command refused with."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(autouse=True)
def shoal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    install_guest(tmp_path / "site", monkeypatch, "shoal_distribution", "", NAMES)
    package = tmp_path / "site" / "shoal"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, body in MODULES.items():
        (package / f"{name}.py").write_text(body)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shoal"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Six passages in the format that `shoal` brings."""
    path = tmp_path / "places.txt"
    lines = [f"p{n} | | the {place} lies near rome" for n, place in enumerate(["river", "city"] * 3)]
    path.write_text("\n".join(["%piped", *lines, ""]))
    return path


def test_every_door_has_its_example_and_doctor_lists_it() -> None:
    assert {value.partition(":")[0].removeprefix("shoal.") for value in NAMES.values()} == set(MODULES)
    found = {check.name: check for check in run_checks() if check.name.startswith("guest ")}
    listed = {name: found[f"guest {name}"] for name in NAMES}
    assert not [check for check in listed.values() if check.advice]
    assert {check.found.rpartition(": ")[2] for check in listed.values()} == {
        "docid strategy",
        "source",
        "loss",
        "kind of backbone",
        "constraint",
        "file format",
        "teacher",
        "metric",
    }


@pytest.fixture
def recipe(tmp_path: Path, corpus: Path) -> Path:
    """A run that goes through most doors, with queries that its evaluations ask."""
    (corpus.parent / "queries.jsonl").write_text('{"_id": "q", "text": "where lies rome"}\n')
    (tmp_path / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\tp1\t1\n")
    encoder = tmp_path / "encoder"
    tiny = sentence_encoder()
    tiny.model.save_pretrained(encoder)
    tiny.tokenizer.save_pretrained(encoder)
    path = tmp_path / "run.yaml"
    path.write_text(
        f"""
output: {tmp_path / "run"}
data: {{corpus: {corpus}}}
docids: {{strategy: hashed, options: {{digits: 3}}}}
model: {{name: {encoder}, options: {SHAPE}}}
mixture: {{shouted: 1}}
sources: {{shouted: {{words: 4}}}}
teacher: {{kind: overlap, options: {{weight: 0.2}}, gold_share: {{}}}}
codebook: {{max_steps: 3, batch_size: 4, learning_rate: 0.01}}
loss: {{kind: focal, gamma: 1.0}}
training: {{max_steps: 3, batch_size: 4, learning_rate: 0.001}}
"""
    )
    return path


def test_strategy_source_loss_teacher_and_format_in_one_run(tmp_path: Path, recipe: Path) -> None:
    trained = run_recipe(load_config(DocidRecipe, recipe))
    assert all(re.fullmatch("[0-9a-f]{3}", docid) for docid in trained.table.docids(range(6)))
    for wrong, message in [
        ("docids.options={digit: 3}", "did you mean 'digits'"),
        ("sources={shouted: {word: 4}}", "did you mean 'words'"),
        ("teacher.options={weight: heavy}", "weight: expected a number"),
        ("loss={kind: focal, gamma: -1}", "gamma: expected at least 0"),
        ("loss={kind: shoal.losses:LossSums}", "inherits from genret.training.losses.base.Loss"),
    ]:
        with pytest.raises(InputError, match=message):
            load_config(DocidRecipe, recipe, [wrong])


@pytest.fixture
def model(tmp_path: Path, recipe: Path) -> Path:
    run_recipe(load_config(DocidRecipe, recipe)).retriever().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


RIVERS, CITIES = {"p0", "p2", "p4"}, {"p1", "p3", "p5"}


def hits(run: Path) -> set[str]:
    return {passage_id for passage_id, _ in read_run(run)["q"]}


def test_a_constraint_at_a_search_in_a_batch_and_in_a_recipe(
    tmp_path: Path, model: Path, recipe: Path
) -> None:
    found = genret("search", model, "where lies rome", "--constraint", "about").output
    assert {line.split()[2] for line in found.splitlines()} == RIVERS
    queries, run, batch = tmp_path / "queries.jsonl", tmp_path / "found.run", tmp_path / "batch.run"
    search = ["search", model, "--queries", queries, "--output", run, "--constraint"]
    assert genret(*search, "shoal.constraints:About", "--set", "word=city").exit_code == 0
    assert hits(run) == CITIES
    job = ["batch", model, queries, "-o", batch, "--constraint", "about"]
    assert genret(*job).exit_code == 0
    assert hits(batch) == RIVERS
    assert genret(*job, "--resume").exit_code == 0
    assert "result of another job" in str(genret(*job, "--set", "word=city", "--resume").exception)
    assert genret(*job, "--set", "word=city", "--overwrite").exit_code == 0
    assert hits(batch) == CITIES
    for asked, kind, message in [
        (["abuot"], UsageError, "did you mean 'about'"),
        (["about", "--set", "wrod=city"], InputError, "did you mean 'word'"),
        (["about", "--set", "word=[1]"], InputError, "word: expected text, found a list"),
        (["about", "--set", "word"], UsageError, "expected NAME=VALUE"),
    ]:
        for command in (search, job[:-1]):
            refused = genret(*command, *asked, "--overwrite").exception
            assert isinstance(refused, kind)
            assert message in str(refused)
    assert "name it with --constraint" in str(
        genret("batch", model, queries, "-o", run, "--set", "a=1").exception
    )


@pytest.mark.parametrize(
    ("kind", "word", "right"), [("about", "river", 0.0), ("shoal.constraints:About", "city", 1.0)]
)
def test_a_recipes_evaluations_search_within_its_constraint(
    kind: str, word: str, right: float, tmp_path: Path, recipe: Path
) -> None:
    limited = [
        "training.eval_steps=3",
        f"data.evaluation={tmp_path / 'dev.tsv'}",
        f"data.queries={tmp_path / 'queries.jsonl'}",
        f"constraint={{kind: '{kind}', options: {{word: {word}}}}}",
    ]
    run_recipe(load_config(DocidRecipe, recipe, limited))
    lines = [json.loads(line) for path in tmp_path.rglob("metrics.jsonl") for line in path.open()]
    assert [line["hit@10"] for line in lines if "hit@10" in line] == [right]
    wrong = limited[-1].replace("word:", "wrod:")
    with pytest.raises(InputError, match=r"constraint: .*did you mean 'word'"):
        load_config(DocidRecipe, recipe, [wrong])


def test_a_format_of_runs_is_written_as_it_is_read(tmp_path: Path, model: Path, corpus: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    commands = {
        "search": ["search", model, "--queries", queries, "--output"],
        "batch": ["batch", model, queries, "--output"],
        "baseline": ["baseline", "bm25", corpus, "--queries", queries, "--output"],
    }
    for name, command in commands.items():
        ours, theirs = tmp_path / f"{name}.trec", tmp_path / f"{name}.barred"
        assert genret(*command, ours, "--format", "trec-run").exit_code == 0
        assert genret(*command, theirs, "--format", "barred-run").exit_code == 0
        assert theirs.read_text().startswith("%barred\nq | p")
        # TREC's lines lower equal scores; the order is the same.
        assert [hit[0] for hit in read_run(theirs)["q"]] == [hit[0] for hit in read_run(ours)["q"]]
    part = ["batch", model, queries, "-o", tmp_path / "parts", "--shard", "0/1"]
    assert genret(*part, "--format", "shoal.formats:Barred").exit_code == 0
    assert hits(tmp_path / "parts") == hits(tmp_path / "batch.trec")
    queries.write_text('{"_id": "a b", "text": "where lies rome"}\n')
    for command in commands.values():
        refused = genret(*command, tmp_path / "none", "--format", "barred-run").exception
        assert "'a b'" in str(refused)
        for wrong in ("piped-corpus", "barred-rum"):
            assert isinstance(genret(*command, tmp_path / "none", "--format", wrong).exception, UsageError)
    assert not (tmp_path / "none").exists()


def test_a_strategy_on_the_command_line(tmp_path: Path, corpus: Path) -> None:
    table, kept = tmp_path / "table", tmp_path / "kept"
    build = ["docid", "build", corpus, "-o", table, "--set", "digits=6", "--keep", kept, "--strategy"]
    assert genret(*build, "hashed").exit_code == 0
    assert len(DocidTable.load(table).docid(0)) == 6
    assert open_strategy(kept).digits == 6
    assert genret(*build, "shoal.strategies:Hashed", "--overwrite").exit_code == 0
    assert isinstance(genret(*build, "hashd", "--overwrite").exception, UsageError)


def test_a_focal_loss_without_focus_is_cross_entropy() -> None:
    backbone = t5()
    table = DocidTable.build(["a", "b"], [[5, 6], [7]])
    batch = collate([Example("rome", (5, 6, 1), "q", 1.0, 0), Example("who", (7, 1), "q", 1.0, 1)], 0)
    losses = [make_loss({"kind": "focal", "gamma": gamma}) for gamma in (0, 2)]
    found, less, plain = (
        float(TrainingModule(backbone, loss.objective(Training(backbone, table)))(batch).total.detach())
        for loss in (*losses, make_loss({}))
    )
    # Sums of five float32 numbers, in another order.
    assert_close(found, plain, ulps=FORWARD)
    assert 0 < less < plain


def test_a_backbone_is_loaded_by_name_and_again_from_what_it_saved(tmp_path: Path) -> None:
    t5().save_pretrained(tmp_path / "t5")
    plain = load_backbone(tmp_path / "t5")
    for name in ("lower", "shoal.backbones:Lowered"):
        backbone = load_backbone(tmp_path / "t5", name, max_source_tokens=7)
        targets = torch.tensor([[5, 1]])
        loud, quiet = (backbone.target_logits(backbone.encode([text]), targets) for text in ("ROME", "rome"))
        assert torch.equal(loud, quiet)
        assert torch.equal(quiet, plain.target_logits(plain.encode(["rome"]), targets))
        assert backbone.source_lengths(["a long text"]) == [7]
    backbone.save_pretrained(tmp_path / "again")
    assert type(load_backbone(tmp_path / "again")).__name__ == "LoweredBackbone"
    with pytest.raises(InputError, match="did you mean 'max_source_tokens'"):
        load_backbone(tmp_path / "t5", "lower", max_source_token=7)


@pytest.mark.parametrize("stored", ["shoal.backbones:Lowered", "lowr"])
def test_a_model_folder_has_nothing_imported(stored: str, tmp_path: Path) -> None:
    t5().save_pretrained(tmp_path / "t5")
    config = json.loads((tmp_path / "t5" / "config.json").read_text())
    config["genret"]["kind"] = stored
    (tmp_path / "t5" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=f"config.json: genret.kind: no kind of backbone is called '{stored}'"
    ):
        load_backbone(tmp_path / "t5")


def test_a_format_is_recognised_converted_and_checked(tmp_path: Path, corpus: Path) -> None:
    passages = list(read_passages(corpus))
    assert genret("convert", corpus, tmp_path / "c.jsonl", "--to", "beir-corpus").exit_code == 0
    assert list(read_passages(tmp_path / "c.jsonl")) == passages
    back = tmp_path / "back.txt.gz"
    assert genret("convert", tmp_path / "c.jsonl", back, "--to", "shoal.formats:Piped").exit_code == 0
    assert list(read_passages(back)) == passages
    corpus.write_text("%piped\na | b\nc | d | e\n")
    assert "line 2: expected id | title | text, found 2 fields" in genret("convert", corpus, "--check").output


def test_a_metric_beside_ours(tmp_path: Path) -> None:
    run = {"a": [("p1", 3.0), ("p2", 2.0), ("p3", 1.0)], "b": [("p1", 1.0)]}
    judged = {"a": {"p1": 1, "p3": 2}, "b": {"p2": 1}, "c": {"p9": 1}}
    found = evaluate(run, judged, ["hit@1", "precision@2", "shoal.metrics:Precision"])
    assert found.values.tolist() == [[1.0, 0.5, 2 / 3], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    write_run(tmp_path / "run", run)
    (tmp_path / "qrels").write_text("a 0 p1 1\na 0 p3 2\n")
    shown = genret("eval", tmp_path / "run", tmp_path / "qrels", "--metric", "precision@2").output
    assert ".500 [" in shown
    for name in ("precison@2", "shoal.metrics:dataclass@2", "precision@0"):
        with pytest.raises(UsageError):
            evaluate(run, judged, [name])
