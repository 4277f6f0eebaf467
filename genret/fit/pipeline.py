"""The stages of a fit, one after the other, inside the budget.

Knows the order and what each stage hands to the next; each stage's work is done by the library.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from docid import DocidTable
from docid.strategies import DocumentFields, Semantic
from genret.errors import InputError
from genret.evaluation import default_cache, embed_texts
from genret.fit.data import FitData, read_data
from genret.fit.plan import Plan, make_plan
from genret.fit.report import FitReport
from genret.fit.settings import FitSettings
from genret.fit.systems import Comparison, compare_systems
from genret.models.frozen_encoder import FrozenEncoderBackbone
from genret.models.sentence_encoder import SentenceEncoder
from genret.retriever import GenerativeRetriever, SearchSettings
from genret.stages import Stages
from genret.training.batch import CrossEntropy, TrainingModule
from genret.training.engine import TorchEngine
from genret.training.examples import (
    Example,
    indexing_examples,
    retrieval_examples,
    sentence_examples,
    span_examples,
)
from genret.training.state_cache import StateCache
from genret.training.trainer import METRICS, Trainer, TrainingOptions

__all__ = ["fit"]

SOURCE_TOKENS = 64
MEMORY_TOKENS = 48
CHECKPOINT_EVERY = 500
# What an example of each source is worth seeing: queries most, since they are what a search is like.
RATIOS = {"queries": 0.5, "sentences": 0.3, "spans": 0.2, "passages": 0.1}

HalfArray = npt.NDArray[np.float16]


def fit(settings: FitSettings, announce: Callable[[str], None] = lambda line: None) -> FitReport:
    """Train a model that is the index of a corpus, test it beside its baselines, and write its folder.

    A fit that was interrupted goes on where it stopped when it is called again with the same settings.

    Args:
        settings: inputs and limits.
        announce: receives the plan before work begins, and a line for each stage.

    Raises:
        InputError: the inputs cannot be used, or the output exists.
        UsageError: the budget is too short for this corpus.
    """
    if settings.output.exists() and not settings.overwrite:
        raise InputError(f"{settings.output} exists already; choose another name, or pass --overwrite.")
    stages = Stages(announce)
    with stages.stage("read the corpus"):
        data = read_data(settings)
    with stages.stage("load the encoder and measure it"):
        encoder = SentenceEncoder.load(settings.encoder)
        plan = make_plan(data, encoder, settings.budget_seconds)
    lines = plan.lines(data)
    for line in lines:
        announce(line)
    work = _work_folder(settings, data, encoder)
    fitting = _Fitting(settings, data, encoder, plan, stages, work)
    comparison, steps = fitting.run()
    shutil.rmtree(work)
    return FitReport(settings.output, lines, stages.finished, data.test_name, comparison, steps)


@dataclass(frozen=True)
class _Fitting:
    """The stages after planning; `work` holds what an interrupted fit goes on from."""

    settings: FitSettings
    data: FitData
    encoder: SentenceEncoder
    plan: Plan
    stages: Stages
    work: Path

    def run(self) -> tuple[Comparison, int]:
        """Encode, make docids, train, save, load, test."""
        data, stage = self.data, self.stages.stage
        with stage("encode the passages"):
            texts = [passage.full_text for passage in data.passages]
            vectors = embed_texts(self.encoder, texts, cache=default_cache(), description="encoding")
        with stage("cluster them into docids"):
            backbone, table = self._new_model(vectors)
        with stage("encode what is trained on"):
            sources = self._sources(backbone, table)
            texts = [example.source for examples in sources.values() for example in examples]
            states = StateCache.build(
                self.work / "states", self.encoder, texts, max_length=SOURCE_TOKENS, keep=MEMORY_TOKENS
            )
        with stage("train the decoder"):
            steps = self._train(backbone, sources, states)
        with stage("save, and load again"):
            search = SearchSettings(num_beams=self.settings.num_beams)
            retriever = GenerativeRetriever(backbone, table, data.store, settings=search)
            retriever.save_pretrained(self.settings.output, overwrite=self.settings.overwrite)
            retriever = GenerativeRetriever.from_pretrained(self.settings.output)
        return compare_systems(retriever, data.passages, data.test_queries, data.test, self.stages), steps

    def _new_model(self, vectors: HalfArray) -> tuple[FrozenEncoderBackbone, DocidTable]:
        table = Semantic(seed=self.settings.seed).assign(DocumentFields(len(vectors), embeddings=vectors))
        backbone = FrozenEncoderBackbone.build(
            self.encoder,
            seed=self.settings.seed,
            max_source_tokens=SOURCE_TOKENS,
            memory_tokens=MEMORY_TOKENS,
        )
        return backbone, table.bind(backbone.extend_vocabulary(table.new_tokens))

    def _sources(self, backbone: FrozenEncoderBackbone, table: DocidTable) -> dict[str, list[Example]]:
        """Examples by source; a source without any is left out."""
        data, eos = self.data, backbone.eos_token_id
        rows = {passage_id: row for row, passage_id in enumerate(data.store.passage_ids)}
        sentences = (self.plan.views + 1) // 2
        spans = self.plan.views - sentences
        found = {
            "passages": indexing_examples(data.passages, table, eos),
            "sentences": sentence_examples(data.passages, table, eos, limit=sentences),
            "spans": span_examples(data.passages, table, eos, per_passage=spans, seed=self.settings.seed),
            "queries": retrieval_examples(data.queries, data.train, rows, table, eos),
        }
        return {name: examples for name, examples in found.items() if examples}

    def _train(
        self, backbone: FrozenEncoderBackbone, sources: Mapping[str, Sequence[Example]], states: StateCache
    ) -> int:
        spent = self.stages.elapsed
        seconds = max(self.settings.budget_seconds - spent - self.plan.test_seconds, 1.0)
        options = TrainingOptions(
            max_seconds=seconds, seed=self.settings.seed, checkpoint_every=CHECKPOINT_EVERY
        )
        module = TrainingModule(
            backbone, CrossEntropy(), lambda texts: backbone.encode_states(*states.batch(texts))
        )
        trainer = Trainer(
            TorchEngine(module, options.optimizer),
            sources,
            {name: RATIOS[name] for name in sources},
            options,
            folder=self.work,
            pad_token_id=backbone.pad_token_id,
            device=backbone.device,
        )
        return trainer.train({"fit": _plain(self.settings)}, resume=(self.work / METRICS).exists()).steps


def _work_folder(settings: FitSettings, data: FitData, encoder: SentenceEncoder) -> Path:
    """Where an interrupted fit's work lies, beside the output: another corpus or setting is another folder."""
    digest = xxhash.xxh3_64(json.dumps([_plain(settings), encoder.fingerprint], sort_keys=True).encode())
    for passage in data.passages:
        digest.update("\0".join(passage).encode())
    digest.update(json.dumps([data.train, data.test, data.queries]).encode())
    place = settings.output.absolute()
    folder = place.with_name(f".{place.name}.{digest.hexdigest()}.fit")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain(settings: FitSettings) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
    }
