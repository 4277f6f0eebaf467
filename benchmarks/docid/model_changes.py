"""What it costs to change the passages of a model folder: seconds and bytes written, beside those of a new folder.

    python benchmarks/docid/model_changes.py [--passages 12271] [--changed 50] [--words 100]

The model is a frozen encoder (the packaged one) with a decoder; its passages are words drawn at random, and their codes,
which cost an hour at a million passages, are drawn too. What comes is encoded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from docid import DocidTable
from docid.ragged import Ragged
from docid.strategies import Residual
from docid.strategies.codes import code_tokens
from genret.corpus import Passage, PassageStore
from genret.docids.fitted import FittedStrategy
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.retrieval.changes import add_passages, remove_passages, update_passages
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.from_folder import load_passages, load_retriever
from genret.retrieval.model_folder import change_folder
from genret.retrieval.search_options import SearchOptions
from genret.words import WordOptions, choose_words

LEVELS, CODES = 32, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--passages", type=int, default=12_271)
    parser.add_argument("--changed", type=int, default=50)
    parser.add_argument("--words", type=int, default=100)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    corpus = texts(rng, options.passages + options.changed, options.words)
    old, new = corpus[: options.passages], corpus[options.passages :]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "model"
        made = model(rng, old)
        timed("write a new folder", folder, lambda: made.save_pretrained(folder))
        timed("load it", folder, lambda: load_retriever(folder))
        timed("load its passages", folder, lambda: load_passages(folder))
        loaded = GenerativeRetriever.from_pretrained(folder)
        change = add_passages(loaded.passages, new)
        begin = time.perf_counter()
        grown = loaded.changed(change)
        shown(f"add {len(new)} in memory", time.perf_counter() - begin, 0)
        timed("publish", folder, grown.publish)
        ids = [passage.passage_id for passage in new]
        timed(
            f"genret remove, {len(ids)}",
            folder,
            lambda: change_folder(folder, lambda store: remove_passages(store, ids)),
        )
        timed(
            f"genret add, {len(new)}",
            folder,
            lambda: change_folder(folder, lambda store: add_passages(store, new)),
        )
        other = [*old[len(new) :], *(passage._replace(title="another") for passage in new)]
        timed(
            f"genret update, {len(new)} changed and {len(new)} removed",
            folder,
            lambda: change_folder(folder, lambda store: update_passages(store, other)),
        )


def texts(rng: np.random.Generator, count: int, words: int) -> list[Passage]:
    """Words of a vocabulary of 20,000, the frequent ones frequent."""
    drawn = np.minimum(rng.zipf(1.2, (count, words)), 20_000)
    rows = (" ".join(f"w{number}" for number in row) for row in drawn.tolist())
    return [Passage(f"p{row}", f"title {row}", text) for row, text in enumerate(rows)]


def model(rng: np.random.Generator, corpus: list[Passage]) -> GenerativeRetriever:
    encoder = SentenceEncoder.load()
    shape = {"d_model": encoder.dimension, "tie_word_embeddings": False, "decoder_layers": 1}
    backbone = FrozenEncoderBackbone.build(encoder, max_docid_tokens=LEVELS + 1, **shape)
    strategy = Residual(levels=LEVELS, codes=CODES)
    books = rng.normal(size=(LEVELS, CODES, encoder.dimension)).astype(np.float32) / 20
    strategy.state = {
        "codebooks": books,
        "biases": np.zeros((LEVELS, CODES), np.float32),
        "kept": np.ones(1, np.float32),
    }
    codes = rng.integers(0, CODES, (len(corpus), LEVELS))
    sequences = Ragged(
        -1 - (codes + np.arange(LEVELS) * CODES).reshape(-1), np.arange(len(corpus) + 1) * LEVELS
    )
    strings = ["-".join(map(str, row)) for row in codes.tolist()]
    unbound = DocidTable.build(strings, sequences, code_tokens([CODES] * LEVELS))
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    store = PassageStore.build(corpus)
    words = choose_words(store, encoder.tokenizer, WordOptions())
    fitted = FittedStrategy(strategy, encoder.fingerprint)
    search = SearchOptions(100, plan_ahead=True, mode="plan")
    return GenerativeRetriever(backbone, table, store, words=words, fitted=fitted, options=search)


def timed(name: str, folder: Path, work: Callable[[], object]) -> None:
    before = {path.stat().st_ino for path in folder.rglob("*")}
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    shown(name, seconds, sum(file.st_size for file in files if file.st_ino not in before))


def shown(name: str, seconds: float, written: int) -> None:
    print(f"{name:44} {seconds:8.2f} s   {written / 1e6:8.1f} MB written")


if __name__ == "__main__":
    main()
