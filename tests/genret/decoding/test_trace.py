"""Where the right docid was lost: at which step, at what rank, by how much."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import torch
from floats import FORWARD, LOGITS, assert_close

from docid.trie import DocidTrie
from genret.browse.trace_view import trace_page, trace_table
from genret.constraint import TrieConstraint
from genret.decoding import beam_search, traced_beam_search
from tests.genret.decoding.markov import EOS, PAIRS, A, B, C, MarkovBackbone, X, Y, random_markov, two_steps


def constraint() -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(PAIRS, EOS))


def test_where_the_best_docid_was_lost() -> None:
    _, (trace,) = traced_beam_search(two_steps(), [0], constraint(), num_beams=2)
    (step,) = trace.follow([C, X, EOS])
    assert (step.step, step.token, step.beams, step.candidates, step.rank, step.kept) == (
        0,
        C,
        1,
        3,
        3,
        False,
    )
    assert_close(step.cutoff, math.log(0.3), ulps=FORWARD, scale=LOGITS)
    assert_close(step.margin, math.log(0.2 / 0.3), ulps=FORWARD, scale=LOGITS)
    fate, sentence = trace.fate([C, X, EOS])
    assert fate == "pruned"
    assert sentence.startswith("lost at step 0: rank 3 of 3 continuations, 0.4055 below")


def test_the_other_fates() -> None:
    found, (trace,) = traced_beam_search(two_steps(), [0], constraint(), num_beams=2, num_return=1)
    assert [h.tokens for h in found[0]] == [[A, X, EOS]]
    assert trace.fate([A, X, EOS])[1].startswith("returned at rank 1 of 1")
    assert trace.fate([A, Y, EOS])[0] == "outranked"
    assert [step.kept for step in trace.follow([A, Y, EOS])] == [True, True, True]
    assert trace.fate([A, B, EOS]) == ("illegal", f"not a docid here: token {B} is not legal after [{A}].")
    assert trace.fate([X, EOS])[0] == "illegal"


def test_watching_changes_nothing_and_every_step_adds_up() -> None:
    docids = [[4, 5, 6, 7], [4, 5], [4, 9], [8], [8, 8, 8], [9, 4, 4], [9, 4, 5], [5, 5, 5, 5, 5]]
    model, trie = random_markov(3, 10, 7), TrieConstraint(DocidTrie.build(docids, EOS))
    found, traces = traced_beam_search(model, [0, 1, 2], trie, num_beams=3)
    plain = beam_search(model, [0, 1, 2], trie, num_beams=3)
    assert [[(h.tokens, h.documents) for h in row] for row in found] == [
        [(h.tokens, h.documents) for h in row] for row in plain
    ]
    dropped = 0
    for trace in traces:
        for step, after in zip(trace.steps, trace.steps[1:], strict=False):
            kept = {
                (*step.beams[row], token)
                for row, token in zip(step.rows[step.kept], step.tokens[step.kept], strict=True)
            }
            assert {tuple(beam) for beam in after.beams} == kept
            assert len(kept) <= 3
            lost = step.keys[~step.kept & ~step.ended]
            assert not len(lost) or lost.max() <= step.keys[step.kept].min()
            dropped += len(lost)
    assert dropped


def test_equal_keys_rank_in_the_order_of_their_tokens() -> None:
    uniform = MarkovBackbone(torch.zeros(1, 21, 20))
    docids = [[9, 9], [7, 8], [5, 5], [8, 8]]
    _, (trace,) = traced_beam_search(uniform, [0], TrieConstraint(DocidTrie.build(docids, EOS)), num_beams=2)
    ranks = [trace.steps[0].rank(trace.steps[0].candidate([], token)) for token in (5, 7, 8, 9)]
    assert ranks == [1, 2, 3, 4]


def test_the_table() -> None:
    _, (trace,) = traced_beam_search(two_steps(), [0], constraint(), num_beams=2)
    names = dict(zip(range(1, 8), ["</s>", "a", "b", "c", "x", "y", "z"], strict=True)).__getitem__
    lines = trace_table(trace, [C, X, EOS], names).splitlines()
    assert lines[0].split() == ["step", "token", "beams", "candidates", "rank", "total", "cutoff", "margin"]
    assert lines[1].split() == ["0", "c", "1", "3", "3", "-1.6094", "-1.2040", "-0.4055", "LOST"]
    assert lines[2].startswith("lost at step 0")
    assert [line.split()[-1] for line in trace_table(trace, [A, X, EOS], names).splitlines()[1:4]] == [
        "kept"
    ] * 3


def test_the_picture_is_well_formed_and_escaped() -> None:
    _, (trace,) = traced_beam_search(two_steps(), [0], constraint(), num_beams=2)
    page = trace_page(trace, [C, X, EOS], lambda token: f"<{token}>", title="who & what")
    root = ElementTree.fromstring(re.sub("<!doctype html>|<meta [^>]*>", "", page))
    texts = list(root.iter("text"))
    assert {text.get("class") for text in texts} == {"kept", "ended", "pruned", "gold"}
    gold = [text.text for text in texts if text.get("class") == "gold"]
    assert gold == [f"<{C}> -1.61"]
    assert len(list(root.iter("path"))) == len(texts)
    assert "who &amp; what" in page
    assert "gold" not in trace_page(trace).split("</style>")[1]
