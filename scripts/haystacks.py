"""Growing haystacks: one model's questions as passages come to its corpus, beside BM25 and dense retrieval.

    python scripts/haystacks.py MODEL FOLDER ADDED --added-vectors FILE [--output runs/haystacks] [--queries N]

MODEL is a model folder of `scripts/boolq.py` (residual docids, seed 0 to 2), FOLDER the BEIR folder that it was trained
on, with minilm_passages.npy, ADDED a corpus whose passages are added where FOLDER has not their title, FILE a row for
each of them. Nothing is trained: added passages get docids by the model's own quantiser, and words by what was counted of its
own passages. Smaller corpora are the same with passages removed; each keeps the passages of all dev questions.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from docid import DocidTable
from docid.strategies import DocumentFields, Residual
from docid.strategies.residual import Collisions
from genret.corpus import PassageStore, Query, Run, read_run, write_run
from genret.errors import InputError
from genret.evaluation import BM25, BM25_TUNED, bm25_run, evaluate, hybrid_run, nearest_run
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.baseline_runs import DENSE
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import search_run
from genret.study.samples import Union
from genret.study.study_options import Collection
from genret.study.study_report import Cell, StudyReport
from genret.training.linear_index.query_side import mapped
from genret.vectors import embed_texts
from genret.words import Words

VECTORS = "minilm_passages.npy"
MODEL = "generative"
DEPTH = 10


class Haystack(NamedTuple):
    """Everything there is, in one numbering.

    Attributes:
        vectors: a row a passage.
        words: of all passages.
        order: rows in the order in which they join the corpus.
    """

    passages: PassageStore
    table: DocidTable
    vectors: npt.NDArray[np.float16]
    words: Words | None
    order: npt.NDArray[np.int64]
    queries: list[Query]


def main() -> None:
    arguments = _arguments()
    stages = Stages(lambda line: print(line, file=sys.stderr))
    union = Union(_collection(arguments), seed=0)
    model = GenerativeRetriever.from_pretrained(arguments.model)
    with stages.stage("docids of the added passages"):
        haystack = _haystack(model, union, _asked(union, arguments.queries))
    gold, own, every = (len(union.evaluation_passages), len(union.own), len(haystack.order))
    cells = []
    for size in sorted({gold, own, *(size for size in arguments.sizes if size < every), every}):
        for name, run in _runs(model, haystack, size, stages).items():
            arguments.output.mkdir(parents=True, exist_ok=True)
            path = arguments.output / f"{name}-{size}.run"
            write_run(path, run)
            judged = {query.query_id: union.evaluation[query.query_id] for query in haystack.queries}
            cells.append(Cell(name, str(size), size, [evaluate(read_run(path), judged)]))
    report = StudyReport(cells, missing=0)
    report.draw("hit@10", arguments.output / "haystacks.svg")
    print(report.table().markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("added", type=Path)
    parser.add_argument("--added-vectors", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/haystacks"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000])
    parser.add_argument("--queries", type=int, default=None)
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


def _asked(union: Union, count: int | None) -> list[Query]:
    """The dev questions, or so many of them at random."""
    names = list(union.evaluation)
    drawn = np.random.default_rng(0).permutation(len(names))[:count]
    return [Query(names[place], union.queries[names[place]]) for place in sorted(drawn.tolist())]


def _haystack(model: GenerativeRetriever, union: Union, queries: list[Query]) -> Haystack:
    own = len(union.own)
    vectors = union.vectors(np.arange(len(union.passages)))
    strategy = _fitted(model.table, vectors[:own])
    fields = DocumentFields(len(vectors) - own, embeddings=vectors[own:])
    table = strategy.assign_new(model.table, fields)
    words = model.words and model.words.extended(union.passages[own:])
    return Haystack(PassageStore.build(union.passages), table, vectors, words, union.order, queries)


def _fitted(table: DocidTable, vectors: npt.NDArray[np.float16]) -> Residual:
    """The quantiser that gave a table's docids, fitted again: of the vectors, the rule for equal codes and the seed.

    Raises:
        InputError: it gives other docids, so the model was made from other vectors or options.
    """
    levels = len(table.sequence(0))
    codes = len(table.new_tokens) // levels
    kinds: tuple[Collisions, ...] = ("next", "share")
    for seed, collisions in product(range(3), kinds):
        strategy = Residual(levels=levels, codes=codes, collisions=collisions, seed=seed)
        again = strategy.assign(DocumentFields(len(vectors), embeddings=vectors))
        every = range(table.num_documents)
        if again.docids(every) == table.docids(every):
            return strategy
    raise InputError("the model's docids are not those of these vectors, with seeds 0 to 2.")


def _runs(model: GenerativeRetriever, haystack: Haystack, size: int, stages: Stages) -> dict[str, Run]:
    rows = np.sort(haystack.order[:size])
    removed = np.setdiff1d(np.arange(len(haystack.order)), rows)
    passages = [haystack.passages[row] for row in rows.tolist()]
    backbone = model.backbone
    assert isinstance(backbone, FrozenEncoderBackbone)
    texts = [query.text for query in haystack.queries]
    asked = embed_texts(backbone.sentence_encoder, texts, cache=default_cache())
    # Where a decoder starts from codebooks the learned map is its condition; see `start_from_codebooks`.
    learned = backbone.model.decoder.condition.weight.detach().float()
    tuned = mapped(torch.from_numpy(asked.astype("float32")), learned).numpy()
    ids, vectors, queries = (
        [passage.passage_id for passage in passages],
        haystack.vectors[rows],
        haystack.queries,
    )
    with stages.stage(f"{size:,} passages: BM25, dense, hybrid"):
        words = BM25(passages, BM25_TUNED)
        runs = {
            "BM25, tuned": bm25_run(passages, queries, DEPTH, BM25_TUNED),
            DENSE: nearest_run(queries, asked, ids, vectors, DEPTH),
            "hybrid": hybrid_run(queries, asked, vectors, words, DEPTH),
            "hybrid, fine-tuned": hybrid_run(queries, tuned, vectors, words, DEPTH),
        }
    with stages.stage(f"{size:,} passages: {MODEL}"):
        table = haystack.table.without(removed)
        retriever = GenerativeRetriever(
            backbone, table, haystack.passages, words=haystack.words, options=model.options
        )
        runs[MODEL] = search_run(retriever, queries, DEPTH)
    return runs


if __name__ == "__main__":
    main()
