"""A split corpus: no character that is seen is lost or told twice, and every passage says what it is of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import Passage
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.documents.document import Document, Section
from genret.corpus.documents.pieces import in_pieces
from genret.errors import InputError, UsageError

TEXT = st.text(st.sampled_from("ab.?!\n \t#-Üß1"), max_size=60)
HEADING = st.sampled_from(["A", "B", "a b", "1", "1-1", "?", "Ü.b"])
SPLITS = st.sampled_from(["sections", "sentences", "words:1", "words:3", "sentences:2", "none"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    headings: list[tuple[str, ...]] = [()]
    for _ in range(draw(st.integers(0, 4))):
        above = draw(st.integers(0, len(headings[-1])))
        headings.append((*headings[-1][:above], draw(HEADING)))
    sections = [Section(one, draw(TEXT)) for one in headings]
    title = draw(st.sampled_from(["", "T"]))
    return Document("d", title, [one for one in sections if one.headings or one.text.strip()], {"year": 1})


def seen(text: str) -> str:
    return "".join(text.split())


@given(documents(), SPLITS)
def test_pieces_hold_every_character_once_and_lead_back(document: Document, split: str) -> None:
    pieces = list(in_pieces([document], CorpusOptions(split=split).splitting))
    ids = [piece.passage_id for piece in pieces]
    assert len(set(ids)) == len(ids)
    assert ids == ["d"] or split == "none" or all(one.startswith("d#") for one in ids)
    assert all(not one.split() or one.split() == [one] for one in ids)
    if split == "none":
        headed = [part for section in document.sections for part in (*section.headings[-1:], section.text)]
        assert seen(pieces[0].text) == seen("".join(headed))
        assert pieces[0].metadata == {"year": 1}
        return
    assert seen("".join(piece.text for piece in pieces)) == seen(
        "".join(one.text for one in document.sections)
    )
    for piece in pieces:
        assert piece.metadata["document"] == "d"
        assert piece.metadata["year"] == 1
        path = piece.metadata.get("section")
        assert piece.title == " > ".join(part for part in (document.title, path) if part)
    # Each piece is of the section that its text stands in, in order.
    for path in {piece.metadata.get("section") for piece in pieces}:
        own = [one.text for one in document.sections if (one.path or None) == path]
        assert seen("".join(one.text for one in pieces if one.metadata.get("section") == path)) == seen(
            "".join(own)
        )
    # Every heading is told, by a section or by one below it.
    told = [str(piece.metadata.get("section", "")) for piece in pieces]
    for section in document.sections:
        assert any(
            one == section.path or one.startswith(f"{section.path} > ") or not section.path for one in told
        )


@given(documents(), st.integers(1, 4))
def test_pieces_are_of_the_size_that_is_asked_for(document: Document, words: int) -> None:
    for unit in ("words", "sentences"):
        split = CorpusOptions(split=f"{unit}:{words}").splitting
        assert all(len(piece.text.split()) <= words for piece in in_pieces([document], split))


def test_a_passage_of_one_piece_keeps_its_id_and_others_are_numbered() -> None:
    passages = [Passage("a", "A", "One."), Passage("b", "", "One. Two."), Passage("c", "C", "")]
    found = list(in_pieces(passages, CorpusOptions(split="sentences").splitting))
    assert found == [
        Passage("a", "A", "One.", {"document": "a"}),
        Passage("b#1", "", "One.", {"document": "b"}),
        Passage("b#2", "", "Two.", {"document": "b"}),
        Passage("c", "C", "", {"document": "c"}),
    ]


def test_ids_are_anchors_of_headings_and_numbers_of_pieces() -> None:
    sections = [
        Section((), "x y"),
        Section(("Set-up & Use",), "x"),
        Section(("Set-up & Use", "1"), "x y z"),
        Section(("Set-up use",), "x"),
        Section(("End",), ""),
    ]
    found = in_pieces([Document("d.md", "D", sections)], CorpusOptions(split="words:2").splitting)
    assert [one.passage_id.removeprefix("d.md#") for one in found] == [
        "1",
        "set-up-use",
        "1-1.1",
        "1-1.2",
        "set-up-use-1",
        "end",
    ]


def test_a_corpus_with_the_fields_of_the_way_back_is_not_split_again() -> None:
    passages = [Passage("a", "", "x", {"document": "a"})]
    assert list(in_pieces(passages, CorpusOptions().splitting)) == passages
    with pytest.raises(InputError, match="document 'a': it has a field 'document'"):
        list(in_pieces(passages, CorpusOptions(split="sections").splitting))


def test_an_id_that_reads_as_that_of_a_piece_is_refused() -> None:
    passages = [Passage("a", "", "One. Two."), Passage("b#1", "", "x"), Passage("a#1", "", "x")]
    splitting = CorpusOptions(split="sentences").splitting
    assert [one.passage_id for one in in_pieces(passages[:2], splitting)] == ["a#1", "a#2", "b#1"]
    with pytest.raises(
        InputError, match="passages 1 and 4 of the split corpus, field 'id': 'a#1' would be the id of both"
    ):
        list(in_pieces(passages, splitting))


@pytest.mark.parametrize(
    "split", ["", "words", "words:0", "words:-1", "words:1.5", "sections:3", "Words:3", "words:9999999"]
)
def test_a_split_that_is_none_is_refused(split: str) -> None:
    with pytest.raises(UsageError, match="split: expected none, sections, sentences, words:N"):
        CorpusOptions(split=split)
