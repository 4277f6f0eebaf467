"""CorpusBrain's claim in small: pre-training on a corpus's own pages and links before fine-tuning on labels.

    python scripts/corpusbrain.py WIKI BOOLQ [--config configs/corpusbrain.yaml] [--output runs/corpusbrain] [--resume]
        [key=value ...]

WIKI is a BEIR folder with one passage a page and links.jsonl.gz, BOOLQ one with qrels/train.tsv and qrels/dev.tsv.
A decoder of titles on a frozen encoder is pre-trained on all pages of WIKI. From there it is fine-tuned on train questions
of BOOLQ, the pre-training's sources kept in the mixture; rate and share of labels are chosen on the questions of every tenth
page, which are held back meanwhile. Dev questions whose page WIKI has are searched among all titles of BOOLQ, once, and
judged by page, beside BM25. --resume goes on with a pre-training that was cut short; with training.max_seconds at what it
has had, it is taken as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from docid import DocidTable
from fm_index.container import atomic_writer
from genret.config import load_config
from genret.corpus import (
    Judgements,
    Passage,
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
from genret.docids.make import make_docids
from genret.evaluation import Evaluation, bm25_run, evaluate, result_table
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.docid_recipe import DocidRun
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.docids import GenerativeRetriever
from genret.tokenizer.plain_text import text_ids
from genret.training.examples.example import Examples
from genret.training.examples.material import DataOptions

DEPTH = 10
# Every so manieth page of the train questions is held back for choosing.
HELD_BACK = 10
KEPT = "labelled-kept"
# Learning rate, and the labels' share of the mixture; the rest are the pre-training's sources as they were.
SETTINGS = ((1e-3, 1.0), (1e-3, 0.5), (1e-3, 0.25), (3e-4, 0.5))
TUNING_STEPS = 300


class Test(NamedTuple):
    """Questions that are asked, and their pages' titles."""

    queries: list[Query]
    judgements: Judgements


class Titles(DocidRun):
    """One decoder of titles that is trained several times, from weights that are given, on what was opened once."""

    decoder: FrozenEncoderBackbone
    table: DocidTable
    opened: Mapping[str, Examples]

    def open(self) -> None:
        """The model, the titles and every source of the recipe's mixture."""
        backbone = self.backbone()
        assert isinstance(backbone, FrozenEncoderBackbone)
        self.decoder, self.table = backbone, self.bound_table(backbone)
        self.opened = self.docid_examples(self.table, backbone)

    def without(self, held: Test) -> None:
        """A source of its own: the labels without the questions `held`."""
        labels, texts = self.opened["labelled"], {query.text for query in held.queries}
        kept = [pair for pair in labels.pairs if pair.text not in texts]
        self.opened = {**self.opened, KEPT: Examples(kept, KEPT, labels.targets)}

    def train_on(self, recipe: DocidRecipe, weights: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """The weights that a training ends with; `weights` are those it begins with, None: as the model is."""
        assert recipe.training is not None
        self.recipe, self.folder = recipe, Path(recipe.output)
        if weights is not None:
            self.decoder.model.decoder.load_state_dict(weights)
        sources = {name: self.opened[name] for name in recipe.mixture}
        self._decoder(recipe.training, self.decoder, self.table, sources, None)
        found: dict[str, Any] = self.decoder.model.decoder.state_dict()
        return {name: value.clone() for name, value in found.items()}

    def searched(self, weights: Mapping[str, Tensor], passages: PassageStore, test: Test) -> Evaluation:
        """The questions searched among the titles of `passages`, by page."""
        self.decoder.model.decoder.load_state_dict(weights)
        self.decoder.eval()
        tokenize = partial(text_ids, self.decoder.tokenizer)
        unbound = make_docids(self.recipe.docids.make(), passages, list, tokenize)
        table = unbound.bind(self.decoder.extend_vocabulary(unbound.new_tokens))
        options = self.recipe.searched
        retriever = GenerativeRetriever(self.decoder, table, passages, options=options)
        ids, run = passages.passage_ids, dict[str, list[tuple[str, float]]]()
        for begin in range(0, len(test.queries), options.batch_size):
            queries = test.queries[begin : begin + options.batch_size]
            decoded = retriever.decode([query.text for query in queries], options.num_beams)
            for query, hypotheses in zip(queries, decoded, strict=True):
                run[query.query_id] = [(ids[one.documents[0]], one.score) for one in hypotheses]
        return _by_page(run, passages, test)


def main() -> None:
    arguments = _arguments()
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    boolq = PassageStore.build(read_passages(arguments.boolq))
    known = _write_pages(arguments.wiki, arguments.boolq, boolq, output)
    overrides = [f"output={output / 'pretrain'}", *arguments.overrides]
    recipe = _pretraining(load_config(DocidRecipe, arguments.config, overrides), arguments)
    everything = replace(recipe, mixture={**recipe.mixture, "labelled": 1.0})
    run = Titles(everything, stages=Stages(_say), resume=arguments.resume)
    run.open()
    weights = run.train_on(recipe, None)
    run.resume = False
    rate, share = _chosen(run, recipe, weights, boolq, known)
    test = _test(arguments.boolq, output, boolq, "dev", known)
    rows = {"pre-trained, no labels": run.searched(weights, boolq, test)}
    for name, labels in (("labels alone", 1.0), ("labels and pages", share)):
        tuned = _tuning(recipe, output / name, "labelled", rate, labels)
        rows[f"then {name}"] = run.searched(run.train_on(tuned, weights), boolq, test)
        _say(result_table(rows).markdown())
    rows["BM25 (k1 1.2, b 0.75)"] = _by_page(bm25_run(boolq, test.queries, 100), boolq, test)
    print(result_table(rows).markdown())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wiki", type=Path)
    parser.add_argument("boolq", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/corpusbrain.yaml"))
    parser.add_argument("--output", default="runs/corpusbrain")
    parser.add_argument("--links", type=int, default=3, help="at most so many to each page")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write_pages(wiki: Path, folder: Path, boolq: PassageStore, output: Path) -> set[str]:
    """The corpus that is trained on, its judgements, and files of titles; returns WIKI's titles.

    It has WIKI's pages, then a page without text for every other title of BOOLQ, so that its labels have a target.
    """
    pages = list(read_passages(wiki))
    known = {page.title for page in pages}
    asked = dict.fromkeys(boolq.titles)
    pages += [Passage(f"no page: {title}", title, "") for title in asked if title not in known]
    write_passages(output / "pages.jsonl", pages)
    ids = {page.title: page.passage_id for page in pages}
    for split in ("train", "dev"):
        judged = _titles_of(folder, boolq, split)
        by_id = {query_id: {ids[title]: 1 for title in titles} for query_id, titles in judged.items()}
        write_judgements(output / f"{split}.tsv", by_id)
    for name, titles in (("known", known), ("asked", known.intersection(asked))):
        (output / f"{name}.txt").write_text("\n".join(sorted(titles)) + "\n", encoding="utf-8")
    return known


def _titles_of(folder: Path, boolq: PassageStore, split: str) -> Judgements:
    judged = read_judgements(folder / "qrels" / f"{split}.tsv")
    return {
        query_id: {boolq[boolq.row(passage_id)].title: 1 for passage_id in grades}
        for query_id, grades in judged.items()
    }


def _pretraining(recipe: DocidRecipe, arguments: argparse.Namespace) -> DocidRecipe:
    """The recipe over all pages of WIKI, with the files that its sources read, and the labels that are used later."""
    output = Path(arguments.output)
    links = str(_links(arguments, output))
    sources = {}
    for name in recipe.mixture:
        titles = "asked.txt" if name.endswith("-asked") else "known.txt"
        sources[name] = {**recipe.sources.get(name, {}), "path": links, "titles": str(output / titles)}
    data = DataOptions(
        str(output / "pages.jsonl"),
        queries=str(arguments.boolq),
        judgements=str(output / "train.tsv"),
        evaluation=str(output / "dev.tsv"),
    )
    return replace(recipe, data=data, sources=sources)


def _links(arguments: argparse.Namespace, output: Path) -> Path:
    """The first links to each page, `--links` at most, in a file of their own."""
    left: dict[str, int] = {}
    with atomic_writer(output / "links.jsonl") as file:
        for record in records(DataFile(arguments.wiki / "links.jsonl.gz")):
            target = record.identifier("positive")
            left[target] = left.get(target, arguments.links) - 1
            if left[target] >= 0:
                file.write(json.dumps(record.content).encode() + b"\n")
    return output / "links.jsonl"


def _tuning(recipe: DocidRecipe, output: Path, labels: str, rate: float, share: float) -> DocidRecipe:
    """Fine-tuning with this share of the source `labels`, the pre-training's sources being the rest."""
    assert recipe.training is not None
    total = sum(recipe.mixture.values())
    pages = {name: ratio / total * (1 - share) for name, ratio in recipe.mixture.items() if share < 1}
    training = replace(
        recipe.training, max_steps=TUNING_STEPS, max_seconds=None, learning_rate=rate, save_steps=0
    )
    mixture = {labels: share, **pages}
    sources = {labels: {"kind": "labelled"}, **{name: recipe.sources[name] for name in pages}}
    return replace(recipe, output=str(output), mixture=mixture, sources=sources, training=training)


def _chosen(
    run: Titles, recipe: DocidRecipe, weights: Mapping[str, Tensor], boolq: PassageStore, known: set[str]
) -> tuple[float, float]:
    """The rate and the share of labels, below 1, that do best on train questions held back by page."""
    output = Path(recipe.output).parent
    folder = Path(recipe.data.queries or "")
    held = _test(folder, output, boolq, "train", known)
    run.without(held)
    rows = {"pre-trained": run.searched(weights, boolq, held)}
    found = {}
    for rate, share in SETTINGS:
        tuned = _tuning(recipe, output / f"rate {rate}, labels {share}", KEPT, rate, share)
        rows[f"rate {rate}, labels {share}"] = run.searched(run.train_on(tuned, weights), boolq, held)
        found[rate, share] = rows[f"rate {rate}, labels {share}"].mean("MRR@10")
        _say(f"held back:\n{result_table(rows).markdown()}")
    return max((setting for setting in SETTINGS if setting[1] < 1), key=found.__getitem__)


def _test(folder: Path, output: Path, boolq: PassageStore, split: str, known: set[str]) -> Test:
    """The questions of a split whose pages WIKI has; of train questions those of every tenth page."""
    judged = _titles_of(folder, boolq, split)
    kept = {query_id: titles for query_id, titles in judged.items() if known.issuperset(titles)}
    if split == "train":
        pages = sorted({title for titles in kept.values() for title in titles})[::HELD_BACK]
        kept = {query_id: titles for query_id, titles in kept.items() if not titles.keys().isdisjoint(pages)}
    return Test([query for query in read_queries(folder) if query.query_id in kept], kept)


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
