"""Strategies on disk, and documents that come later: what was given stays, what is new is found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from docid_damage import assert_damage_is_refused, rewrite
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_cases import CASES, tokenize

from docid import InputError
from docid.strategies import (
    DocumentFields,
    Keywords,
    Semantic,
    String,
    Title,
    Url,
    load_strategy,
)
from docid.strategies.base import KIND
from docid.strategies.text import _address
from fm_index.container import ArtefactError

EOS = 1
OLD, ALL = 60, 100
WORDS = np.array(["apple", "pear", "plum", "fig", "kiwi", "lime", "date", "nut"])


def fields(rows: slice) -> DocumentFields:
    """Documents of which some have equal titles, texts, addresses or vectors."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(ALL, 8)).astype(np.float32)
    vectors[::10] = vectors[0]
    texts = [" ".join(WORDS[rng.integers(0, 8, 12)]) for _ in range(ALL)]
    numbers = range(ALL)[rows]
    return DocumentFields(
        len(numbers),
        titles=[f"Title {row % 70}" for row in numbers],
        texts=texts[rows],
        urls=[f"https://www.example.org/{row % 80}/" for row in numbers],
        embeddings=vectors[rows],
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bound", [False, True])
def test_docids_already_given_stay_and_new_documents_are_found(name: str, bound: bool) -> None:
    strategy = CASES[name].make()
    before = strategy.assign(fields(slice(0, OLD)), tokenize)
    if bound:
        before = before.bind(range(1000, 1000 + len(before.new_tokens)))
    after = strategy.assign_new(before, fields(slice(OLD, ALL)), tokenize)
    assert after.num_documents == ALL
    assert after.docids(range(OLD)) == before.docids(range(OLD))
    assert after.new_tokens[: len(before.new_tokens)] == before.new_tokens
    for document in range(OLD):
        np.testing.assert_array_equal(after.sequence(document), before.sequence(document))
    for document in range(OLD, ALL):
        assert document in after.documents(after.docid(document))
    assert CASES[name].shares or after.num_docids == ALL
    missing = len(after.new_tokens) - len(after.arrays.new_token_ids)
    bound_after = after.bind(range(5000, 5000 + missing)) if missing else after
    trie = bound_after.trie(EOS)
    assert all(document in trie.documents(bound_after.sequence(document).tolist()) for document in range(ALL))


@pytest.mark.parametrize("name", CASES)
def test_a_saved_strategy_gives_the_same_docids(name: str, tmp_path: Path) -> None:
    strategy = CASES[name].make()
    before = strategy.assign(fields(slice(0, OLD)), tokenize)
    strategy.save(tmp_path / "strategy")
    again = load_strategy(tmp_path / "strategy")
    assert again == strategy
    assert again.assign(fields(slice(0, OLD)), tokenize).docids(range(OLD)) == before.docids(range(OLD))
    ours, theirs = (one.assign_new(before, fields(slice(OLD, ALL)), tokenize) for one in (again, strategy))
    assert ours.docids(range(ALL)) == theirs.docids(range(ALL))


def test_new_documents_fall_to_their_nearest_clusters() -> None:
    rng = np.random.default_rng(1)
    centres = 20 * np.eye(6, dtype=np.float32)
    old = np.repeat(centres, 10, axis=0) + rng.normal(size=(60, 6)).astype(np.float32) * 0.1
    strategy = Semantic(6, 10)
    table = strategy.assign(DocumentFields(60, embeddings=old))
    new = centres + rng.normal(size=(6, 6)).astype(np.float32) * 0.1
    grown = strategy.assign_new(table, DocumentFields(6, embeddings=new))
    for blob in range(6):
        near, added = grown.docid(10 * blob).split("-"), grown.docid(60 + blob).split("-")
        assert added[0] == near[0]
        assert added[-1] == "10"


def test_a_strategy_that_was_not_fitted_takes_no_new_documents() -> None:
    table = Semantic(4, 5).assign(fields(slice(0, OLD)))
    with pytest.raises(InputError, match="'semantic' has not been fitted"):
        Semantic(4, 5).assign_new(table, fields(slice(OLD, ALL)))


def test_vectors_of_another_encoder_are_refused() -> None:
    strategy = Semantic(4, 5)
    table = strategy.assign(fields(slice(0, OLD)))
    with pytest.raises(InputError, match="found 5 dimensions, expected the 8"):
        strategy.assign_new(table, DocumentFields(1, embeddings=np.ones((1, 5))))


def test_the_table_of_another_strategy_is_refused() -> None:
    strategy = Semantic(4, 5)
    strategy.fit(fields(slice(0, OLD)))
    titles = Title().assign(fields(slice(0, OLD)), tokenize)
    with pytest.raises(InputError, match="the table's docids are not codes"):
        strategy.assign_new(titles, fields(slice(OLD, ALL)))


def test_addresses_lose_what_tells_nothing() -> None:
    urls = ["https://www.Example.org/a%20b/", "http://example.org/x?y=1#part", "wiki/Apple_pie", "", "a:b"]
    table = Url().assign(DocumentFields(5, urls=urls), tokenize)
    assert table.docids(range(4)) == ["example.org/a b", "example.org/x?y=1", "wiki/Apple_pie", "untitled 3"]


def test_digits_are_tokens_of_their_own() -> None:
    table = String(digits=True).assign(DocumentFields(31))
    assert [table.new_tokens[-1 - token] for token in table.sequence(30)] == ["<d_3>", "<d_0>"]


def test_keywords_are_the_rarest_of_the_most_frequent_terms() -> None:
    texts = ["the apple and the apple pie", "the pear and the pie", "the nut and the oak", "42 !", ""]
    table = Keywords(count=2).assign(DocumentFields(5, texts=texts), tokenize)
    assert table.docids(range(5)) == ["apple pie", "pear pie", "nut oak", "untitled 3", "untitled 4"]
    as_set = Keywords(count=2, ordered=False).assign(
        DocumentFields(2, texts=["pie pie apple", "x1 z"]), tokenize
    )
    assert as_set.docids(range(2)) == ["apple pie", "x1"]


def test_no_damaged_strategy_loads(tmp_path: Path) -> None:
    strategy = Semantic(4, 5)
    strategy.fit(fields(slice(0, OLD)))
    strategy.save(tmp_path / "strategy")
    assert_damage_is_refused(tmp_path / "strategy", load_strategy, seed=3, count=40)


def add_option(meta: dict[str, Any], _: dict[str, Any]) -> None:
    meta["options"]["magic"] = 1


@pytest.mark.parametrize(
    "change",
    [
        add_option,
        lambda meta, _: meta.update(name="magic"),
        lambda meta, _: meta["options"].update(branching=0),
        lambda meta, _: meta.pop("fitted"),
    ],
)
def test_a_strategy_of_unknown_name_or_options_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    Semantic(4, 5).save(tmp_path / "strategy")
    rewrite(tmp_path / "strategy", KIND, change)
    with pytest.raises(ArtefactError, match=r"does not describe a docid strategy|nothing here is called so"):
        load_strategy(tmp_path / "strategy")


NO_ADDRESSES = {
    "http://[your-site]/page": "[your-site]/page",
    "http://shop.example\u2100/x": "shop.example\u2100/x",
    "http://[::1": "[::1",
    "http://[v1.x]y/": "[v1.x]y",
    "https://example.org:port/A": "example.org:port/A",
    "https://example.org:99999999/A": "example.org:99999999/A",
    "example.org:8080/A": "example.org:8080/A",
    "HTTPS://WWW.Example.ORG:8080/A?b=C/": "example.org:8080/A?b=C",
    "//www.example.org/x": "example.org/x",
    "https://www.B\u00fccher.example/\u00dc": "b\u00fccher.example/\u00dc",
    "https://example.org/%E4%B8%AD": "example.org/\u4e2d",
    "https://example.org/%FF": "example.org/%FF",
    "https://example.org/%FE": "example.org/%FE",
    "https://example.org/100%": "example.org/100%",
    "https://example.org/a%00b": "example.org/a b",
    "https://": "untitled 15",
    "https://www./": "untitled 16",
    "#part": "untitled 17",
    "urn:isbn:123": "urn:isbn:123",
    "http://a b/c\td": "a b/c d",
}


def test_what_no_parser_takes_is_a_docid_as_text() -> None:
    table = Url().assign(DocumentFields(len(NO_ADDRESSES), urls=list(NO_ADDRESSES)), tokenize)
    assert dict(zip(NO_ADDRESSES, table.docids(range(len(NO_ADDRESSES))), strict=True)) == NO_ADDRESSES


@settings(max_examples=300, deadline=None)
@given(url=st.text(st.sampled_from("htps:/?#[]@%41.wWa\u2100 é"), max_size=24))
def test_an_address_is_what_the_parser_would_make_of_it(url: str) -> None:
    """The standard library's parser as the slow twin, wherever it takes an address with a scheme."""
    _address(url)
    address = f"https://{url}"
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    text = f"{parts.netloc.lower().removeprefix('www.')}{path}".rstrip("/")
    with suppress(UnicodeDecodeError):  # bytes of another encoding stay as they are spelled
        text = unquote(text, errors="strict")
    assert _address(address) == text
