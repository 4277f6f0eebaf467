"""A million passages end to end: sentences of a corpus, tokenizer, string docids, trie, full-text index, training, search.

Each stage is a process of its own, so that its time and peak memory are its own; a stage that is in `stages.jsonl`
is left out. `python scripts/million.py CORPUS --output runs/million [--passages 50000]`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from docid import DocidTable, DocidTrie
from docid.strategies import STRATEGIES, DocumentFields
from genret.config import load_config
from genret.corpus import Passage, PassageStore, read_passages
from genret.corpus.split import sentences
from genret.indexing import build_text_index
from genret.indexing.tokenise import tokenise_passages
from genret.jobs.stages import peak_memory_bytes
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.pack import prepare_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.unigram import train_tokenizer

CONFIG = Path(__file__).parent.parent / "configs" / "million.yaml"
STAGES_FILE = "stages.jsonl"
QUERIES = 20

# What a stage counted, by name.
Facts = dict[str, float]


class Job(NamedTuple):
    """A corpus, where everything goes, how many of its sentences become passages (None: all), and training steps."""

    corpus: Path
    folder: Path
    passages: int | None
    steps: int

    @property
    def file(self) -> Path:
        return self.folder / "corpus.jsonl"

    def read(self) -> PassageStore:
        return PassageStore.build(read_passages(self.file))

    def tokenizer(self) -> Any:
        return load_tokenizer(str(self.folder / "tokenizer"))

    def recipe(self, **data: Path) -> DocidRecipe:
        overrides = [
            f"output={self.folder / 'run'}",
            f"data.corpus={self.file}",
            f"training.max_steps={self.steps}",
        ]
        overrides += [
            f"model.tokenizer={self.folder / 'tokenizer'}",
            f"docids.table={self.folder / 'docids'}",
        ]
        return load_config(
            DocidRecipe, CONFIG, overrides + [f"data.{name}={path}" for name, path in data.items()]
        )


def split(job: Job) -> Facts:
    """Sentences as passages, in one file of JSON lines."""
    count = 0
    with job.file.open("w", encoding="utf-8") as file:
        for passage in islice(_sentences(job.corpus), job.passages):
            line = {"_id": passage.passage_id, "title": passage.title, "text": passage.text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return {"passages": count, "bytes": disk_bytes(job.file)}


def _sentences(corpus: Path) -> Iterator[Passage]:
    for page in read_passages(corpus):
        for number, sentence in enumerate(sentences(page.text)):
            yield Passage(f"{page.passage_id}#{number}", page.title, sentence)


def tokenizer(job: Job) -> Facts:
    """A vocabulary of 8,000 pieces from a sample of the passages; the ten digits of docids reserved."""
    digits = [f"<d_{digit}>" for digit in range(10)]
    texts = (passage.full_text for passage in read_passages(job.file))
    made = train_tokenizer(texts, job.folder / "tokenizer", vocab_size=8000, reserved=digits, sample=100_000)
    return {"pieces": len(made)}


def docids(job: Job) -> Facts:
    """The number of each passage, a token a digit."""
    passages = job.read()
    unbound = STRATEGIES["string"](digits=True).assign(DocumentFields(len(passages)), None)
    unbound.save(job.folder / "docids")
    unbound.bind(job.tokenizer().convert_tokens_to_ids(unbound.new_tokens)).save(job.folder / "bound-docids")
    return {"docids": unbound.num_docids, "bytes": disk_bytes(job.folder / "docids")}


def trie(job: Job) -> Facts:
    """The trie of all docids, in memory."""
    built: DocidTrie = DocidTable.load(job.folder / "bound-docids").trie(job.tokenizer().eos_token_id)
    return {"bytes": built.nbytes}


def tokenise(job: Job) -> Facts:
    """All passages to tokens, as the full-text index takes them, and nothing else."""
    with TemporaryDirectory(dir=job.folder) as scratch:
        parts = list(tokenise_passages(job.read(), job.tokenizer(), Path(scratch), None))
        return {"tokens": sum(part.num_tokens for part in parts)}


def index(job: Job) -> Facts:
    """The full-text index over all tokens, tokenising included."""
    meta = build_text_index(job.read(), job.tokenizer(), job.folder / "index")
    return {"tokens": meta["num_tokens"], "bytes": meta["index_bytes"]}


def prepare(job: Job) -> Facts:
    """Training examples, tokenised."""
    meta = prepare_recipe(job.recipe(), str(job.folder / "packed"))
    assert meta is not None  # no part was left to others
    return {"examples": sum(meta["sizes"].values()), "bytes": disk_bytes(job.folder / "packed")}


def train(job: Job) -> Facts:
    """A small T5 from nothing."""
    trained = run_recipe(job.recipe(packed=job.folder / "packed"))
    trained.retriever().save_pretrained(job.folder / "model")
    lines = (job.folder / "run" / "decoder" / "metrics.jsonl").read_text().splitlines()
    steps = [line for line in map(json.loads, lines) if line["kind"] == "step"]
    return {"steps": steps[-1]["step"], "loss at first": steps[0]["loss"], "loss at last": steps[-1]["loss"]}


def search(job: Job) -> Facts:
    """Sentences as queries, ten beams; what is loaded before the first query is not in the queries' time."""
    from genret.retrieval.docids import GenerativeRetriever

    retriever = GenerativeRetriever.from_pretrained(job.folder / "model")
    rows = range(0, len(retriever.passages), len(retriever.passages) // QUERIES)
    texts = [retriever.passages[row].text for row in rows]
    begin = time.process_time()
    hits = retriever.batch_search(texts, 10)
    used = (time.process_time() - begin) / len(texts)
    return {"queries": len(texts), "cpu seconds a query": used, "hits": sum(map(len, hits))}


STAGES: dict[str, Callable[[Job], Facts]] = {
    stage.__name__: stage
    for stage in (split, tokenizer, docids, trie, tokenise, index, prepare, train, search)
}


def disk_bytes(path: Path) -> int:
    """Of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(file.stat().st_size for file in files)


def read_stages(folder: Path) -> dict[str, dict[str, float]]:
    """The finished stages of a run: `seconds`, `cpu_seconds`, `peak_bytes`, and what each counted."""
    path = folder / STAGES_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    return {record.pop("stage"): record for record in map(json.loads, lines)}


def run_stage(name: str, job: Job) -> None:
    """Run one stage in this process; what it took goes to `stages.jsonl` and to stdout."""
    wall, cpu = time.perf_counter(), time.process_time()
    facts = STAGES[name](job)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    record = {
        "stage": name,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_bytes": peak_memory_bytes(),
    }
    with (job.folder / STAGES_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({**record, **facts}) + "\n")
    counted = ", ".join(f"{value:,.6g} {what}" for what, value in facts.items())
    print(
        f"{name}: {seconds:.1f}s (cpu {cpu_seconds:.1f}s), {peak_memory_bytes() / 2**30:.2f} GiB: {counted}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--passages", type=int, help="so many sentences at most")
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--stage", choices=STAGES, help="run this stage in this process")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.stage is not None:
        job = Job(arguments.corpus, arguments.output, arguments.passages, arguments.steps)
        run_stage(arguments.stage, job)
        return
    for name in STAGES:
        if name not in read_stages(arguments.output):
            subprocess.run([sys.executable, *sys.argv, "--stage", name], check=True)


if __name__ == "__main__":
    main()
