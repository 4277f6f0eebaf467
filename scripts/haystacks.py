"""Growing haystacks: what strangers in the corpus cost a model, with labels and without, beside its baselines.

    python scripts/haystacks.py FOLDER ADDED --added-vectors FILE [--config configs/boolq.yaml] [--output runs/haystacks]

FOLDER is a BEIR folder with qrels/train.tsv, qrels/dev.tsv and minilm_passages.npy, ADDED a corpus whose passages are
added where FOLDER has not their title, FILE a row for each of them. At each size the configuration is fitted to the
whole corpus; strangers have no labels. Smaller corpora are the same with passages left out; each keeps the passages of
all dev questions.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genret.config import load_config
from genret.corpus import Judgements, Passage, PassageStore, Query, Run, read_run, write_run
from genret.evaluation import evaluate
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import Baselines, labelled_rows
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.recipes.steps import Held
from genret.retrieval.retriever import search_run
from genret.study.samples import Union
from genret.study.study_options import Collection
from genret.study.study_report import Cell, StudyReport

VECTORS = "minilm_passages.npy"
DEPTH = 10


def main() -> None:
    arguments = _arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    stages = Stages(lambda line: print(line, file=sys.stderr))
    union, encoder = Union(_collection(arguments), seed=0), SentenceEncoder.load()
    queries = [Query(name, union.queries[name]) for name in union.evaluation]
    cells = []
    gold, own, every = len(union.evaluation_passages), len(union.own), len(union.order)
    for size in sorted({gold, own, *(size for size in arguments.sizes if size < every), every}):
        for name, run in _runs(arguments, union, queries, size, encoder, stages).items():
            path = arguments.output / f"{name.replace(', ', '-')}-{size}.run"
            write_run(path, run)
            cells.append(Cell(name, str(size), size, [evaluate(read_run(path), union.evaluation)]))
        print(StudyReport(cells, missing=0).table().markdown(), flush=True)
    StudyReport(cells, missing=0).draw("hit@10", arguments.output / "haystacks.svg")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("added", type=Path)
    parser.add_argument("--added-vectors", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/boolq.yaml"))
    parser.add_argument("--output", type=Path, default=Path("runs/haystacks"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000])
    return parser.parse_args()


def _collection(arguments: argparse.Namespace) -> Collection:
    folder: Path = arguments.folder
    return Collection(
        corpus=str(folder),
        judgements=str(folder / "qrels" / "train.tsv"),
        evaluation=str(folder / "qrels" / "dev.tsv"),
        vectors=str(folder / VECTORS),
        added=str(arguments.added),
        added_vectors=str(arguments.added_vectors),
    )


def _runs(
    arguments: argparse.Namespace,
    union: Union,
    queries: list[Query],
    size: int,
    encoder: SentenceEncoder,
    stages: Stages,
) -> dict[str, Run]:
    rows = np.sort(union.order[:size])
    passages, vectors = [union.passages[row] for row in rows.tolist()], union.vectors(rows)
    with stages.stage(f"{size:,} passages: the model"):
        recipe, held = _recipe(arguments, union, passages, vectors, encoder)
        runs = {"words and codes": search_run(run_recipe(recipe, held=held).retriever(), queries, DEPTH)}
    with stages.stage(f"{size:,} passages: without labels"):
        unlabelled = replace(recipe, teacher=replace(recipe.teacher, query_map_steps=0))
        plain = run_recipe(unlabelled, held=held).retriever()
        runs["words and codes, no labels"] = search_run(plain, queries, DEPTH)
    labelled = labelled_rows(union.train, union.queries, [passage.passage_id for passage in passages])
    return runs | Baselines(passages, vectors, encoder, labelled).ask(queries, DEPTH, stages)


def _recipe(
    arguments: argparse.Namespace,
    union: Union,
    passages: list[Passage],
    vectors: npt.NDArray[np.float16],
    encoder: SentenceEncoder,
) -> tuple[DocidRecipe, Held]:
    """The configuration over these passages, and the training questions that ask for one of them."""
    np.save(arguments.output / VECTORS, vectors)
    store = PassageStore.build(passages)
    known = set(store.passage_ids)
    train: Judgements = {name: grades for name, grades in union.train.items() if known.issuperset(grades)}
    given = [
        f"output={arguments.output / 'fit'}",
        f"data.corpus={arguments.folder}",
        f"data.judgements={arguments.folder / 'qrels' / 'train.tsv'}",
        f"data.passage_vectors={arguments.output / VECTORS}",
    ]
    asked = {name: union.queries[name] for name in train}
    return load_config(DocidRecipe, arguments.config, given), Held(store, asked, train, encoder)


if __name__ == "__main__":
    main()
