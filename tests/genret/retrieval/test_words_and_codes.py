"""Docids of words and codes: three modes of one search, beside sums by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close
from tiny_words_and_codes import TEXTS, retriever
from typer.testing import CliRunner, Result

from docid import DocidTrie
from genret.cli.app import app
from genret.constraint.trie_constraint import TrieConstraint
from genret.errors import ArtefactError, InputError, UsageError
from genret.retrieval.docids import GenerativeRetriever
from genret.words.emphasis import LOUDEST
from genret.words.words import SETS_FILE, WordOptions, choose_words
from tests.genret.words.test_emphasis import emphasis_by_hand

QUERIES = ["where lies paris", "who run near rome", "mountain"]


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def by_hand(found: GenerativeRetriever, query: str) -> list[tuple[float, float]]:
    """The codes' and the words' scores of every passage."""
    assert found.words is not None
    words = found.words
    with torch.inference_mode():
        backbone = found.backbone
        logits = backbone.logits(backbone.start(backbone.encode([query]))[0])[0].double()
    table = [
        [float(logits[token]) for token in found.table.sequence(row).tolist()] for row in range(len(TEXTS))
    ]
    asked = words.weighted([query])
    shares = words.sets.shares(asked.tokens, np.arange(len(TEXTS))).astype(float)
    plain = (asked.weights.astype(float) @ shares).tolist()
    codes = [sum(values) for values in table]
    factor = emphasis_by_hand(codes, plain)
    return [(code, factor * word) for code, word in zip(codes, plain, strict=True)]


@pytest.mark.parametrize("collisions", ["next", "share", "ordinal"])
@pytest.mark.parametrize("mode", ["plan", "beam", "both"])
def test_every_mode_ranks_by_the_sum_of_both_parts(mode: str, collisions: str) -> None:
    """The decoder is a linear index, and the beam is never full: whatever searches, the ranking is the same.

    An end token that ordinals leave without a vector scores nothing, so that sums are over the same tokens.
    """
    found = retriever(collisions, mode=mode)
    for query, hits in zip(QUERIES, found.batch_search(QUERIES, 20), strict=True):
        scores = by_hand(found, query)
        best = sorted((sum(parts) for parts in scores), reverse=True)[:20]
        assert_close([hit.score for hit in hits], best, ulps=FORWARD)
        assert [hit.rank for hit in hits] == list(range(1, 21))
        for hit in hits:
            codes, words = scores[int(hit.passage_id[1:])]
            assert_close(
                [hit.code_score, hit.word_score, hit.score],
                [codes, words, codes + words],
                ulps=FORWARD,
                scale=20.0,
            )


def test_words_count_more_where_codes_do_not_tell_passages_apart() -> None:
    """Words of one passage of 64, and codes that know nothing of the query: what is multiplied is seen in the hits."""
    found = retriever(mode="plan")
    assert found.words is not None
    sets, number, louder = found.words.sets, found.words.reader.number, list[float]()
    for query in TEXTS:
        hit = found.search(query, 1)[0]
        tokens = np.array([number(word.text) for word in hit.words])
        worth = found.words.values[tokens] * sets.shares(tokens, np.array([int(hit.passage_id[1:])]))[:, 0]
        louder += [word.score / float(own) for word, own in zip(hit.words, worth, strict=True)]
    # One word times 1, and others times up to the loudest; each product is rounded to float32.
    assert_close(min(louder), 1.0, ulps=FORWARD)
    assert 1.5 < max(louder) < LOUDEST * (1 + 1e-6)


def test_hits_name_the_words_that_they_share_with_the_query() -> None:
    hits = retriever(mode="plan").search("who run near rome", 64)
    shared = {hit.passage_id: {word.text for word in hit.words} for hit in hits}
    for row, text in enumerate(TEXTS):
        assert shared[f"p{row}"] <= set(text.split()) & {"who", "run", "near", "rome"}
    assert {"run", "rome"} in shared.values()


@pytest.mark.parametrize("mode", ["plan", "beam", "both"])
@pytest.mark.parametrize("planned", [False, True])
def test_a_subset_is_all_that_is_found(mode: str, planned: bool) -> None:
    """One beam, which must not be led to what is hidden."""
    found = retriever(mode=mode, plan_ahead=planned).with_options(num_beams=1)
    rows = [3, 17, 40]
    hits = found.search("paris", 10, constraint=found.constraint.within(rows))
    assert {hit.passage_id for hit in hits} <= {f"p{row}" for row in rows}
    best = max(rows, key=lambda row: sum(by_hand(found, "paris")[row]))
    if mode != "beam" or planned:
        assert hits[0].passage_id == f"p{best}"


def test_a_trie_of_ones_own_is_planned_over_as_well() -> None:
    found = retriever(mode="plan", plan_ahead=True)
    rows = np.array([5, 9])
    sequences = [found.table.sequence(row) for row in rows]
    trie = DocidTrie.build(sequences, found.backbone.eos_token_id, rows)
    hits = found.search("paris", 10, constraint=TrieConstraint(trie))
    assert {hit.passage_id for hit in hits} == {"p5", "p9"}
    scores = by_hand(found, "paris")
    assert_close(
        [hit.score for hit in hits], sorted((sum(scores[row]) for row in rows), reverse=True), ulps=FORWARD
    )


def test_both_finds_what_a_narrow_beam_loses() -> None:
    """A passage whose words lift it above all, and whose codes alone lose the only beam."""
    narrow = retriever(mode="beam").with_options(num_beams=1)
    both = narrow.with_options(mode="both")
    query, k = "who run near rome", 1
    everything = retriever(mode="plan").search(query, k)
    lost = [
        asked
        for asked in [query, *TEXTS]
        if narrow.search(asked, k)[0].passage_id != both.search(asked, k)[0].passage_id
    ]
    assert lost
    assert both.search(query, k)[0].passage_id == everything[0].passage_id


def test_a_passage_stands_where_counting_says() -> None:
    found = retriever()
    scores = by_hand(found, "where lies paris")
    codes, words = scores[11]
    standing = found.standing("where lies paris", "p11")
    assert_close(
        [standing.score, standing.code_score, standing.word_score],
        [codes + words, codes, words],
        ulps=FORWARD,
        scale=20.0,
    )
    assert standing.code_rank == 1 + sum(other[0] > codes + 1e-4 for other in scores)
    assert standing.word_rank == 1 + sum(other[1] > words + 1e-4 for other in scores)


def test_a_folder_answers_the_same_with_its_words(tmp_path: Path) -> None:
    found = retriever(mode="plan")
    found.save_pretrained(tmp_path / "model")
    again = GenerativeRetriever.from_pretrained(tmp_path / "model")
    for hits, others in zip(found.batch_search(QUERIES), again.batch_search(QUERIES), strict=True):
        assert [(hit.passage_id, hit.words) for hit in hits] == [
            (hit.passage_id, hit.words) for hit in others
        ]
        assert_close([hit.score for hit in hits], [hit.score for hit in others], ulps=FORWARD)
    (tmp_path / "model" / SETS_FILE).unlink()
    with pytest.raises(ArtefactError, match=SETS_FILE):
        GenerativeRetriever.from_pretrained(tmp_path / "model")


def test_words_of_other_passages_are_refused() -> None:
    found = retriever()
    assert found.words is not None
    fewer = choose_words(list(found.passages)[:3], found.words.tokenizer, WordOptions())
    with pytest.raises(InputError, match="The words name 3 passages, the passage store holds 64"):
        GenerativeRetriever(found.backbone, found.table, found.passages, words=fewer)


def test_words_are_marked_where_they_are_and_codes_alone_mark_nothing() -> None:
    found = retriever(mode="plan")
    (hit,) = [hit for hit in found.search("run to rome", 64) if hit.passage_id == "p39"]
    assert TEXTS[39] == "rome near read"
    assert [(piece.text, piece.match is not None) for piece in found.pieces(hit)] == [
        ("rome", True),
        (" near read", False),
    ]
    (match,) = found.matches(hit)
    assert (match.text, match.view, match.occurrences) == ("rome", "words", 15)
    assert_close(match.score, hit.word_score, ulps=FORWARD)
    plain = GenerativeRetriever(found.backbone, found.table, found.passages)
    with pytest.raises(UsageError, match="no words that could be marked"):
        plain.pieces(hit)


def test_the_command_line_searches_in_every_mode_and_shows_words(tmp_path: Path) -> None:
    model = tmp_path / "model"
    retriever(mode="plan").save_pretrained(model)
    ask = [str(model), "run to rome", "-k", "3"]
    plain = run(["search", *ask])
    assert plain.exit_code == 0
    assert "[rome | run]" in plain.output
    for mode in ("plan", "beam", "both"):
        found = run(["search", *ask, "--mode", mode, "--json"])
        records = [json.loads(line) for line in found.output.splitlines()]
        assert_close(records[0]["score"], records[0]["code_score"] + records[0]["word_score"], ulps=FORWARD)
        assert {word["text"] for word in records[0]["words"]} == {"run", "rome"}
    page = tmp_path / "page.html"
    marked = run(["search", *ask, "--matches", "--output", str(page)])
    assert "[run] near [rome]" in marked.output
    assert page.read_text().count("<mark") >= 3
    gold = run(["search", *ask, "--gold", "p39"])
    assert "Among all 64 passages, before any search:" in gold.output
