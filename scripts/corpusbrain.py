"""CorpusBrain's claim in small: pre-training on a corpus's own pages and links before fine-tuning on few labels.

    python scripts/corpusbrain.py WIKI BOOLQ [--config configs/corpusbrain.yaml] [--output runs/corpusbrain]
        [key=value ...]

WIKI is a BEIR folder with one passage a page and links.jsonl.gz, BOOLQ one with qrels/train.tsv and qrels/dev.tsv.
A decoder of titles on a frozen encoder is pre-trained on the pages of WIKI that BOOLQ has too and on random others,
--pages in all. From there, and from the random start, it is fine-tuned on 0, 100, 1,000 and all train questions; and
from the random start on all of them for as many steps as both together. Dev questions whose page WIKI has are searched
among all titles of BOOLQ, and judged by page, beside BM25.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fm_index.container import atomic_writer
from genret.config import load_config
from genret.corpus import (
    Judgements,
    PassageStore,
    Query,
    Run,
    read_judgements,
    read_passages,
    read_queries,
    write_judgements,
)
from genret.corpus.formats.beir import write_passages
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.records import records
from genret.evaluation import Evaluation, bm25_run, evaluate, result_table
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.docid_recipe import DocidRun, Trained
from genret.recipes.recipe_options import DocidRecipe
from genret.training.examples.material import DataOptions

# Train questions (None: all), and the steps that they are trained for: ten, three and two thirds of a time each.
LABELS = {0: 0, 100: 30, 1000: 80, None: 200}
DEPTH = 10


class Test(NamedTuple):
    """The dev questions that are asked, and their pages' titles."""

    queries: list[Query]
    judgements: Judgements


class Continued(DocidRun):
    """A run whose decoder starts from given weights; None: as ever."""

    weights: Mapping[str, Any] | None = None

    def backbone(self) -> FrozenEncoderBackbone:
        backbone = super().backbone()
        assert isinstance(backbone, FrozenEncoderBackbone)
        backbone.extend_vocabulary([self.recipe.docids.separator or ""])
        if self.weights is not None:
            backbone.model.decoder.load_state_dict(self.weights)
        return backbone


def main() -> None:
    arguments = _arguments()
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    stages = Stages(lambda line: print(line, file=sys.stderr))
    recipe = load_config(
        DocidRecipe, arguments.config, [f"output={output / 'pretrain'}", *arguments.overrides]
    )
    boolq = PassageStore.build(read_passages(arguments.boolq))
    titles = set(boolq.titles)
    write_passages(output / "wiki.jsonl", list(_pages(arguments, titles)))
    pretrained = _trained(_pretraining(recipe, arguments, output), None, stages)
    weights = {name: value.clone() for name, value in pretrained.backbone.model.decoder.state_dict().items()}  # type: ignore[attr-defined]
    known = {passage.title for passage in read_passages(arguments.wiki)}
    test = _test(arguments.boolq, boolq, known)
    rows: dict[str, Evaluation] = {}
    for labels, steps in LABELS.items():
        name = {0: "no labels", None: "all labels"}.get(labels, f"{labels} labels")
        for start, given in (("fine-tuned alone", None), ("pre-trained first", weights)):
            tuned = _tuned(recipe, arguments.boolq, output / f"{start}, {name}", labels, steps)
            rows[f"{start}, {name}"] = _searched(_trained(tuned, given, stages), recipe, test)
            print(result_table(rows).markdown(), flush=True)
    assert recipe.training is not None
    steps = recipe.training.max_steps + LABELS[None]
    longer = _tuned(recipe, arguments.boolq, output / "as long", None, steps)
    rows["fine-tuned alone as long, all labels"] = _searched(_trained(longer, None, stages), recipe, test)
    rows["BM25 (k1 1.2, b 0.75)"] = _by_page(bm25_run(boolq, test.queries, 100), boolq, test)
    print(result_table(rows).markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wiki", type=Path)
    parser.add_argument("boolq", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/corpusbrain.yaml"))
    parser.add_argument("--output", default="runs/corpusbrain")
    parser.add_argument("--pages", type=int, default=2400)
    parser.add_argument("--links", type=int, default=2, help="at most so many to each page")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def _pages(arguments: argparse.Namespace, titles: set[str]) -> Iterator[Any]:
    """The pages that are pre-trained on: those of BoolQ, and random others, in their order."""
    pages = list(read_passages(arguments.wiki))
    shared = np.array([page.title in titles for page in pages])
    others = np.random.default_rng(0).permutation(np.flatnonzero(~shared))
    kept = {*np.flatnonzero(shared).tolist(), *others[: arguments.pages - int(shared.sum())].tolist()}
    return (page for row, page in enumerate(pages) if row in kept)


def _pretraining(recipe: DocidRecipe, arguments: argparse.Namespace, output: Path) -> DocidRecipe:
    links = str(_links(arguments, output))
    sources = {name: {**recipe.sources.get(name, {}), "path": links} for name in recipe.mixture}
    return replace(recipe, data=DataOptions(str(output / "wiki.jsonl")), sources=sources)


def _links(arguments: argparse.Namespace, output: Path) -> Path:
    """The first links to each page that is pre-trained on, `--links` at most, in a file of their own."""
    left = {page.passage_id: arguments.links for page in read_passages(output / "wiki.jsonl")}
    with atomic_writer(output / "links.jsonl") as file:
        for record in records(DataFile(arguments.wiki / "links.jsonl.gz")):
            target = record.identifier("positive")
            if left.get(target):
                left[target] -= 1
                file.write(json.dumps(record.content).encode() + b"\n")
    return output / "links.jsonl"


def _tuned(recipe: DocidRecipe, boolq: Path, output: Path, labels: int | None, steps: int) -> DocidRecipe:
    """Fine-tuning on the first `labels` train questions of a random order (None: all), for `steps` steps."""
    output.mkdir(parents=True, exist_ok=True)
    train = read_judgements(boolq / "qrels" / "train.tsv")
    drawn = np.random.default_rng(recipe.seed).permutation(sorted(train))[:labels].tolist()
    write_judgements(output / "train.tsv", {query_id: train[query_id] for query_id in drawn or [min(train)]})
    data = DataOptions(
        str(boolq),
        judgements=str(output / "train.tsv"),
        evaluation=str(boolq / "qrels" / "dev.tsv"),
    )
    assert recipe.training is not None
    # No step would be no run: one of no length leaves the weights as they are.
    training = replace(recipe.training, max_steps=steps or 1, learning_rate=1e-3 if steps else 1e-12)
    return replace(
        recipe, output=str(output), data=data, mixture={"labelled": 1.0}, sources={}, training=training
    )


def _trained(recipe: DocidRecipe, weights: Mapping[str, Any] | None, stages: Stages) -> Trained:
    run = Continued(recipe, stages=stages)
    run.weights = weights
    return run.trained()


def _test(boolq: Path, passages: PassageStore, known: set[str]) -> Test:
    judged = read_judgements(boolq / "qrels" / "dev.tsv")
    pages = {
        query_id: {passages[passages.row(passage_id)].title: 1 for passage_id in grades}
        for query_id, grades in judged.items()
    }
    kept = {query_id: grades for query_id, grades in pages.items() if known.issuperset(grades)}
    return Test([query for query in read_queries(boolq) if query.query_id in kept], kept)


def _searched(trained: Trained, recipe: DocidRecipe, test: Test) -> Evaluation:
    retriever = trained.retriever()
    ids, run = trained.passages.passage_ids, dict[str, list[tuple[str, float]]]()
    for begin in range(0, len(test.queries), retriever.options.batch_size):
        queries = test.queries[begin : begin + retriever.options.batch_size]
        decoded = retriever.decode([query.text for query in queries], retriever.options.num_beams)
        for query, hypotheses in zip(queries, decoded, strict=True):
            run[query.query_id] = [(ids[one.documents[0]], one.score) for one in hypotheses]
    return _by_page(run, trained.passages, test)


def _by_page(run: Run, passages: PassageStore, test: Test) -> Evaluation:
    """A run over passages as one over pages: each where its first passage is."""
    pages: Run = {}
    for query_id, ranked in run.items():
        first: dict[str, float] = {}
        for passage_id, score in ranked:
            first.setdefault(passages[passages.row(passage_id)].title, score)
        pages[query_id] = list(first.items())[:DEPTH]
    return evaluate(pages, test.judgements)


if __name__ == "__main__":
    main()
