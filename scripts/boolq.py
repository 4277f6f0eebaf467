"""Train on BoolQ and report its dev questions beside BM25 and the dense retriever of the same encoder.

    python scripts/boolq.py FOLDER [--config configs/boolq.yaml] [--output runs/boolq] [key=value ...]

FOLDER is a BEIR folder with qrels/train.tsv and qrels/dev.tsv. Where it holds minilm_passages.npy (unit vectors, a
row a passage) they are read from there instead of being computed. With --held-back FRACTION the training questions
are split, the dev questions stay unread, and the held-back part is reported: for choosing settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from genret.config import load_config
from genret.corpus import Judgements, Query, Run, read_judgements, read_queries, write_run
from genret.evaluation import Evaluation, bm25_run, evaluate, nearest_rows, result_table, seen_queries
from genret.models.sentence_encoder import SentenceEncoder
from genret.progress import format_duration
from genret.retriever import GenerativeRetriever, SearchSettings
from genret.stages import Stages
from genret.training.data import split_held_back
from genret.training.options import TrainingOptions
from genret.training.recipe import Trained, passage_vectors, run_recipe
from genret.training.recipe_options import Recipe

VECTORS = "minilm_passages.npy"
DEPTH = 100


def main() -> None:
    arguments = _arguments()
    recipe = _recipe(arguments)
    stages = Stages(lambda line: print(line, file=sys.stderr))
    train, test = _judgements(arguments, recipe)
    texts = {query.query_id: query.text for query in read_queries(arguments.folder)}
    queries = [Query(query_id, texts[query_id]) for query_id in test]
    with stages.stage("train"):
        trained = run_recipe(recipe)
    with stages.stage("save, load and search"):
        retriever = _retriever(trained, recipe)
        retriever.save_pretrained(Path(recipe.output) / "model", overwrite=True)
        retriever = GenerativeRetriever.from_pretrained(Path(recipe.output) / "model")
        runs = {"generative": _search(retriever, queries)}
    with stages.stage("the control: the same model untrained"):
        runs["untrained"] = _search(_retriever(run_recipe(_untrained(recipe)), recipe), queries)
    with stages.stage("BM25"):
        runs["BM25"] = bm25_run(trained.passages, queries, DEPTH)
    with stages.stage("dense"):
        runs["dense"] = _dense(trained, recipe, queries)
    _report(runs, test, train, Path(recipe.output), stages)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/boolq.yaml"))
    parser.add_argument("--output", default=None)
    parser.add_argument("--held-back", type=float, default=0.0)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def _recipe(arguments: argparse.Namespace) -> Recipe:
    folder: Path = arguments.folder
    given = [f"data.corpus={folder}", f"data.judgements={folder / 'qrels' / 'train.tsv'}"]
    if not arguments.held_back:
        given.append(f"data.evaluation={folder / 'qrels' / 'dev.tsv'}")
    if (folder / VECTORS).is_file():
        given.append(f"data.passage_vectors={folder / VECTORS}")
    if arguments.output is not None:
        given.append(f"output={arguments.output}")
    given.append(f"data.held_back={arguments.held_back}")
    return load_config(Recipe, arguments.config, [*given, *arguments.overrides])


def _judgements(arguments: argparse.Namespace, recipe: Recipe) -> tuple[Judgements, Judgements]:
    """What is trained on, and what is reported."""
    train = read_judgements(arguments.folder / "qrels" / "train.tsv")
    if not arguments.held_back:
        return train, read_judgements(arguments.folder / "qrels" / "dev.tsv")
    kept, held = split_held_back(list(train), arguments.held_back, recipe.seed)
    return {name: train[name] for name in kept}, {name: train[name] for name in held}


def _retriever(trained: Trained, recipe: Recipe) -> GenerativeRetriever:
    settings = SearchSettings(num_beams=recipe.search.num_beams, score=recipe.search.score)
    return GenerativeRetriever(trained.backbone, trained.table, trained.passages, settings=settings)


def _untrained(recipe: Recipe) -> Recipe:
    """The same recipe with one step of no length: what the decoder starts from, before any training."""
    still = TrainingOptions(max_steps=1, learning_rate=1e-12, batch_size=1)
    teacher = replace(recipe.teacher, query_map_steps=0, network_steps=0)
    output = f"{recipe.output}/untrained"
    return replace(recipe, output=output, teacher=teacher, codebook=still, training=None)


def _search(retriever: GenerativeRetriever, queries: list[Query]) -> Run:
    hits = retriever.batch_search([query.text for query in queries], 10)
    return {
        query.query_id: [(hit.passage_id, hit.score) for hit in found]
        for query, found in zip(queries, hits, strict=True)
    }


def _dense(trained: Trained, recipe: Recipe, queries: list[Query]) -> Run:
    encoder = SentenceEncoder.load(recipe.model.name)
    vectors = passage_vectors(recipe, trained.passages, encoder)
    rows, scores = nearest_rows(encoder.embed([query.text for query in queries]), vectors, DEPTH)
    ids = np.asarray(trained.passages.passage_ids)
    return {
        query.query_id: list(zip(ids[row].tolist(), score.tolist(), strict=True))
        for query, row, score in zip(queries, rows, scores, strict=True)
    }


def _report(runs: dict[str, Run], test: Judgements, train: Judgements, output: Path, stages: Stages) -> None:
    seen = seen_queries(test, train)
    rows: dict[str, Evaluation] = {}
    for name, run in runs.items():
        write_run(output / f"{name}.run", run)
        found = evaluate(run, test)
        rows[name] = found
        rows[f"{name}, seen passages"] = found.part(seen)
        rows[f"{name}, unseen passages"] = found.part(set(test) - seen)
    table = result_table(rows, "BoolQ")
    (output / "results.json").write_text(json.dumps(table.json(), indent=1), encoding="utf-8")
    print(table.markdown())
    for stage in stages.finished:
        memory = f"{stage.peak_bytes / 2**30:.1f} GiB"
        print(f"{stage.name}: {format_duration(stage.seconds)}, {memory}", file=sys.stderr)


if __name__ == "__main__":
    main()
