"""Splitting: every word once, in order, in pieces that know their paragraphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus.formats import kilt
from genret.corpus.formats.datafile import DataFile
from genret.corpus.split import TextPiece, Unit, sentences, split_paragraphs
from genret.errors import UsageError

word = st.sampled_from(["a", "Bee", "see.", "Dr.", "(E", 'fin!"', "1"])
paragraph = st.lists(word, max_size=9).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(
    paragraphs=st.lists(paragraph, max_size=5),
    words=st.integers(1, 6),
    by=st.sampled_from(["words", "sentences"]),
    across=st.booleans(),
)
def test_pieces_hold_every_word_once_and_know_where_it_is_from(
    paragraphs: list[str], words: int, by: Unit, across: bool
) -> None:
    pieces = split_paragraphs(paragraphs, words, by=by, across_paragraphs=across)
    placed = [(one, number) for number, text in enumerate(paragraphs) for one in text.split()]
    assert [one for piece in pieces for one in piece.text.split()] == [one for one, _ in placed]
    for piece in pieces:
        taken, placed = placed[: len(piece.text.split())], placed[len(piece.text.split()) :]
        assert 1 <= len(taken) <= words
        assert (piece.first, piece.last) == (taken[0][1], taken[-1][1])
        assert across or piece.first == piece.last
    if by == "words" and across:
        assert all(len(piece.text.split()) == words for piece in pieces[:-1])


def test_sentences_stay_whole_where_they_fit() -> None:
    text = ["One two three. Four five. Six seven eight nine.", "Ten."]
    assert split_paragraphs(text, 5, by="sentences") == [
        TextPiece("One two three. Four five.", 0, 0),
        TextPiece("Six seven eight nine. Ten.", 0, 1),
    ]
    assert split_paragraphs(text, 3, by="sentences", across_paragraphs=False) == [
        TextPiece("One two three.", 0, 0),
        TextPiece("Four five.", 0, 0),
        TextPiece("Six seven eight", 0, 0),
        TextPiece("nine.", 0, 0),
        TextPiece("Ten.", 1, 1),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He left. She stayed.", ["He left.", "She stayed."]),
        ("Dr. Smith met J. R. Tolkien.", ["Dr. Smith met J. R. Tolkien."]),
        (
            '"Stop!" He ran. (It rained.) Why? 7 days.',
            ['"Stop!"', "He ran.", "(It rained.)", "Why?", "7 days."],
        ),
        ("In the U.S. Army of 1917.", ["In the U.S. Army of 1917."]),
        ("Version 1.5 is out. it works", ["Version 1.5 is out. it works"]),
        ("Él llegó. Ávila es fría.", ["Él llegó.", "Ávila es fría."]),
        ("  ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_piece_needs_a_word() -> None:
    with pytest.raises(UsageError, match="at least 1 word, not 0"):
        split_paragraphs(["x"], 0)


def test_a_split_page_names_its_paragraphs_and_a_guess_of_it_too(tmp_path: Path) -> None:
    path = tmp_path / "ks.jsonl"
    path.write_text(json.dumps({"wikipedia_id": "9", "wikipedia_title": "T", "text": ["a b c", "", "d e"]}))
    page = next(kilt.pages(DataFile(path)))
    pieces = list(kilt.split_page(page, 2))
    assert [(piece.passage_id, piece.title, piece.text) for piece in pieces] == [
        ("9#0-0.0", "T", "a b"),
        ("9#0-2.1", "T", "c d"),
        ("9#2-2.2", "T", "e"),
    ]
    assert kilt.locate("9#0-2.1") == ("9", 0, 2)
    assert kilt.locate("9#4") == ("9", 4, 4)
    assert kilt.locate("C# (language)") == ("C# (language)", None, None)
    kilt.write_run(
        tmp_path / "guess", {"q": [(piece.passage_id, 1.0) for piece in pieces] + [("9#2-2.7", 0.5)]}
    )
    provenance = json.loads((tmp_path / "guess").read_text())["output"][0]["provenance"]
    assert [(piece["start_paragraph_id"], piece["end_paragraph_id"]) for piece in provenance] == [
        (0, 0),
        (0, 2),
        (2, 2),
    ]


def test_any_script_has_sentences_and_so_have_texts_without_capitals() -> None:
    assert sentences("Он пришёл. Она ушла! И всё?") == ["Он пришёл.", "Она ушла!", "И всё?"]
    assert sentences("the fox ran . a dog, e.g. a small one, slept .") == [
        "the fox ran .",
        "a dog, e.g. a small one, slept .",
    ]
    assert sentences("It grew approx. five metres. Then it fell.") == [
        "It grew approx. five metres.",
        "Then it fell.",
    ]
    assert sentences("He said so. iPhones sell.") == ["He said so. iPhones sell."]
