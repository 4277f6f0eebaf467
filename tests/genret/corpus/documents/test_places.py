"""Where a corpus is: folders, archives, several places, standard input; what is read and in which order."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from command_line import genret

from genret.corpus import Passage, read_passages, read_store, standard_input
from genret.corpus.corpus_options import CorpusOptions
from genret.errors import InputError, UsageError


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def ids(*places: Path) -> list[str]:
    return [one.passage_id for one in read_passages(list(places))]


DOCUMENTS = {
    "b.md": "# B\n\nb\n",
    "a.txt": "a\n",
    "sub/c.rst": "C\n=\n\nc\n",
    "sub/deep/d.HTML": "<h1>D</h1>d",
    "sub-2/e.markdown": "e\n",
}
NAMES = ["a.txt", "b.md", "sub/c.rst", "sub/deep/d.HTML", "sub-2/e.markdown"]
OTHERS = {
    ".hidden.md": "x",
    ".git/x.md": "x",
    "package.json": '{"name": "x"}',
    "data.csv": "id,text\n1,x\n",
    "code.py": "x = 1\n",
    "empty.md": "\n",
}


def test_all_documents_of_a_folder_are_read_in_the_order_of_their_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, DOCUMENTS | OTHERS)
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "sub" / "nowhere.md").symlink_to(tmp_path / "gone.md")
    os.mkfifo(tmp_path / "pipe.md")
    assert sorted(ids(tmp_path)) == sorted(NAMES)
    assert ids(tmp_path) == ids(tmp_path) == sorted(NAMES, key=lambda name: ("/" in name, name.split("/")))
    assert "left out 7 files" in caplog.text
    for told in (
        "loop (a link to a folder)",
        "nowhere.md (a link that leads nowhere)",
        "pipe.md (no regular file)",
    ):
        assert told in caplog.text
    assert "hidden" not in caplog.text


def test_titles_are_first_headings_or_names_of_files(tmp_path: Path) -> None:
    titles = {one.passage_id: one.title for one in read_passages(write(tmp_path, DOCUMENTS))}
    assert titles == dict(zip(NAMES, ["a", "B", "C", "D", "e"], strict=True))


def test_a_linked_file_is_read_and_compressed_ones_are(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.md": "# A\n\na\n"})
    (tmp_path / "in" / "l.md").symlink_to(tmp_path / "in" / "a.md")
    (tmp_path / "in" / "g.md.gz").write_bytes(gzip.compress(b"g\n"))
    (tmp_path / "in" / "z.txt.zst").write_bytes(zstandard.compress(b"z\n"))
    assert [(one.passage_id, one.title) for one in read_passages(tmp_path / "in")] == [
        ("a.md", "A"), ("g.md.gz", "g"), ("l.md", "A"), ("z.txt.zst", "z")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["corpus.jsonl", "dataset_info.json", "train.jsonl"])
def test_a_folder_of_a_published_layout_stays_what_it_is(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"README.md": "# R\n\nr\n"})
    if name == "corpus.jsonl":
        write(tmp_path, {name: '{"_id": "1", "text": "x"}\n'})
    elif name == "train.jsonl":
        row = '{"question": "q", "title": "T", "passage": "p", "answer": true}\n'
        write(tmp_path, {name: row, "dev.jsonl": row})
    else:
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_dict({"id": ["1"], "text": ["x"]}).save_to_disk(str(tmp_path))
    assert ids(tmp_path) == (["b0"] if name == "train.jsonl" else ["1"])


def test_a_folder_without_documents_is_all_its_records(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "part-2.csv": "id,text\n2,b\n",
            "part-1.jsonl": '{"id": 1, "body": "a"}\n',
            "x/3.tsv": "id\ttext\n3\tc\n",
        },
    )
    assert ids(tmp_path) == ["1", "2", "3"]
    write(tmp_path, {"README.md": "# R\n", "LICENSE.txt": "l\n"})
    assert ids(tmp_path) == ["1", "2", "3"]
    write(tmp_path, {"part-3.csv": "id,text\n1,b\n"})
    with pytest.raises(InputError, match=r"part-3\.csv, field 'id': '1' is an id in .*part-1\.jsonl already"):
        ids(tmp_path)


def test_an_archive_is_read_as_its_folder_is(tmp_path: Path) -> None:
    write(tmp_path / "in", DOCUMENTS | OTHERS)
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        for name, text in (DOCUMENTS | OTHERS).items():
            archive.writestr(name, text)
    archived, there = ([(*one,) for one in read_passages(tmp_path / name)] for name in ("docs.zip", "in"))
    assert sorted(archived, key=str) == sorted(there, key=str)


def test_several_places_are_named_from_the_folder_that_all_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path, {f"{folder}/{name}": text for folder in ("one", "two") for name, text in DOCUMENTS.items()}
    )
    assert ids(tmp_path / "one", tmp_path / "two") == [
        f"{n}/{i}" for n in ("one", "two") for i in ids(tmp_path / "one")
    ]
    assert ids(tmp_path / "one" / "b.md", tmp_path / "one" / "a.txt") == ["b.md", "a.txt"]
    assert ids(tmp_path / "one" / "b.md") == ["b.md"]
    monkeypatch.chdir(tmp_path / "one")
    assert ids(Path("b.md"), Path("sub/c.rst")) == ["b.md", "sub/c.rst"]
    with pytest.raises(InputError, match=r"b\.md, field 'id': 'one/b\.md' is an id in"):
        ids(tmp_path / "one", tmp_path / "one" / "b.md", tmp_path / "two")
    with pytest.raises(UsageError, match="no corpus is named"):
        ids()


def test_names_stand_in_ids_as_in_addresses(tmp_path: Path) -> None:
    names = ["a b.md", "c#d.md", "e%20.md", "f\n.md", "é.md", "g\u00a0.md"]
    write(tmp_path, dict.fromkeys(names, "x"))
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/h\xff.md"))).write_text("x")
    assert sorted(ids(tmp_path)) == sorted(
        ["a%20b.md", "c%23d.md", "e%2520.md", "f%0A.md", "é.md", "g%C2%A0.md", "h%FF.md"]
    )
    assert len(read_store(tmp_path, one_word=True)) == 7


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    def forget() -> None:
        if standard_input._spooled.cache_info().currsize:
            standard_input._spooled().close()
        standard_input._spooled.cache_clear()

    def pipe(data: bytes) -> None:
        forget()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    yield pipe
    forget()


CSV = b"id,title,text\n1,A,a\n2,B,b\n"


@pytest.mark.parametrize(
    "data",
    [
        CSV,
        CSV.replace(b",", b";"),
        CSV.replace(b",", b"\t"),
        b'{"id": "1", "title": "A", "text": "a"}\n{"id": "2", "title": "B", "text": "b"}\n',
        b'[{"_id": "1", "title": "A", "text": "a"}, {"_id": "2", "title": "B", "text": "b"}]',
        b'{\n"1": {"title": "A", "text": "a"},\n"2": {"title": "B", "text": "b"}}',
    ],
)
def test_standard_input_is_told_by_its_content(data: bytes, piped: Callable[[bytes], None]) -> None:
    for packed in (data, gzip.compress(data), zstandard.compress(data)):
        piped(packed)
        for _ in range(2):
            assert list(read_passages("-")) == [Passage("1", "A", "a"), Passage("2", "B", "b")]


def test_complaints_name_standard_input(piped: Callable[[bytes], None]) -> None:
    piped(CSV + b"3,C\n")
    with pytest.raises(InputError, match="standard input, line 4: expected 3 columns"):
        list(read_passages("-"))
    piped(b"")
    with pytest.raises(InputError, match="standard input: it has no passage"):
        list(read_passages("-"))


def test_a_check_says_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in", DOCUMENTS | OTHERS)
    arguments = ["convert", tmp_path / "in", "-o", tmp_path / "c.jsonl", "--split", "sections"]
    assert genret(monkeypatch, *arguments, "--check") == 0
    told = capsys.readouterr().out
    for line in (
        "5 documents, 5 passages, 1 words each on average; 5 with a title",
        "files: text-corpus (1), markdown-corpus (3), rst-corpus (1), html-corpus (1)",
        "metadata: document (text, in 5)",
        "for example 'b.md': B | b",
        f"left out, records among documents, read where they are named themselves (2): {tmp_path}/in/data.csv, ",
        f"left out, no format is known by its name (1): {tmp_path}/in/code.py",
        f"left out, hidden (2): {tmp_path}/in/.git, {tmp_path}/in/.hidden.md",
        f"left out, empty (1): {tmp_path}/in/empty.md",
        "no problem as text-corpus, markdown-corpus, rst-corpus, html-corpus.",
    ):
        assert line in told
    assert not (tmp_path / "c.jsonl").exists()
    assert genret(monkeypatch, *arguments) == 0
    assert list(read_passages(tmp_path / "c.jsonl")) == list(
        read_passages(tmp_path / "in", CorpusOptions(split="sections"))
    )


def test_a_check_goes_on_after_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"a.csv": "id,text\n1,a,b\n1,a\n1,b\n", "b.csv": "id,text\n2\n", "c.csv": "id,words\n"})
    assert genret(monkeypatch, "convert", tmp_path, "--check") == 3
    told = capsys.readouterr()
    assert [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in told.out.splitlines()] == [
        "a.csv, line 2", "a.csv, line 4, field 'id'", "b.csv, line 2", "c.csv, line 1"
    ]  # fmt: skip
    assert "4 problems as csv-corpus" in told.err


def test_every_command_reads_a_corpus_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("key,name,words\n1,A,a otter swims. It dives.\n2,B,a bird flies\n")
    shutil.copy(tmp_path / "a.csv", tmp_path / "again.csv")
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "bird"}\n')
    fields = ["--id", "key", "--title", "name", "--text", "words"]
    split = ["--split-text", "sentences"]
    build = ["docid", "build", tmp_path / "a.csv", "-o", tmp_path / "t.table", "--strategy", "atomic"]
    assert genret(monkeypatch, *build, *fields, *split) == 0
    assert "3 documents" in capsys.readouterr().err
    baseline = [
        "baseline",
        "bm25",
        tmp_path / "a.csv",
        "--output",
        tmp_path / "r.run",
        "--queries",
        tmp_path / "q.jsonl",
    ]
    assert genret(monkeypatch, *baseline, *fields, *split, "-k", "1") == 0
    assert (tmp_path / "r.run").read_text().split()[2] == "2"
    several = ["baseline", "bm25", tmp_path / "a.csv", tmp_path / "again.csv", "--output", tmp_path / "s.run"]
    assert genret(monkeypatch, *several, *fields) == 2
    assert "name the queries as well" in capsys.readouterr().err
