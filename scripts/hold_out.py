"""What adding passages costs: train on nine tenths of a corpus, add the rest by the fitted docid strategy.

    python scripts/hold_out.py FOLDER [--config configs/boolq.yaml] [--output runs/hold_out] [key=value ...]

FOLDER is a BEIR folder with qrels/train.tsv, qrels/dev.tsv and minilm_passages.npy (unit vectors, a row a passage; for
the baselines). A tenth of the passages is kept from everything that learns: codebooks, words' statistics, questions. The
model is searched before and after they were added to it; dev questions on old and on new passages are reported apart, beside
BM25, the dense retriever of the same encoder and the sum of both over the same passages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genret.config import load_config
from genret.corpus import (
    Judgements,
    Passage,
    Query,
    Run,
    read_judgements,
    read_passages,
    read_queries,
    write_judgements,
    write_run,
)
from genret.corpus.formats.beir import write_passages
from genret.evaluation import (
    BM25,
    BM25_TUNED,
    bm25_run,
    evaluate,
    hybrid_run,
    nearest_run,
    result_table,
)
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import search_run
from genret.vectors import embed_texts

VECTORS = "minilm_passages.npy"
DEPTH = 10


class Split(NamedTuple):
    """Passages and their vectors, the new ones last; `old` is how many are old."""

    passages: list[Passage]
    vectors: np.ndarray
    old: int


def main() -> None:
    arguments = _arguments()
    folder, output = arguments.folder, Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    split = _split(folder, arguments.share, arguments.seed)
    recipe = _recipe(arguments, split)
    judged = read_judgements(folder / "qrels" / "dev.tsv")
    queries = [query for query in read_queries(folder) if query.query_id in judged]
    stages = Stages(lambda line: print(line, file=sys.stderr))
    runs = _generative(recipe, split, queries, stages)
    with stages.stage("BM25 and dense"):
        runs |= _baselines(split, queries)
    for name, run in runs.items():
        write_run(output / f"{name.replace(', ', '-')}.run", run)
    _report(runs, judged, {passage.passage_id for passage in split.passages[: split.old]})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/boolq.yaml"))
    parser.add_argument("--output", default="runs/hold_out")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def _split(folder: Path, share: float, seed: int) -> Split:
    passages = list(read_passages(folder))
    order = np.random.default_rng(seed).permutation(len(passages))
    new = round(share * len(passages))
    rows = np.concatenate([np.sort(order[new:]), np.sort(order[:new])])
    vectors = np.load(folder / VECTORS, allow_pickle=False)[rows]
    return Split([passages[row] for row in rows], vectors, len(rows) - new)


def _recipe(arguments: argparse.Namespace, split: Split) -> DocidRecipe:
    """The configuration over the old passages alone, in files of their own."""
    output, old = Path(arguments.output), split.passages[: split.old]
    write_passages(output / "corpus.jsonl", old)
    known = {passage.passage_id for passage in old}
    train = read_judgements(arguments.folder / "qrels" / "train.tsv")
    kept: Judgements = {query_id: grades for query_id, grades in train.items() if known.issuperset(grades)}
    write_judgements(output / "train.tsv", kept, form="beir")
    given = [
        f"output={output}",
        f"data.corpus={output / 'corpus.jsonl'}",
        f"data.queries={arguments.folder}",
        f"data.judgements={output / 'train.tsv'}",
    ]
    return load_config(DocidRecipe, arguments.config, [*given, *arguments.overrides])


def _generative(recipe: DocidRecipe, split: Split, queries: list[Query], stages: Stages) -> dict[str, Run]:
    """The runs of the model over the old passages, and over all after the new ones got their docids."""
    trained = run_recipe(recipe, stages=stages)
    before = trained.retriever()
    with stages.stage("add the new passages"):
        after = before.add(split.passages[split.old :])
    return {
        "generative, before": _search(before, queries, stages),
        "generative, after": _search(after, queries, stages),
    }


def _search(retriever: GenerativeRetriever, queries: list[Query], stages: Stages) -> Run:
    with stages.stage("search"):
        return search_run(retriever, queries, DEPTH)


def _baselines(split: Split, queries: list[Query]) -> dict[str, Run]:
    encoder = SentenceEncoder.load()
    asked = embed_texts(encoder, [query.text for query in queries], cache=default_cache())
    runs = {}
    for when, count in (("before", split.old), ("after", len(split.passages))):
        passages, vectors = split.passages[:count], split.vectors[:count]
        ids = [passage.passage_id for passage in passages]
        runs[f"BM25, {when}"] = bm25_run(passages, queries, DEPTH)
        runs[f"BM25, tuned, {when}"] = bm25_run(passages, queries, DEPTH, BM25_TUNED)
        runs[f"dense, {when}"] = nearest_run(queries, asked, ids, vectors, DEPTH)
        runs[f"hybrid, {when}"] = hybrid_run(queries, asked, vectors, BM25(passages, BM25_TUNED), DEPTH)
    return runs


def _report(runs: dict[str, Run], judged: Judgements, old: set[str]) -> None:
    on_old = {query_id for query_id, grades in judged.items() if old.issuperset(grades)}
    rows = {}
    for name, run in runs.items():
        found = evaluate(run, judged)
        rows[f"{name}: old passages"] = found.part(on_old)
        rows[f"{name}: new passages"] = found.part(set(judged) - on_old)
    print(result_table(rows).markdown())


if __name__ == "__main__":
    main()
