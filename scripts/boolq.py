"""BoolQ's dev questions: the model of a configuration, over several seeds, beside BM25, dense retrieval and controls.

    python scripts/boolq.py FOLDER [--config configs/boolq.yaml] [--output runs/boolq] [--seeds 0 1 2] [key=value ...]

FOLDER is a BEIR folder with qrels/train.tsv and qrels/dev.tsv. Where it holds minilm_passages.npy (unit vectors, a
row a passage) they are read from there instead of being computed. A seed whose run is in OUTPUT/seed-N already is
not trained again, and one that was interrupted goes on.

With --held-back FRACTION the training questions are split, the dev questions stay unread, and the held-back part is
reported: for choosing settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from genret.config import load_config
from genret.corpus import (
    Judgements,
    PassageStore,
    Query,
    Run,
    read_judgements,
    read_passages,
    read_queries,
    read_run,
    write_judgements,
    write_run,
)
from genret.evaluation import (
    Evaluation,
    compare,
    evaluate,
    holm,
    mean_of_runs,
    near_copies,
    result_table,
    same_page,
    seen_queries,
    widened,
)
from genret.jobs.progress import format_duration
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import Baselines, labelled_rows
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import search_run
from genret.training.examples.material import split_held_back
from genret.training.loop.training_options import TrainingOptions
from genret.vectors.embedding import passage_vectors

VECTORS = "minilm_passages.npy"
DEPTH = 10
MODEL, CONTROL = "generative", "untrained"


class Task(NamedTuple):
    """What is asked and what is right; the texts of all queries by id."""

    passages: PassageStore
    queries: list[Query]
    texts: dict[str, str]
    train: Judgements
    test: Judgements


def main() -> None:
    arguments = _arguments()
    task, stages = _task(arguments), Stages(lambda line: print(line, file=sys.stderr))
    recipes = [_recipe(arguments, task.train, seed) for seed in arguments.seeds]
    models = [_model_run(recipe, task, stages) for recipe in recipes]
    with stages.stage("the control: the same model untrained"):
        control = _kept(Path(recipes[0].output) / f"{CONTROL}.run", lambda: _untrained(recipes[0], task))
    runs = {CONTROL: control, **_baselines(recipes[0], task, stages)}
    print(_report(models, runs, task, arguments.output))
    for stage in stages.finished:
        memory = f"{stage.peak_bytes / 2**30:.1f} GiB"
        print(f"{stage.name}: {format_duration(stage.seconds)}, {memory}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/boolq.yaml"))
    parser.add_argument("--output", type=Path, default=Path("runs/boolq"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--held-back", type=float, default=0.0)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def _task(arguments: argparse.Namespace) -> Task:
    """With --held-back, the dev questions stay unread."""
    folder: Path = arguments.folder
    train = read_judgements(folder / "qrels" / "train.tsv")
    if arguments.held_back:
        kept, held = split_held_back(list(train), arguments.held_back, seed=0)
        train, test = {name: train[name] for name in kept}, {name: train[name] for name in held}
    else:
        test = read_judgements(folder / "qrels" / "dev.tsv")
    every = list(read_queries(folder))
    queries, texts = (
        [query for query in every if query.query_id in test],
        {query.query_id: query.text for query in every},
    )
    return Task(PassageStore.build(read_passages(folder)), queries, texts, train, test)


def _recipe(arguments: argparse.Namespace, train: Judgements, seed: int) -> DocidRecipe:
    folder, output = arguments.folder, arguments.output
    output.mkdir(parents=True, exist_ok=True)
    write_judgements(output / "train.tsv", train)
    given = [
        f"data.corpus={folder}",
        f"data.judgements={output / 'train.tsv'}",
        f"output={output}/seed-{seed}",
    ]
    if not arguments.held_back:
        given.append(f"data.evaluation={folder / 'qrels' / 'dev.tsv'}")
    if (folder / VECTORS).is_file():
        given.append(f"data.passage_vectors={folder / VECTORS}")
    return load_config(DocidRecipe, arguments.config, [*given, *arguments.overrides]).with_seed(seed)


def _model_run(recipe: DocidRecipe, task: Task, stages: Stages) -> Run:
    output = Path(recipe.output)

    def make() -> Run:
        trained = run_recipe(recipe, resume=output.exists())
        trained.retriever().save_pretrained(output / "model", overwrite=True)
        retriever = GenerativeRetriever.from_pretrained(output / "model")
        return search_run(retriever, task.queries, DEPTH)

    with stages.stage(f"train and search, seed {recipe.seed}"):
        return _kept(output / f"{MODEL}.run", make)


def _kept(path: Path, make: Callable[[], Run]) -> Run:
    """The run in a file, which is written if it is not there."""
    if not path.is_file():
        run = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_run(path, run)
    return read_run(path)


def _untrained(recipe: DocidRecipe, task: Task) -> Run:
    """What the decoder starts from, before any training."""
    teacher = replace(recipe.teacher, query_map_steps=0)
    still = TrainingOptions(max_steps=0)
    output = f"{recipe.output}/untrained"
    control = replace(recipe, output=output, teacher=teacher, codebook=still, training=None)
    return search_run(run_recipe(control).retriever(), task.queries, DEPTH)


def _baselines(recipe: DocidRecipe, task: Task, stages: Stages) -> dict[str, Run]:
    encoder = SentenceEncoder.load(recipe.model.name)
    vectors = passage_vectors(recipe.data.passage_vectors, task.passages, encoder)
    labelled = labelled_rows(task.train, task.texts, task.passages.passage_ids)
    return Baselines(task.passages, vectors, encoder, labelled).ask(task.queries, DEPTH, stages)


def _report(models: list[Run], runs: Mapping[str, Run], task: Task, output: Path) -> str:
    """Tables for a document; the same numbers go to OUTPUT/results.json."""
    gold = {passage_id for grades in task.test.values() for passage_id in grades}
    levels = {
        "passages": task.test,
        "near-copies of the passage count": widened(task.test, near_copies(task.passages, gold)),
        "any passage of the page counts": widened(task.test, same_page(task.passages)),
    }
    seen = seen_queries(task.test, task.train)
    parts = {"": set(task.test), ", seen": seen, ", unseen": set(task.test) - seen}
    tables, lines = [], []
    for title, judged in levels.items():
        found = [evaluate(run, judged) for run in models]
        systems = {MODEL: mean_of_runs(found), **{name: evaluate(run, judged) for name, run in runs.items()}}
        rows = {name + part: one.part(ids) for name, one in systems.items() for part, ids in parts.items()}
        tables.append(result_table(rows, f"BoolQ, {title}"))
        lines += [tables[-1].markdown(), _pairs(systems)]
        if len(found) > 1:
            by_seed = {f"seed {number}": one for number, one in enumerate(found)}
            tables.append(result_table(by_seed, "each seed"))
            lines.append(tables[-1].markdown())
    content = json.dumps([table.json() for table in tables], indent=1)
    (output / "results.json").write_text(content, encoding="utf-8")
    return "\n".join(lines)


def _pairs(systems: Mapping[str, Evaluation]) -> str:
    """The model against each other system, query by query; p-values corrected for all of them and all metrics."""
    model = systems[MODEL]
    others = [name for name in systems if name != MODEL]
    found = [(name, compare(systems[name], model, metric)) for name in others for metric in model.metrics]
    corrected = holm([one.p_value for _, one in found])
    lines = ["| generative against | metric | difference | p, corrected |", "| --- | --- | ---: | ---: |"]
    for (name, one), p_value in zip(found, corrected, strict=True):
        change = one.difference
        interval = f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        lines.append(f"| {name} | {one.metric} | {interval} | {p_value:.4f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
