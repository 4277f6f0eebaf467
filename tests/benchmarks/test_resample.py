"""Corpora drawn after a real one: its pairs of words, its lengths, and the same pages whoever makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from floats import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scale import resample
from benchmarks.scale.resample import PASSAGE_WORDS, Chain, Pages, Words
from genret.corpus import read_passages

TITLES = [["the", "river"], ["the", "city", "of", "rome"], ["paris"], ["rome", "(river)"]]
TEXTS = [
    ["a", "river", "runs", "through", "the", "city", "of", "paris"],
    ["the", "city", "of", "rome", "is", "old", "and", "the", "river", "is", "older"],
    ["nothing", "else"],
    ["a", "city"] * 120,
]


def made(passages: float = 3.0, seed: int = 0) -> Pages:
    return Pages(TITLES, TEXTS, passages, seed)


@settings(max_examples=8)
@given(begin=st.integers(0, 9000), count=st.integers(0, 40), seed=st.integers(0, 3))
def test_a_range_of_pages_does_not_depend_on_the_others(begin: int, count: int, seed: int) -> None:
    source, numbers = made(seed=seed), range(begin, begin + count)
    found = list(source.of(numbers))
    assert [page.number for page in found] == list(numbers)
    assert [page.title for page in found] == list(source.titles_of(numbers))
    alone = [page for number in numbers[:3] for page in source.of(range(number, number + 1))]
    assert alone == found[:3]


@given(
    st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=8), min_size=1, max_size=8), st.integers(0, 99)
)
def test_a_chain_has_the_pairs_of_its_corpus(sequences: list[list[int]], seed: int) -> None:
    """A symbol is followed by what follows it somewhere, or, where it ends a sequence, by one that begins one."""
    offsets = np.cumsum([0, *map(len, sequences)])
    texts, ended = Chain(np.concatenate(sequences).astype(np.int32), offsets).draw(
        np.random.default_rng(seed), 20, 12
    )
    beginnings, ends = {own[0] for own in sequences}, {own[-1] for own in sequences}
    pairs = {pair for own in sequences for pair in pairwise(own)}
    for text, end in zip(texts.tolist(), ended.tolist(), strict=True):
        assert text[0] in beginnings
        assert all(pair in pairs or (pair[0] in ends and pair[1] in beginnings) for pair in pairwise(text))
        assert all(pair in pairs for pair in pairwise(text[:end]))
        assert end == len(text) or text[end - 1] in ends


def test_passages_have_a_hundred_words_and_pages_the_mean_that_was_asked_for() -> None:
    pages = list(made().of(range(4096)))
    lengths = [[len(text.split()) for text in page.paragraphs] for page in pages]
    assert all(
        own[:-1] == [PASSAGE_WORDS] * (len(own) - 1) and 0 < own[-1] <= PASSAGE_WORDS for own in lengths
    )
    counts = np.array([len(own) for own in lengths])
    # Stretched lengths step over the mean asked for by one passage of a length in four at most; five standard errors.
    expected = float(np.mean(-(-made().lengths // PASSAGE_WORDS)))
    assert 3.0 <= expected <= 3.25
    assert_close(counts.mean(), expected, within=5 * counts.std() / len(counts) ** 0.5)


def test_new_words_come_as_often_as_the_last_words_did() -> None:
    words = Words(TEXTS)
    texts, _ = words.draw(np.random.default_rng(0), 200, 100)
    once = sum(sum(text.count(word) for text in TEXTS) == 1 for word in words.words)
    share = once / sum(map(len, TEXTS))
    found = np.count_nonzero(texts >= len(words.words))
    assert_close(found, texts.size * share, within=5 * (texts.size * share) ** 0.5)
    spelled = {words.spell([len(words.words) + number]) for number in range(5 * len(words.once))}
    assert len({words.spell([number]) for number in range(len(words.words))}) == len(words.words)
    assert len(spelled) > 2 * len(words.once)


def test_the_command_writes_pages_that_the_library_reads(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus.jsonl", tmp_path / "pages.jsonl.gz"
    rows = zip(TITLES, TEXTS, strict=True)
    corpus.write_text(
        "".join(
            json.dumps({"_id": f"p{n}", "title": " ".join(title), "text": " ".join(text)}) + "\n"
            for n, (title, text) in enumerate(rows)
        )
    )
    command = [sys.executable, "-m", "benchmarks.scale.corpus", corpus, "--output", output, "--end", "30"]
    root = Path(resample.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        list(map(str, command)), cwd=root, check=True, capture_output=True, text=True, env=environment
    )
    passages = list(read_passages(output))
    assert f"30 pages, {len(passages)} passages" in done.stdout
    assert {passage.passage_id.split("#")[0] for passage in passages} == set(map(str, range(30)))
