"""What holds for every strategy, for any number of documents, however alike they are."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from strategy_cases import CASES, Case, tokenize

from docid import DocidTable, InputError
from docid.strategies import STRATEGIES, DocumentFields

EOS = 1
LONG = " ".join(["word"] * 401)
VECTORS = [name for name, case in CASES.items() if case.reads == "embeddings"]


def fields(count: int) -> DocumentFields:
    rng = np.random.default_rng(count)
    return DocumentFields(
        count,
        titles=[f"Title {row}" for row in range(count)],
        texts=[f"w{row} and some words" for row in range(count)],
        urls=[f"https://example.org/{row}/" for row in range(count)],
        embeddings=rng.normal(size=(count, 8)).astype(np.float32),
    )


def identical(count: int) -> DocumentFields:
    one = fields(1)
    return DocumentFields(
        count,
        titles=["One title"] * count,
        texts=["the same text"] * count,
        urls=["https://example.org/"] * count,
        embeddings=np.repeat(np.asarray(one.embeddings), count, axis=0),
    )


def assert_found(table: DocidTable, shares: bool) -> None:
    """From string to documents, from tokens to documents: each document, and no other unless it has the same docid."""
    bound = table.bind(range(1000, 1000 + len(table.new_tokens))) if table.new_tokens else table
    trie = bound.trie(EOS)
    for document in range(table.num_documents):
        by_string = table.documents(table.docid(document)).tolist()
        by_tokens = trie.documents(bound.sequence(document).tolist())
        assert document in by_string
        assert set(by_string) <= set(by_tokens)
        if not shares:
            assert by_tokens == [document]


@pytest.mark.parametrize("count", [0, 1, 2, 101])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_document_is_found_by_its_docid(case: Case, count: int) -> None:
    table = case.make().assign(fields(count), tokenize)
    assert table.num_documents == count
    assert_found(table, case.shares)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_identical_documents_are_told_apart_or_share_as_declared(case: Case) -> None:
    table = case.make().assign(identical(150), tokenize)
    assert table.num_docids == (1 if case.shares else 150)
    assert_found(table, case.shares)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_again_the_same(case: Case) -> None:
    first, second = (case.make().assign(fields(101), tokenize) for _ in range(2))
    assert first.docids(range(101)) == second.docids(range(101))
    assert first.sequences.values.tobytes() == second.sequences.values.tobytes()


@pytest.mark.parametrize("name", VECTORS)
def test_rows_of_nan_are_named(name: str) -> None:
    documents = fields(101)
    np.asarray(documents.embeddings)[[3, 70], 2] = np.nan
    with pytest.raises(InputError, match=r"embeddings: 2 of 101 rows hold NaN.*\(rows 3, 70\)"):
        CASES[name].make().assign(documents, tokenize)


@pytest.mark.parametrize("name", ["title", "title-suffix", "url", "keywords"])
def test_long_texts_and_texts_that_begin_others(name: str) -> None:
    texts = [LONG, f"{LONG} end", "Paris", "Paris (disambiguation)", "Par"]
    documents = DocumentFields(5, titles=texts, texts=texts, urls=texts)
    table = CASES[name].make().assign(documents, tokenize)
    assert_found(table, False)
    if name != "keywords":
        assert len(table.sequence(0)) == len(LONG) > 2000
        assert EOS in table.trie(EOS).allowed(table.sequence(2).tolist())


def test_no_strategy_is_left_out() -> None:
    assert {case.make().name for case in CASES.values()} == set(STRATEGIES) - {"ngrams"}


def digest() -> str:
    """Of the tables of all strategies that compute with vectors, over more documents than one batch."""
    rng = np.random.default_rng(0)
    documents = DocumentFields(3000, embeddings=rng.normal(size=(3000, 8)).astype(np.float32))
    found = hashlib.sha256()
    for name in VECTORS:
        if name not in ("residual-next", "product-next"):
            found.update(CASES[name].make().assign(documents).sequences.values.tobytes())
    return found.hexdigest()


def test_the_number_of_threads_changes_no_docid() -> None:
    here = Path(__file__).parent
    digests = set()
    for threads in ("1", "3"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", f"from {Path(__file__).stem} import digest; print(digest())"]
        run = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        digests.add(run.stdout)
    assert len(digests) == 1
