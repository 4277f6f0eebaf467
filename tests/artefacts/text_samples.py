"""Full-text indexes, corpora and vectors, as small as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sample_kinds
import torch
from sample_kinds import DOCUMENTS, PASSAGES, TEXTS, strings_of, turned
from transformers import ByT5Tokenizer

from fm_index import FMIndex, ShardedFMIndex
from genret.corpus import MetadataValue, PassageStore
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.training.linear_index.state_cache import StateCache
from genret.vectors import embed_texts, write_vectors

MOST_TOKENS = 1000


def index_answer(path: Path) -> object:
    return queried(FMIndex.load(path, verify="full"))


def queried(index: FMIndex) -> object:
    rows = np.arange(index.num_rows)
    lo = np.concatenate([rows, rows])
    hi = np.concatenate([rows + 1, np.minimum(rows + 7, index.num_rows)])
    answers = [
        index.successors(lo, hi),
        index.documents(lo, hi),
        index.extract_many(range(index.num_documents)),
    ]
    # A vocabulary of two thousand million is one too, where nothing but its size was changed.
    tokens = range(min(index.vocab_size, MOST_TOKENS))
    answers += [index.step(lo, hi, np.full(len(lo), token)) for token in tokens]
    parts = [[part.tolist() for part in answer] for answer in answers]
    unasked = [index.vocab_size] if index.vocab_size > MOST_TOKENS else []
    return [*parts, index.locate(rows).tolist(), *unasked]


def make_shards(folder: Path) -> None:
    index = ShardedFMIndex([FMIndex.from_documents(turned(DOCUMENTS)[:3], vocab_size=6)])
    index.add(DOCUMENTS[3:5])
    index.add(DOCUMENTS[5:])
    index.remove([4])
    index.save(folder)


def shards_answer(folder: Path) -> object:
    index = ShardedFMIndex.load(folder, verify="full")
    documents = [index.extract(number).tolist() for number in range(index.num_documents)]
    counts = [index.document_frequency([token]) for token in range(index.vocab_size)]
    return [documents, counts, index.removed.tolist(), [queried(shard) for shard in index.shards]]


def byte_tokenizer() -> Any:
    tokenizer = ByT5Tokenizer(extra_ids=0)
    tokenizer.add_tokens(["<query>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<query>"]})
    return tokenizer


def make_text_index(folder: Path) -> None:
    tokenizer = byte_tokenizer()
    pseudo = [["what river"], [], ["how high"], []]
    store, layout = PassageStore.build(turned(PASSAGES)), Layout.of(tokenizer)
    build_text_index(store, tokenizer, folder, layout=layout, pseudo_queries=pseudo, shard_tokens=60)


def text_index_answer(folder: Path) -> object:
    return indexed(TextIndex.load(folder, verify=True))


def indexed(found: TextIndex) -> object:
    index = found.index
    texts = [index.extract(number).tolist() for number in range(index.num_documents)]
    shards = index.shards if isinstance(index, ShardedFMIndex) else [index]
    steps = [shard.successors([0], [shard.num_rows])[2].tolist() for shard in shards]
    layout = None if found.layout is None else found.layout.values()
    return [texts, steps, strings_of(found.passages), found.title_lengths.tolist(), layout]


def passages_answer(path: Path) -> object:
    store = PassageStore.load(path)
    rows = [store.row(one.passage_id) for one in PASSAGES if one.passage_id in store]
    return [strings_of(store), rows]


def make_metadata(path: Path) -> None:
    """A column of every type, fields that are absent, and one that some other build has otherwise."""
    fields: list[dict[str, MetadataValue]] = [
        {"lang": "fr", "year": 2020, "rank": 1, "open": True, "no.te": sample_kinds.variant},
        {},
        {"lang": "", "year": -5, "rank": 0.5},
        {"lang": "fr", "open": False},
    ]
    rows = [one._replace(metadata=own) for one, own in zip(PASSAGES, fields, strict=True)]
    PassageStore.build(turned(rows)).save(path)


def metadata_answer(path: Path) -> object:
    store = PassageStore.load(path)
    types = {name: column.type for name, column in store.columns().items()}
    return [passages_answer(path), [store.metadata(row) for row in range(len(store))], types]


def make_split(path: Path) -> None:
    store = PassageStore.build(turned(PASSAGES))
    store.split = "sections"
    store.save(path)


def split_answer(path: Path) -> object:
    return [passages_answer(path), PassageStore.load(path).split]


class Letters:
    """An encoder of letters: the same vectors and states whenever they are asked for."""

    dimension, fingerprint = 2, "letters"

    def token_counts(self, texts: Sequence[str], max_length: int) -> list[int]:
        return [len(text[:max_length]) for text in texts]

    def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> Any:
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)

    def states(self, texts: Sequence[str], max_length: int) -> Any:
        width = max(len(text[:max_length]) for text in texts)
        states, mask = torch.zeros(len(texts), width, 2), torch.zeros(len(texts), width, dtype=torch.bool)
        for row, text in enumerate(texts):
            for place, letter in enumerate(text[:max_length]):
                states[row, place], mask[row, place] = torch.tensor([float(ord(letter)), place]), True
        return states, mask, states.sum(1)


def embeddings(folder: Path) -> object:
    return embed_texts(Letters(), TEXTS, cache=folder).tolist()


def states(folder: Path) -> object:
    cache = StateCache.build(folder, Letters(), TEXTS, max_length=6, keep=3)
    return [part.tolist() for part in cache.batch(sorted(set(TEXTS)))]


def make_vectors(path: Path) -> None:
    write_vectors(path, np.array(turned(range(24)), np.float32).reshape(6, 4))
