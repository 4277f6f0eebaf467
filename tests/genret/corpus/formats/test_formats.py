"""Other people's file formats: round trips, recognition, conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
from format_samples import SAMPLES, read, sample

from genret.corpus import conversion, read_judgements, read_passages, read_queries, read_questions, read_run
from genret.corpus.formats import dpr, registry
from genret.corpus.formats.datafile import DataFile
from genret.corpus.sources import Source
from genret.errors import InputError, UsageError


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == set(registry.FORMATS)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_format_is_read_and_what_is_written_reads_the_same(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path)
    content = read(name, path)
    assert content == SAMPLES[name][1]
    if registry.FORMATS[name].write is not None:
        conversion.convert([Source(DataFile(path), name)], tmp_path / "again", name)
        assert read(name, tmp_path / "again") == content
        conversion.convert([Source(DataFile(tmp_path / "again"), name)], tmp_path / "third", name)
        assert (tmp_path / "third").read_bytes() == (tmp_path / "again").read_bytes()


PAIRS = [
    (source, target)
    for source, one in registry.FORMATS.items()
    for target, other in registry.FORMATS.items()
    if one.kind == other.kind and other.write and source != target
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair_of_one_kind_converts(source: str, target: str, tmp_path: Path) -> None:
    path = sample(source, tmp_path)
    conversion.convert([Source(DataFile(path), source)], tmp_path / "out", target)
    before, after = read(source, path), read(target, tmp_path / "out")
    if isinstance(before, dict):
        assert {
            key: [hit[0] for hit in value] if isinstance(value, list) else value
            for key, value in after.items()
        } == {
            key: [hit[0] for hit in value] if isinstance(value, list) else value
            for key, value in before.items()
        }
    else:
        assert [row[0] for row in after] == [row[0] for row in before]
        assert all(
            row.text.split()[-1] == other.text.split()[-1] for row, other in zip(after, before, strict=True)
        )


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("beir-corpus", "x"),
        ("beir-queries", "x"),
        ("dpr-corpus", "psgs_w100.tsv"),
        ("dpr-queries", "nq.csv"),
        ("msmarco-corpus", "collection.tsv"),
        ("msmarco-queries", "queries.dev.tsv"),
        ("kilt-corpus", "knowledgesource.json"),
        ("beir-judgements", "dev.tsv"),
        ("trec-judgements", "qrels"),
        ("trec-run", "run"),
        ("kilt-run", "guess.jsonl"),
    ],
)
def test_formats_are_recognised(name: str, file_name: str, tmp_path: Path) -> None:
    path = tmp_path / file_name
    path.write_text(SAMPLES[name][0])
    assert registry.detect(DataFile(path)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tsome text\n", "it could be msmarco-corpus or msmarco-queries; name its format with --from"),
        ("q\ta\t1\n", "it could be beir-judgements or msmarco-run"),
        ('[{"question": "who"}]', "it could be dpr-run or dpr-queries or dpr-judgements"),
        ('{"a": 1}', "no format is recognised"),
        ("one two three four five\n", "no format is recognised"),
        ("", "no format is recognised.*It begins nowhere: it is empty"),
    ],
)
def test_what_is_not_recognised_is_asked_for(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError, match=message):
        registry.detect(DataFile(tmp_path / "x"))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "kilt-page-run"])
def test_every_format_is_read_without_being_named(name: str, tmp_path: Path) -> None:
    readers = {
        "corpus": read_passages,
        "queries": read_queries,
        "judgements": read_judgements,
        "run": read_run,
    }
    content = readers[registry.FORMATS[name].kind](sample(name, tmp_path))
    assert (content if isinstance(content, dict) else list(content)) == SAMPLES[name][1]


def test_judgements_of_any_format_are_checked_against_known_ids(tmp_path: Path) -> None:
    path = sample("kilt-judgements", tmp_path)
    with pytest.raises(InputError, match="query 'f1' is judged, but there is no such query"):
        read_judgements(path, query_ids={"q"})
    with pytest.raises(InputError, match="passage '12' is judged, but there is no such passage"):
        read_judgements(path, query_ids={"f1"}, passage_ids={"10", "11"})


def test_questions_come_with_answers_where_a_file_has_them(tmp_path: Path) -> None:
    assert [one.answers for one in read_questions(sample("dpr-queries", tmp_path))] == [
        ["a", "b's"],
        ["1999"],
    ]
    assert [one.answers for one in read_questions(sample("kilt-queries", tmp_path))] == [["SUPPORTS"], []]
    assert [one.answers for one in read_questions(sample("beir-queries", tmp_path))] == [[]]
    assert [one.answers for one in dpr.questions(DataFile(sample("dpr-run", tmp_path)))] == [["a"]]
    path = tmp_path / "x.json"
    path.write_text('[{"question": "q", "answers": [" "]}]')
    with pytest.raises(InputError, match="entry 0, field 'answers': expected a list of texts"):
        list(dpr.questions(DataFile(path)))


def test_kinds_do_not_mix_and_some_formats_are_read_only(tmp_path: Path) -> None:
    file = DataFile(sample("beir-corpus", tmp_path))
    with pytest.raises(UsageError, match="beir-corpus holds corpus, trec-run run: not the same kind"):
        conversion.convert([Source(file, "beir-corpus")], tmp_path / "out", "trec-run")
    with pytest.raises(
        UsageError, match="kilt-corpus can be read only; a corpus file can be beir-corpus, dpr"
    ):
        conversion.convert([Source(file, "beir-corpus")], tmp_path / "out", "kilt-corpus")
    with pytest.raises(UsageError, match="'pdf' is no format; there are beir-corpus"):
        registry.find_format("pdf")
