"""Docids, words and fitted strategies, as small as they can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import sample_kinds
from sample_kinds import DOCUMENTS, NEW_TOKENS, PASSAGES, QUERIES, SEQUENCES, STRINGS, turned
from text_samples import byte_tokenizer

from docid import DocidTable, DocidTrie
from docid.ragged import as_ragged
from docid.strategies import STRATEGIES, DocumentFields, load_strategy
from docid.strategies.rqvae import RqVae
from docid.words import SHARES, WordSets
from genret.words import WordOptions, Words, choose_words

# Documents whose sets are read one by one.
MOST_SETS = 1 << 20


def table(bound: bool = True) -> DocidTable:
    unbound = DocidTable.build(turned(STRINGS), turned(SEQUENCES), NEW_TOKENS).without([2])
    return unbound.bind([259, 260, 261, 262]) if bound else unbound


def table_answer(path: Path) -> object:
    return described(DocidTable.load(path))


def described(found: DocidTable) -> object:
    rows = range(found.num_documents)
    return {
        "docids": found.docids(rows),
        "sequences": [found.sequence(row).tolist() for row in rows],
        "documents": [found.documents(docid).tolist() for docid in sorted({*found.docids(rows), "none"})],
        "tokens": [found.new_tokens, found.arrays.new_token_ids.tolist(), found.arrays.removed.tolist()],
    }


def make_trie(path: Path) -> None:
    sequences = [[5, 6, 7], [5, 6], [5, 8, 9, 9], [4], [5, 6, 7], [6, 6, 6, 6], [5, 8, 9, 3]]
    DocidTrie.build(turned(sequences), 1).save(path)


def trie_answer(path: Path) -> object:
    trie = DocidTrie.load(path, verify="full")
    found, stack = [], [list[int]()]
    while stack:
        prefix = stack.pop()
        found.append([prefix, trie.documents_below(prefix).tolist(), trie.documents(prefix)])
        stack += [[*prefix, token] for token in trie.allowed(prefix)]
    return [found, trie.eos]


def make_words(path: Path) -> None:
    tokens, vocabulary = as_ragged(turned(DOCUMENTS)), max(map(max, filter(None, DOCUMENTS))) + 1
    words = WordSets.choose(tokens, vocabulary, limit=2)
    words = words.extended(as_ragged([[4, 1], [3]])).without(np.array([2]))
    replace(words, vocabulary="numbers", title_weight=2).save(path)


def words_answer(path: Path) -> object:
    words = WordSets.load(path)
    statistics = words.statistics
    chosen_with = [words.vocabulary, words.title_weight]
    return {
        "sets": held(words),
        "statistics": [statistics.frequencies.tolist(), statistics.documents, statistics.mean_length],
        "later": held(words.extended(as_ragged([[1, 2, 3, 4, 4]])))[0],
        # What the first version did not say, and the first two did not.
        **({"chosen with": chosen_with} if any(one is not None for one in chosen_with) else {}),
        **({"levels": words.levels.tolist()} if (words.levels + 1 < len(SHARES)).any() else {}),
    }


def held(words: WordSets) -> list[Any]:
    # Thousands of millions of documents are some too, where nothing but their number was changed: whoever reads a file
    # compares it with the table or the passages beside it, before sets are turned around.
    if words.num_documents > MOST_SETS:
        return [words.postings.tolist(), words.num_documents, words.limit]
    sets = words.sets()
    return [sets.values.tolist(), sets.offsets.tolist(), words.limit]


def chosen_words(tokenizer: Any) -> Words:
    """Words of the passages, and what each is worth, as if it had been learned."""
    words = choose_words(turned(PASSAGES), tokenizer, WordOptions(6, 2))
    factors = np.linspace(0.5, 1.5, len(tokenizer), dtype=np.float32)
    return replace(words, weight=0.25 if sample_kinds.variant == "good" else 0.5, factors=factors)


def make_word_values(folder: Path) -> None:
    folder.mkdir()
    chosen_words(byte_tokenizer()).save(folder)


def word_values_answer(folder: Path) -> object:
    words = Words.load(folder, byte_tokenizer())
    weighted = words.weighted(QUERIES)
    worth = [weighted.tokens.tolist(), [round(value, 3) for value in weighted.weights.tolist()]]
    return [held(words.sets), words.title_weight, words.weight, worth]


def fields(count: int) -> DocumentFields:
    words = ["river", "city", "mountain", "paris", "rome", "walk"]
    texts = [f"{words[n % 6]} {words[n % 5]} {words[n % 4]}" for n in range(count)]
    vectors = (
        np.random.default_rng(3 if sample_kinds.variant == "good" else 4)
        .normal(size=(count, 4))
        .astype(np.float32)
    )
    return DocumentFields(count, texts, texts, [f"https://a.org/{text}" for text in texts], vectors)


def spell(texts: list[str]) -> list[list[int]]:
    return [list(text.encode()) for text in texts]


OPTIONS: dict[str, dict[str, Any]] = {
    "semantic": {"branching": 2, "leaf_size": 3},
    "residual": {"levels": 2, "codes": 4, "collisions": "ordinal", "balanced": True},
    "product": {"levels": 2, "codes": 4, "collisions": "next"},
    "rqvae": {"levels": 2, "codes": 4},
}


def make_strategy(name: str, path: Path) -> None:
    strategy = STRATEGIES[name](**OPTIONS.get(name, {}))
    if isinstance(strategy, RqVae):
        rng = np.random.default_rng(4 if sample_kinds.variant == "good" else 5)
        layers = [
            (rng.normal(size=(3, 4)), rng.normal(size=3)),
            (rng.normal(size=(2, 3)), rng.normal(size=2)),
        ]
        single = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers]
        strategy.take(single, rng.normal(size=(2, 4, 2)).astype(np.float32))
    else:
        strategy.fit(fields(12))
    strategy.save(path)


def strategy_answer(path: Path) -> object:
    strategy = load_strategy(path)
    if strategy.index == "fm-index":
        return strategy.name
    return [strategy.name, described(strategy.assign(fields(14), spell))]
