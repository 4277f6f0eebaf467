from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from backbones import DOCID_TOKENS, frozen

import genret.demo
from docid import DocidTable
from genret.corpus import Passage, PassageStore
from genret.demo.docstrings import Entry
from genret.retriever import GenerativeRetriever


def run_harvest() -> subprocess.CompletedProcess[bytes]:
    """The harvest as the demo runs it; each run has another hash seed, because -I ignores PYTHONHASHSEED."""
    script = Path(genret.demo.__file__).with_name("docstrings.py")
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script)], capture_output=True, check=True, timeout=120
    )


@pytest.fixture(scope="session")
def harvested() -> subprocess.CompletedProcess[bytes]:
    return run_harvest()


@pytest.fixture(scope="session")
def harvested_again() -> subprocess.CompletedProcess[bytes]:
    return run_harvest()


@pytest.fixture(scope="session")
def entries(harvested: subprocess.CompletedProcess[bytes]) -> dict[str, Entry]:
    found = [Entry(*json.loads(line)) for line in harvested.stdout.decode().splitlines()]
    assert len({entry.name for entry in found}) == len(found)
    return {entry.name: entry for entry in found}


WORDS = ("river", "city", "mountain", "paris", "rome", "walk", "read", "run")


@pytest.fixture
def passages() -> list[Passage]:
    """Sixteen passages of words that the tiny encoder knows."""
    return [
        Passage(f"{first}.{second}", f"{first} {second}", f"the {first} lies near the {second}")
        for first in WORDS[:4]
        for second in WORDS[4:]
    ]


@pytest.fixture
def tiny_retriever(passages: list[Passage]) -> GenerativeRetriever:
    """Random weights; docids of two tokens, such as <a_0> <b_3>."""
    backbone = frozen()
    codes = [(number // 4, number % 4) for number in range(len(passages))]
    strings = [f"{first}-{second}" for first, second in codes]
    sequences = [[-1 - first, -1 - (8 + second)] for first, second in codes]
    ids = backbone.extend_vocabulary(DOCID_TOKENS)
    table = DocidTable.build(strings, sequences, DOCID_TOKENS).bind(ids)
    return GenerativeRetriever(backbone, table, PassageStore.build(passages))
