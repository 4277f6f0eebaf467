"""Checkpoints, training data and the parts of long jobs, as small as they can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sample_kinds
import torch
from docid_samples import described, spell, table
from model_samples import backbone
from sample_kinds import PASSAGES, QUERIES, strings_of

from genret.batch import BatchOptions, Output, batch_run, make_plan
from genret.corpus import PassageStore, Question, read_judgements, read_passages, read_queries
from genret.jobs.job import Here
from genret.jobs.shards import Shard
from genret.queries.parts import Sources, TextJob
from genret.queries.sampler import Sampling
from genret.study import Collection, Size, Study
from genret.study.samples import Union, ensure_sample, sample_paths
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.examples.packed import PackedExamples
from genret.training.examples.preparation import Readings, prepare_examples
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import TrainingOptions
from genret.vectors import read_vectors


def trainer(folder: Path) -> Trainer:
    options = TrainingOptions(max_steps=4, batch_size=4, save_steps=2, learning_rate=1e-2)
    model = backbone()
    torch.manual_seed(3)  # dropout: a run that begins anew is the same run
    sources = {"index": [Example(f"text {n}", (70 + n, 1), "index", 1.0, n) for n in range(8)]}
    feed = ExampleFeed(sources, {"index": 1.0}, options, pad_token_id=0)
    return Trainer(
        TorchEngine(TrainingModule(model, CrossEntropy()), options.optimizer), feed, options, folder=folder
    )


def make_checkpoint(folder: Path) -> None:
    trainer(folder).train({"kind": "provenance"})


def checkpoint_answer(folder: Path) -> object:
    """Resumed at its end: every parameter, the optimizer's state, and how far the run is."""
    run = trainer(folder)
    result = run.train({"kind": "provenance"}, resume=True)
    state = torch.cat([parameter.detach().reshape(-1) for parameter in run.engine.module.parameters()])
    return [result.steps, [round(value, 3) for value in state[::37].tolist()]]


def make_packed(folder: Path) -> None:
    rng = np.random.default_rng(2 if sample_kinds.variant == "good" else 3)
    sources = {
        name: [
            Example("x" * int(rng.integers(1, 9)), (7, row, 1), name, 1.0, row % 4 - 1)
            for row in range(count)
        ]
        for name, count in (("titles", 5), ("questions", 7))
    }
    prepare_examples(partial(Readings, sources, spell, table()), folder, {"tokenizer": "x"}, shard_examples=3)


def packed_answer(folder: Path) -> object:
    packed = PackedExamples.load(folder)
    found = [
        [part.tolist() if isinstance(part, np.ndarray) else part for part in packed.example(name, row)]
        for name, size in packed.sizes.items()
        for row in range(size)
    ]
    return [found, described(packed.table), packed.meta["tokenizer"]]


def study(folder: Path) -> Study:
    names = {"corpus": "corpus", "judgements": "corpus/train.tsv", "evaluation": "corpus/dev.tsv"}
    collection = Collection(**names, vectors="corpus/vectors.npy")
    return Study(str(folder), "recipe.yaml", collection, {"small": Size(4)}, {"labelled": {}})


class Everything(Union):
    """A collection in memory, so that a sample can be written anywhere."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, 0)
        self.own = PASSAGES  # type: ignore[misc]
        self.queries = {"q1": QUERIES[0], "q2": QUERIES[1]}  # type: ignore[misc]
        self.train = {"q1": {"seine": 1}}  # type: ignore[misc]
        self.evaluation = {"q2": {"last": 1}}  # type: ignore[misc]

    def vectors(self, rows: Any) -> Any:
        return np.arange(16, dtype=np.float32).reshape(4, 4)[rows]


def make_sample(folder: Path) -> None:
    ensure_sample(study(folder), "small", Everything(study(folder).collection))


def sample_answer(folder: Path) -> object:
    settings = study(folder)
    paths = ensure_sample(settings, "small", Everything(settings.collection))
    assert paths == sample_paths(settings, "small")
    judged = [read_judgements(path) for path in (paths.train, paths.evaluation)]
    rows = strings_of(read_passages(paths.folder))
    asked = [list(query) for query in read_queries(paths.folder)]
    return [rows, asked, judged, read_vectors(paths.vectors).tolist(), paths.num_passages()]


class Echo:
    """Finds the query's own words."""

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Any = None,
        where: str | None = None,
    ) -> Any:
        for query in queries:
            yield [_EchoHit(word, 1.0 / (place + 1), "d") for place, word in enumerate(query.split()[:k])]


class _EchoHit(NamedTuple):
    passage_id: str
    score: float
    docid: str


def _batch(folder: Path, shard: Shard) -> Output:
    output = Output(folder / "found")
    asked = [Question(f"q{n}", f"{QUERIES[n % 2]} {n}", ["a"] * (n % 2)) for n in range(5)]
    plan = make_plan(asked, BatchOptions(k=3, chunk=2), "model")

    def no_passages() -> PassageStore:
        raise AssertionError("nothing asked for texts")

    batch_run(Echo, lambda: asked, no_passages, output, plan, Here(shard), resume=True)  # type: ignore[arg-type]
    return output


def make_batch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _batch(folder, Shard(0, 2))


def batch_answer(folder: Path) -> object:
    """The other shard's work, the merged output, and its plan."""
    if not (folder / "found").exists():
        output = _batch(folder, Shard(1, 2))
        if output.parts.exists():
            output.finish(lambda: PassageStore.build([]))
    lines = (folder / "found").read_text(encoding="utf-8").splitlines()
    return list(map(json.loads, lines))


class _Job(TextJob):
    result, id_field, doing, unit = "texts.jsonl", "passage_id", "writing", "passages"


def _text_job(folder: Path) -> _Job:
    plan = {"model": "none"}
    sources = Sources(["a", "b", "c"], ["x", "y", "z"])
    return _Job(folder, lambda: sources, plan, sampling=Sampling(), part_size=2, seed=1)


def make_text_job(folder: Path) -> None:
    job = _text_job(folder)
    for part in job.missing:
        texts = [{"passage_id": job.ids[row], "text": f"query {row}"} for row in job.ledger.parts.rows(part)]
        job.ledger.write(part, "".join(json.dumps(one) + "\n" for one in texts).encode())


def text_job_answer(folder: Path) -> object:
    return list(map(list, _text_job(folder).texts()))
