"""Every long job as a small command, for tests of who does its parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from backbones import BACKBONES, t5
from command_line import genret
from studies import write_study
from tiny_sentence_encoder import write_encoder

from genret.retrieval.docids import GenerativeRetriever

WORDS = ("paris", "rome", "river", "city", "mountain")
# Of a baseline's 1,024 queries a part.
QUERIES = 2100


@dataclass(frozen=True)
class LongJob:
    """A command without its output.

    Attributes:
        output: the option that names it; ending in "=": a word of the form output=PLACE.
        merge: what `genret merge` is given, where shares end in parts; None: the last share finishes the job.
        results: which files below the place are compared.
        parts: an array has no more tasks than there are parts, and no more than four.
    """

    command: tuple[object, ...]
    output: str = "-o"
    merge: tuple[object, ...] | None = None
    results: str = "**/*"
    parts: int = 4

    def run(self, monkeypatch: pytest.MonkeyPatch, place: Path, *options: object) -> None:
        """Run it; what it caches is beside the place."""
        monkeypatch.setenv("XDG_CACHE_HOME", f"{place}.cache")
        where = (f"{self.output}{place}",) if self.output.endswith("=") else (self.output, place)
        assert genret(monkeypatch, *self.command, *where, *options) == 0

    def contents(self, place: Path) -> dict[str, bytes]:
        """The results; a manifest, which names each build anew, is none."""
        files = [place] if place.is_file() else [path for path in place.glob(self.results) if path.is_file()]
        return {
            path.relative_to(place).as_posix(): path.read_bytes()
            for path in files
            if path.name != "genret.json"
        }


def _lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _corpus(folder: Path) -> Path:
    folder.mkdir()
    rows = [
        {
            "_id": f"p{n}",
            "title": f"{WORDS[n % 5]} {n}",
            "text": f"{WORDS[n % 5]} lies near the {WORDS[n // 5]}",
        }
        for n in range(25)
    ]
    _lines(folder / "corpus.jsonl", rows)
    _lines(
        folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"what {WORDS[n % 5]}"} for n in range(QUERIES)]
    )
    (folder / "qrels").mkdir()
    judged = "".join(f"q{n}\tp{n % 25}\t1\n" for n in range(600))
    (folder / "qrels" / "dev.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def _batch(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    retriever.save_pretrained(folder / "docids")
    rows = [{"_id": f"q{n}", "text": "where lies " * (1 + n % 3)} for n in range(9)]
    queries = _lines(folder / "q.jsonl", rows)
    return LongJob(("batch", folder / "docids", queries, "--chunk", 2, "-k", 3), merge=())


def _queries(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    return LongJob(
        ("queries", "generate", corpus, *_writer(folder), "-n", 2), results="queries.jsonl", parts=1
    )


def _imagine(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    command = ("negatives", "imagine", corpus, "--split", "dev", *_writer(folder), "--max-tokens", 4)
    return LongJob(command, results="*ne*", parts=3)


def _writer(folder: Path) -> tuple[object, ...]:
    BACKBONES["bart"]().save_pretrained(folder / "writer")
    return ("--model", folder / "writer", "--kind", "encoder-decoder")


def _docids(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    vectors = np.random.default_rng(0).normal(size=(25, 8)).astype(np.float32)
    np.save(folder / "v.npy", vectors)
    quantised = ("--strategy", "residual", "--set", "codes=4", "--set", "levels=3")
    return LongJob(("docid", "build", corpus, "--embeddings", folder / "v.npy", *quantised), parts=1)


def _vectors(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    return LongJob(("embed", corpus, "--queries", "--encoder", write_encoder(folder / "encoder")), parts=3)


def _index(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    BACKBONES["bart"]().save_pretrained(folder / "bart")
    return LongJob(("index", "build", corpus, "--tokenizer", folder / "bart", "--shard-passages", 7))


def _prepare(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    t5().save_pretrained(folder / "t5")
    recipe = {
        "output": str(folder / "run"),
        "data": {"corpus": str(corpus)},
        "docids": {"strategy": "title"},
        "model": {"kind": "encoder-decoder", "name": str(folder / "t5")},
        "mixture": {"sentences": 1.0, "firstp": 1.0},
        "training": {"max_steps": 1},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return LongJob(("data", "prepare", folder / "recipe.yaml"), parts=2)


def _bm25(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    command = ("baseline", "bm25", corpus, "-k", 5)
    return LongJob(command, "--output", merge=("--format", "trec-run"), parts=3)


def _rrf(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    encoder = write_encoder(folder / "encoder")
    command = ("baseline", "rrf", corpus, "-k", 5, "--encoder", encoder)
    return LongJob(command, "--output", merge=("--format", "trec-run"), parts=3)


def _study(folder: Path, corpus: Path, retriever: GenerativeRetriever) -> LongJob:
    described = write_study(folder, sizes={"small": {"passages": 12}})
    return LongJob(("study", described), "output=", results="jobs/*/evaluation.run", parts=3)


JOBS: dict[str, Callable[[Path, Path, GenerativeRetriever], LongJob]] = {
    "batch": _batch,
    "queries": _queries,
    "imagine": _imagine,
    "docids": _docids,
    "vectors": _vectors,
    "index": _index,
    "prepare": _prepare,
    "bm25": _bm25,
    "rrf": _rrf,
    "study": _study,
}


def long_job(name: str, folder: Path, retriever: GenerativeRetriever) -> LongJob:
    """The job of this name, over a small corpus in a folder."""
    (folder / "inputs").mkdir()
    return JOBS[name](folder / "inputs", _corpus(folder / "corpus"), retriever)
