"""A million passages end to end: sentences of a corpus, tokenizer, string docids, trie, full-text index, training, search.

Each stage is a process of its own, so that its time and peak memory are its own; a stage whose output exists is left
out. `python scripts/million.py CORPUS --output runs/million`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from docid import DocidTable, DocidTrie
from docid.strategies import STRATEGIES, DocumentFields
from genret.config import load_config
from genret.corpus import Passage, PassageStore, read_passages
from genret.corpus.split import sentences
from genret.indexing import build_text_index
from genret.indexing.tokenizer import load_tokenizer
from genret.stages import peak_memory_bytes
from genret.tokenizer import train_tokenizer
from genret.training.recipe import run_recipe
from genret.training.recipe_options import Recipe
from genret.training.recipe_packed import prepare_recipe

CONFIG = Path(__file__).parent.parent / "configs" / "million.yaml"
QUERIES = 20


def split(corpus: Path, folder: Path) -> str:
    """Sentences as passages, in one file of JSON lines."""
    count = 0
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for passage in _sentences(corpus):
            line = {"_id": passage.passage_id, "title": passage.title, "text": passage.text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return f"{count:,} passages"


def _sentences(corpus: Path) -> Iterator[Passage]:
    for page in read_passages(corpus):
        for number, sentence in enumerate(sentences(page.text)):
            yield Passage(f"{page.passage_id}#{number}", page.title, sentence)


def tokenizer(corpus: Path, folder: Path) -> str:
    """A vocabulary of 8,000 pieces from a sample of the passages; the ten digits of docids reserved."""
    digits = [f"<d_{digit}>" for digit in range(10)]
    texts = (passage.full_text for passage in read_passages(folder / "corpus.jsonl"))
    made = train_tokenizer(texts, folder / "tokenizer", vocab_size=8000, reserved=digits, sample=100_000)
    return f"{len(made):,} tokens"


def docids(corpus: Path, folder: Path) -> str:
    """The number of each passage, a token a digit."""
    passages = PassageStore.build(read_passages(folder / "corpus.jsonl"))
    made = load_tokenizer(str(folder / "tokenizer"))
    unbound = STRATEGIES["string"](digits=True).assign(DocumentFields(len(passages)), None)
    unbound.save(folder / "docids")
    unbound.bind(made.convert_tokens_to_ids(unbound.new_tokens)).save(folder / "bound-docids")
    return f"{unbound.num_docids:,} docids"


def trie(corpus: Path, folder: Path) -> str:
    """The trie of all docids, built and stored."""
    made = load_tokenizer(str(folder / "tokenizer"))
    built: DocidTrie = DocidTable.load(folder / "bound-docids").trie(made.eos_token_id)
    return f"{built.nbytes / 2**20:,.1f} MiB"


def index(corpus: Path, folder: Path) -> str:
    """The full-text index over all tokens."""
    passages = PassageStore.build(read_passages(folder / "corpus.jsonl"))
    meta = build_text_index(passages, load_tokenizer(str(folder / "tokenizer")), folder / "index")
    return f"{meta['num_tokens']:,} tokens, {meta['index_bytes'] / 2**20:,.0f} MiB"


def prepare(corpus: Path, folder: Path) -> str:
    """Training examples, tokenised."""
    meta = prepare_recipe(_recipe(folder, packed=False), str(folder / "packed"))
    return ", ".join(f"{size:,} {name}" for name, size in meta["sizes"].items())


def train(corpus: Path, folder: Path) -> str:
    """A small T5 from nothing, for a thousand steps."""
    from genret.retriever import GenerativeRetriever, SearchSettings

    trained = run_recipe(_recipe(folder, packed=True))
    settings = SearchSettings(num_beams=10, score="full")
    retriever = GenerativeRetriever(trained.backbone, trained.table, trained.passages, settings=settings)
    retriever.save_pretrained(folder / "model")
    lines = (folder / "run" / "decoder" / "metrics.jsonl").read_text().splitlines()
    steps = [line for line in map(json.loads, lines) if line["kind"] == "step"]
    return f"{steps[-1]['step']:,} steps, loss {steps[0]['loss']:.2f} to {steps[-1]['loss']:.2f}"


def search(corpus: Path, folder: Path) -> str:
    """Sentences as queries, ten beams."""
    from genret.retriever import GenerativeRetriever

    retriever = GenerativeRetriever.from_pretrained(folder / "model")
    texts = [
        retriever.passages[row].text
        for row in range(0, len(retriever.passages), len(retriever.passages) // QUERIES)
    ]
    begin = time.monotonic()
    hits = retriever.batch_search(texts, 10)
    return f"{len(texts)} queries in {time.monotonic() - begin:.1f}s, {sum(map(len, hits))} hits, all of them docids"


def _recipe(folder: Path, *, packed: bool) -> Recipe:
    overrides = [f"output={folder / 'run'}", f"data.corpus={folder / 'corpus.jsonl'}"]
    overrides += [f"model.tokenizer={folder / 'tokenizer'}", f"docids.table={folder / 'docids'}"]
    return load_config(Recipe, CONFIG, overrides + ([f"data.packed={folder / 'packed'}"] if packed else []))


STAGES = {
    "split": (split, "corpus.jsonl"),
    "tokenizer": (tokenizer, "tokenizer"),
    "docids": (docids, "bound-docids"),
    "trie": (trie, None),
    "index": (index, "index"),
    "prepare": (prepare, "packed"),
    "train": (train, "model"),
    "search": (search, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--stage", choices=STAGES, help="run this stage in this process")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.stage is None:
        for name, (_, result) in STAGES.items():
            if result is None or not (arguments.output / result).exists():
                subprocess.run([sys.executable, *sys.argv, "--stage", name], check=True)
        return
    begin = time.monotonic()
    note = STAGES[arguments.stage][0](arguments.corpus, arguments.output)
    used = f"{time.monotonic() - begin:.1f}s (cpu {time.process_time():.1f}s), {peak_memory_bytes() / 2**30:.2f} GiB"
    print(f"{arguments.stage}: {used}: {note}", flush=True)


if __name__ == "__main__":
    main()
