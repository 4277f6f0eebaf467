"""Passages with a title or a text only are read; those with neither are refused, or left out, counted and named."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import Passage, PassageStore, in_corpus, read_judged, read_passages, read_store
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.formats import beir, dpr, kilt, msmarco
from genret.corpus.formats.datafile import DataFile
from genret.errors import InputError
from genret.training.examples.material import DataOptions, evaluation_queries, read_material
from genret.training.examples.sources import make_source

ROWS = [
    '{"_id": "1", "title": "", "text": "first text", "metadata": {}}',
    '{"_id": "2", "title": "", "text": "", "metadata": {}}',
    '{"_id": "3", "title": "Only a title", "text": "", "metadata": {}}',
    '{"_id": "4", "title": "", "text": "fourth otter text"}',
]
READ = [
    Passage("1", "", "first text"),
    Passage("3", "Only a title", ""),
    Passage("4", "", "fourth otter text"),
]


def folder(place: Path, rows: list[str] = ROWS) -> Path:
    place.mkdir(exist_ok=True)
    (place / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    return place


FIELDS = {
    "a title only": ('"title": "T", "text": ""', Passage("a", "T", "")),
    "a title and no text": ('"title": "T"', Passage("a", "T", "")),
    "a title and null": ('"title": "T", "text": null', Passage("a", "T", "")),
    "a title and spaces": ('"title": "T", "text": " \\t"', Passage("a", "T", " \t")),
    "a text and null": ('"title": null, "text": "x"', Passage("a", "", "x")),
    "a text only": ('"text": "x"', Passage("a", "", "x")),
    "an address beside": (
        '"title": "T", "url": "x.example", "metadata": {"k": "v"}', Passage("a", "T", "", {"url": "x.example", "k": "v"})
    ),
    "neither": ('"title": "", "text": ""', None),
    "nulls": ('"title": null, "text": null', None),
    "white space": ('"title": " ", "text": "\\n\\t\\u00a0"', None),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FIELDS))
def test_what_has_a_title_or_a_text_is_read(case: str, tmp_path: Path) -> None:
    fields, expected = FIELDS[case]
    folder(tmp_path, [f'{{"_id": "a", {fields}}}', '{"_id": "b", "text": "x"}'])
    kept = [expected] if expected is not None else []
    assert list(read_passages(tmp_path, CorpusOptions(skip_empty=True))) == [*kept, Passage("b", "", "x")]
    if expected is None:
        with pytest.raises(
            InputError, match=r"corpus\.jsonl, line 1: passage 'a' has neither .* --skip-empty"
        ):
            list(read_passages(tmp_path))
    else:
        assert list(read_passages(tmp_path)) == [expected, Passage("b", "", "x")]


OTHERS = {
    "dpr": (dpr.passages, "id\ttext\ttitle\n1\tx\t\n2\t\tT\n3\t \t\n", "line 4"),
    "ms marco": (msmarco.passages, "1\tx\n2\ty\n3\t \n", "line 3"),
    "beir": (beir.passages, '{"_id": 1, "text": "x"}\n{"_id": 2, "title": "T"}\n\n{"_id": 3, "text": ""}\n', "line 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OTHERS))
def test_every_corpus_format_refuses_blank_rows_alike(name: str, tmp_path: Path) -> None:
    read, content, line = OTHERS[name]
    path = tmp_path / "x"
    path.write_text(content)
    with pytest.raises(InputError, match=f"{line}.*'3'.*(--skip-empty|empty)"):
        list(read(DataFile(path)))


def test_a_page_without_paragraphs_is_found_by_its_title(tmp_path: Path) -> None:
    path = tmp_path / "ks.jsonl"
    pages = [("7", []), ("8", [" ", "text\n"]), ("9", ["\n"])]
    rows = [{"wikipedia_id": one, "wikipedia_title": f"T{one}", "text": text} for one, text in pages]
    path.write_text("\n".join(map(json.dumps, rows)))
    read = list(kilt.passages(DataFile(path)))
    assert read == [Passage("7", "T7", ""), Passage("8#1", "T8", "text"), Passage("9", "T9", "")]
    assert [kilt.page_of(passage.passage_id) for passage in read] == ["7", "8", "9"]


def test_left_out_passages_are_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = folder(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert list(read_passages(place, CorpusOptions(skip_empty=True))) == READ
    assert caplog.messages == [
        f"{place}: left out 1 passages that have neither title nor text: line 2 ('2')."
    ]
    folder(tmp_path, [*ROWS, *(f'{{"_id": "x{n}", "text": ""}}' for n in range(20))])
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        store = read_store(place, CorpusOptions(skip_empty=True))
    assert "left out 21 passages" in caplog.text
    assert caplog.messages[0].endswith("line 13 ('x8'), ....")
    assert store.left_out == {"2", *(f"x{n}" for n in range(20))}
    assert list(store) == READ


def test_a_corpus_of_blank_rows_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has no passage"):
        list(read_passages(folder(tmp_path, ROWS[1:2]), CorpusOptions(skip_empty=True)))


def test_a_passage_is_one_text_whatever_it_has() -> None:
    assert [passage.full_text for passage in READ] == ["first text", "Only a title", "fourth otter text"]
    assert Passage("a", "T", "x").full_text == "T. x"
    assert [passage.body for passage in READ] == ["first text", "Only a title", "fourth otter text"]


@pytest.mark.parametrize("source", ["firstp", "daq", "sentences", "ict", "words"])
def test_every_source_gives_a_title_only_passage_a_text(source: str) -> None:
    material = read_material(DataOptions("unread"), PassageStore.build(READ), None, 0)
    pairs = list(make_source(source, {}).open(material))
    assert {pair.documents for pair in pairs} >= {(1,)}
    assert all(pair.text.strip() for pair in pairs)


def test_judgements_of_left_out_passages_are_known_and_not_trained_on(tmp_path: Path) -> None:
    place = folder(tmp_path / "c")
    (place / "queries.jsonl").write_text('{"_id": "q", "text": "a"}\n{"_id": "r", "text": "b"}\n')
    judged = tmp_path / "dev.tsv"
    judged.write_text("q\t2\t1\nq\t3\t1\nr\t2\t1\n")
    store = read_store(place, CorpusOptions(skip_empty=True))
    found = read_judged(judged, {"q", "r"}, store)
    assert found == {"q": {"2": 1, "3": 1}, "r": {"2": 1}}
    assert in_corpus(found, store) == {"q": {"3": 1}}
    data = DataOptions(str(place), judgements=str(judged), evaluation=None, skip_empty=True)
    assert read_material(data, store, None, 0).judgements == {"q": {"3": 1}}
    data = DataOptions(str(place), evaluation=str(judged), skip_empty=True)
    assert evaluation_queries(data, store) == [("a", frozenset([1]))]
    judged.write_text("q\tabsent\t1\n")
    with pytest.raises(InputError, match="passage 'absent' is judged"):
        read_judged(judged, {"q", "r"}, store)


def test_commands_refuse_or_leave_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder(tmp_path / "c")
    corpus, out = place / "corpus.jsonl", tmp_path / "out"
    (place / "queries.jsonl").write_text('{"_id": "q", "text": "title"}\n')
    table = ["docid", "build", corpus, "-o", tmp_path / "t.table", "--strategy", "atomic"]
    for arguments in (
        ["convert", "--check", corpus],
        ["convert", corpus, out, "--to", "msmarco-corpus"],
        table,
        ["baseline", "bm25", place, "--output", tmp_path / "r.run"],
    ):
        assert genret(monkeypatch, *arguments) == 3
        told = capsys.readouterr()
        assert "line 2: passage '2' has neither title nor text" in told.out + told.err
        assert "--skip-empty" in told.out + told.err
        assert genret(monkeypatch, *arguments, "--skip-empty") == 0
    assert out.read_text() == "1\tfirst text\n3\tOnly a title\n4\tfourth otter text\n"
    # A passage with a title only is found by it.
    assert (tmp_path / "r.run").read_text().split()[2] == "3"
