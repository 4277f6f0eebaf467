"""The n-gram route beside `hold_out.py`: a language model as it is, before and after passages are added.

    python scripts/hold_out_ngrams.py FOLDER [--output runs/hold_out] [--questions 60]

OUTPUT is what `hold_out.py` left there: the old passages and the runs of the other systems. A text index learns
nothing, so that adding passages is one more shard. All systems are reported on the same questions, so many on old
and so many on new passages, drawn once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fm_index import FMIndex, ShardedFMIndex
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
    read_run,
)
from genret.evaluation import evaluate, result_table
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.jobs.stages import Stages
from genret.models import Backbone
from genret.recipes.ngram_recipe import load_generator
from genret.recipes.recipe_options import NgramRecipe
from genret.retrieval.ngrams import NgramRetriever

DEPTH = 10
WORDS = "query"


class Asked(NamedTuple):
    """The questions drawn: those on old passages first; `old` is how many they are."""

    queries: list[Query]
    old: int

    def parts(self) -> dict[str, set[str]]:
        ids = [query.query_id for query in self.queries]
        return {"old passages": set(ids[: self.old]), "new passages": set(ids[self.old :])}


def main() -> None:
    arguments = _arguments()
    output = Path(arguments.output)
    old = list(read_passages(output / "corpus.jsonl"))
    known = {passage.passage_id for passage in old}
    new = [passage for passage in read_passages(arguments.folder) if passage.passage_id not in known]
    judged = read_judgements(arguments.folder / "qrels" / "dev.tsv")
    asked = _draw(arguments, judged, known)
    recipe = load_config(NgramRecipe, arguments.config)
    stages = Stages(lambda line: print(line, file=sys.stderr))
    backbone = load_generator(recipe.model)
    with stages.stage("index the old passages"):
        before = _index(old, backbone, output / "old_index")
    with stages.stage("add the new passages"):
        after = _joined(before, _index(new, backbone, output / "new_index"))
    runs: dict[str, Run] = {}
    for when, index in (("before", before), ("after", after)):
        with stages.stage(f"search ({when})"):
            found = _search(NgramRetriever(backbone, index, recipe.retrieval), asked.queries)
        runs |= {f"{name}, {when}": run for name, run in found.items()}
    _report(_runs_of(output, asked) | runs, judged, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/ngrams_smollm2.yaml"))
    parser.add_argument("--output", default="runs/hold_out")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _draw(arguments: argparse.Namespace, judged: Judgements, known: set[str]) -> Asked:
    """So many questions whose passages are all old, and as many of the others."""
    rng = np.random.default_rng(arguments.seed)
    on_old = [query_id for query_id, grades in judged.items() if known.issuperset(grades)]
    on_new = sorted(set(judged) - set(on_old))
    drawn = [
        name
        for group in (on_old, on_new)
        for name in rng.choice(group, arguments.questions, replace=False).tolist()
    ]
    texts = {query.query_id: query for query in read_queries(arguments.folder)}
    return Asked([texts[query_id] for query_id in drawn], arguments.questions)


def _index(passages: list[Passage], backbone: Backbone, folder: Path) -> TextIndex:
    build_text_index(
        PassageStore.build(passages),
        backbone.tokenizer,
        folder,
        layout=Layout.of(backbone.tokenizer),
        overwrite=True,
    )
    return TextIndex.load(folder)


def _joined(before: TextIndex, added: TextIndex) -> TextIndex:
    """One index of two shards."""
    assert isinstance(before.index, FMIndex)
    assert isinstance(added.index, FMIndex)
    return TextIndex(
        ShardedFMIndex([before.index, added.index]),
        PassageStore.build([*before.passages, *added.passages]),
        np.concatenate([before.title_lengths, added.title_lengths]),
        before.meta,
        before.folder,
    )


def _search(retriever: NgramRetriever, queries: list[Query]) -> dict[str, Run]:
    """The run of all keys, and of those alone that the model wrote."""
    size = retriever.options.batch_size
    texts = [query.text for query in queries]
    keys = [
        one
        for begin in range(0, len(texts), size)
        for one in retriever.maker.keys(texts[begin : begin + size])
    ]
    names = retriever.passages.passage_ids
    runs: dict[str, Run] = {}
    for name, chosen in (
        ("n-grams", keys),
        ("n-grams without the question's words", [one.without([WORDS]) for one in keys]),
    ):
        found = retriever.score(chosen, DEPTH)
        runs[name] = {
            query.query_id: [
                (names[row], score) for row, score in zip(one.passages, one.scores.tolist(), strict=True)
            ]
            for query, one in zip(queries, found, strict=True)
        }
    return runs


def _runs_of(output: Path, asked: Asked) -> dict[str, Run]:
    """The other systems' runs, of the drawn questions."""
    runs: dict[str, Run] = {}
    for path in sorted(output.glob("*-*.run")):
        run = read_run(path)
        runs[path.stem.replace("-", ", ")] = {
            query.query_id: run.get(query.query_id, []) for query in asked.queries
        }
    return runs


def _report(runs: dict[str, Run], judged: Judgements, asked: Asked) -> None:
    wanted = {query.query_id: judged[query.query_id] for query in asked.queries}
    rows = {
        f"{name}: {part}": evaluate(run, wanted).part(ids)
        for name, run in runs.items()
        for part, ids in asked.parts().items()
    }
    print(result_table(rows).markdown())


if __name__ == "__main__":
    main()
