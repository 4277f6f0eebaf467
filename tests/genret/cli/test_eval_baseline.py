"""`genret eval` and `genret baseline` as a user calls them: results, files, messages and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret
from floats import DOUBLE, assert_close

from genret.corpus import read_run

PASSAGES = [
    {"_id": "a", "title": "Apples", "text": "red and round fruit"},
    {"_id": "b", "title": "Bananas", "text": "yellow and long fruit"},
    {"_id": "c", "title": "Cats", "text": "animals that purr"},
]
QUERIES = [
    {"_id": "q1", "text": "round red"},
    {"_id": "q2", "text": "long fruit"},
    {"_id": "q3", "text": "zzz"},
    {"_id": "q4", "text": "who can purr"},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, PASSAGES)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t1\nq3\tc\t1\n")
    (folder / "qrels" / "train.tsv").write_text("q4\tc\t1\n")
    return folder


def test_bm25_run_and_its_score(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "bm25.run"
    assert genret(monkeypatch, "baseline", "bm25", corpus, "--split", "dev", "--output", run) == 0
    assert {query_id: [hit[0] for hit in hits] for query_id, hits in read_run(run).items()} == {
        "q1": ["a"],
        "q2": ["b", "a"],
        "q3": [],
    }
    assert capsys.readouterr().out == ""
    code = genret(
        monkeypatch, "eval", run, corpus, "--split", "dev", "--trained-on", "train", "--format", "json"
    )
    assert code == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    means = {
        row["name"].removeprefix(str(run)): (row["queries"], row["metrics"]["hit@1"]["mean"]) for row in rows
    }
    assert {name: queries for name, (queries, _) in means.items()} == {"": 3, ", seen": 1, ", unseen": 2}
    assert_close([mean for _, mean in means.values()], [2 / 3, 0.0, 1.0], relative=DOUBLE)


def test_all_queries_without_a_split_and_k_hits(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert genret(monkeypatch, "baseline", "bm25", corpus, "--tuned", "-k", 1, "--output", run) == 0
    assert [len(hits) for hits in read_run(run).values()] == [1, 1, 0, 1]
    assert run.read_text().splitlines()[0].endswith(" bm25-tuned")


def test_dense_run_with_a_local_encoder(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_sentence_encoder import write_encoder

    encoder, run, cache = write_encoder(tmp_path / "encoder"), tmp_path / "run", tmp_path / "cache"
    arguments = ["baseline", "dense", corpus, "--encoder", encoder, "--cache", cache, "--output", run]
    assert genret(monkeypatch, *arguments) == 0
    assert {len(hits) for hits in read_run(run).values()} == {3}
    first = run.read_bytes()
    assert len(list(cache.iterdir())) == 2
    assert genret(monkeypatch, *arguments, "--overwrite") == 0
    assert run.read_bytes() == first


@pytest.mark.parametrize("name", ["hybrid", "rrf"])
def test_both_retrievers_together(
    name: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_sentence_encoder import write_encoder

    encoder, cache = write_encoder(tmp_path / "encoder"), tmp_path / "cache"
    embedding = ["--encoder", encoder, "--cache", cache]

    def run(command: str, *options: object) -> dict[str, list[str]]:
        path = tmp_path / "-".join(map(str, [command, *options])).replace("/", "-")
        assert genret(monkeypatch, "baseline", command, corpus, *options, "--output", path) == 0
        assert path.read_text().splitlines()[0].split()[-1] in (command, f"{command}-tuned")
        return {query_id: [hit[0] for hit in hits] for query_id, hits in read_run(path).items()}

    dense, words = run("dense", *embedding), run("bm25")
    together = run(name, *embedding)
    assert {len(hits) for hits in together.values()} == {3}
    assert together["q3"] == dense["q3"]  # no word in common
    assert {hits[0] for hits in run(name, *embedding, "-k", 1).values()} == {h[0] for h in together.values()}
    if name == "hybrid":
        assert run(name, *embedding, "--weight", 0) == dense
        heavy = run(name, *embedding, "--weight", 100)
        assert {q: hits[: len(words[q])] for q, hits in heavy.items()} == words
    stemmed = run(name, *embedding, "--tuned")
    assert stemmed.keys() == together.keys()


def test_comparison_per_query_values_and_files(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, table, lines = (tmp_path / name for name in ("one", "two", "table.md", "queries.jsonl"))
    one.write_text("q1 Q0 a 1 1.0 x\nq2 Q0 b 1 1.0 x\n")
    two.write_text("q1 Q0 b 1 1.0 x\nq2 Q0 b 1 1.0 x\n")
    arguments = ["eval", one, corpus / "qrels" / "dev.tsv", "--against", two, "--metric", "hit@1"]
    assert (
        genret(monkeypatch, *arguments, "--format", "markdown", "--output", table, "--per-query", lines) == 0
    )
    assert capsys.readouterr().out == ""
    assert f"| {one} | 3 | .667 [" in table.read_text()
    assert "hit@1: +0.3333 [" in table.read_text()
    assert "better in 1 queries, worse in 0, equal in 2." in table.read_text()
    assert [json.loads(line) for line in lines.read_text().splitlines()] == [
        {"query_id": "q1", "hit@1": 1.0},
        {"query_id": "q2", "hit@1": 1.0},
        {"query_id": "q3", "hit@1": 0.0},
    ]
    assert genret(monkeypatch, *arguments) == 0
    assert ".667 [" in capsys.readouterr().out


BAD_CALLS = {
    "no such corpus": (
        ["baseline", "bm25", "{set}/nowhere", "--output", "{out}"],
        3,
        "nowhere: no such file or folder",
    ),
    "corpus is text": (
        ["baseline", "bm25", "{set}/qrels/dev.tsv", "--queries", "{set}", "--output", "{out}"],
        3,
        "not JSON",
    ),
    "unknown split": (
        ["baseline", "bm25", "{set}", "--split", "x", "--output", "{out}"],
        3,
        "it has dev, train",
    ),
    "split of a file": (
        [
            "baseline",
            "bm25",
            "{set}",
            "--queries",
            "{set}/queries.jsonl",
            "--split",
            "dev",
            "--output",
            "{out}",
        ],
        2,
        "--split needs the queries' folder",
    ),
    "output exists": (["baseline", "bm25", "{set}", "--output", "{set}/corpus.jsonl"], 3, "pass --overwrite"),
    "output folder missing": (
        ["baseline", "bm25", "{set}", "--output", "{set}/no/run"],
        3,
        "its folder does not exist",
    ),
    "output is a folder": (["baseline", "bm25", "{set}", "--output", "{set}"], 3, "is a folder; name a file"),
    "no output": (["baseline", "bm25", "{set}"], 2, "--output"),
    "k of zero": (["baseline", "bm25", "{set}", "-k", "0", "--output", "{out}"], 2, "-k"),
    "no such encoder": (
        ["baseline", "dense", "{set}", "--encoder", "./nowhere", "--output", "{out}"],
        3,
        "./nowhere: no such folder",
    ),
    "a weight below zero": (
        ["baseline", "hybrid", "{set}", "--weight", "-1", "--output", "{out}"],
        2,
        "--weight",
    ),
    "a weight that is no number": (
        ["baseline", "hybrid", "{set}", "--weight", "nan", "--output", "{out}"],
        2,
        "--weight",
    ),
    "no such encoder of a fusion": (
        ["baseline", "rrf", "{set}", "--encoder", "./nowhere", "--output", "{out}"],
        3,
        "./nowhere: no such folder",
    ),
    "no run": (["eval", "{out}", "{set}", "--split", "dev"], 3, "no such file or folder"),
    "run is no run": (
        ["eval", "{set}/queries.jsonl", "{set}", "--split", "dev"],
        3,
        "write it as columns. It begins",
    ),
    "split not named": (["eval", "{run}", "{set}"], 3, "several splits (dev, train); name one"),
    "unknown metric": (
        ["eval", "{run}", "{set}", "--split", "dev", "--metric", "map"],
        2,
        "'map' is not a metric",
    ),
    "nothing in common": (["eval", "{run}", "{set}", "--split", "train"], 3, "no query in common"),
    "unknown training split": (
        ["eval", "{run}", "{set}", "--split", "dev", "--trained-on", "x"],
        3,
        "no judgements for the split 'x'",
    ),
    "unknown format": (["eval", "{run}", "{set}", "--format", "pdf"], 2, "pdf"),
}


@pytest.mark.parametrize("case", list(BAD_CALLS))
def test_bad_calls_end_in_a_sentence(
    case: str,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, code, message = BAD_CALLS[case]
    run = tmp_path / "some.run"
    run.write_text("q1 Q0 a 1 1.0 x\n")
    filled = [argument.format(set=corpus, out=tmp_path / "out", run=run) for argument in arguments]
    assert genret(monkeypatch, *filled) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def kilt_line(line_id: str, answer: str, *pages: str) -> str:
    return json.dumps(
        {
            "id": line_id,
            "input": "?",
            "output": [{"answer": answer, "provenance": [{"wikipedia_id": p} for p in pages]}],
        }
    )


def test_kilt_files_are_scored_as_its_leaderboard_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, guess, run = (tmp_path / name for name in ("gold.jsonl", "guess.jsonl", "run"))
    gold.write_text("\n".join([kilt_line("1", "yes", "7"), kilt_line("2", "no", "8", "9")]))
    guess.write_text("\n".join([kilt_line("2", "no", "8", "5", "9"), kilt_line("1", "no", "7")]))
    run.write_text("1 Q0 7#3 1 2.0 x\n2 Q0 8#1 1 2.0 x\n2 Q0 8#2 2 1.5 x\n2 Q0 9#1 3 1.0 x\n")

    def means(*arguments: object) -> dict[str, float]:
        assert genret(monkeypatch, "eval", *arguments, "--format", "json") == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        return {name: value["mean"] for name, value in rows[0]["metrics"].items()}

    assert means(guess, gold, "--kilt", "page", "--metric", "Rprec") == {"Rprec": 0.75}
    assert means(run, gold, "--kilt", "page") == {
        "Rprec": 1.0,
        "precision@1": 1.0,
        "recall@5": 1.0,
        "success_rate@5": 1.0,
    }
    assert means(guess, gold, "--kilt", "answers")["em"] == 0.5
    assert means(run, gold, "--kilt", "page", "--against", guess)["Rprec"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--kilt", "page", "--split", "dev"], 2, "--split does not go with --kilt"),
        (["--kilt", "page", "--metric", "hit@1"], 2, "'hit@1' is not a KILT metric"),
        (["--kilt", "answers", "--metric", "em"], 2, "--kilt answers has a fixed list of metrics"),
        (["--kilt", "page"], 3, "1 of 2 gold lines have no guess: '2'"),
    ],
)
def test_bad_kilt_calls_end_in_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "gold").write_text("\n".join([kilt_line("1", "yes", "7"), kilt_line("2", "no", "8")]))
    (tmp_path / "guess").write_text(kilt_line("1", "yes", "7"))
    assert genret(monkeypatch, "eval", tmp_path / "guess", tmp_path / "gold", *arguments) == code
    assert message in capsys.readouterr().err


def test_ties_and_identical_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other, qrels = tmp_path / "run", tmp_path / "other", tmp_path / "qrels"
    run.write_text("a1 Q0 a1 1 3 t\na1 Q0 a2 2 2 t\na1 Q0 a3 3 2 t\n")
    other.write_text("a1 Q0 a2 1 3 t\n")
    qrels.write_text("a1 0 a2 1\n")

    def first(*options: object) -> tuple[float, str]:
        assert (
            genret(monkeypatch, "eval", run, qrels, "--metric", "MRR@10", "--format", "json", *options) == 0
        )
        captured = capsys.readouterr()
        return json.loads(captured.out)["rows"][0]["metrics"]["MRR@10"]["mean"], captured.err

    value, said = first()
    assert_close(value, 1 / 3, relative=DOUBLE)
    assert "1 of 1 queries have a hit with their own id, not judged relevant" in said
    assert "--drop-identical-ids" in said
    assert first("--ties", "file")[0] == 1 / 2
    assert first("--drop-identical-ids") == (1 / 2, "")
    assert first("--drop-identical-ids", "--ties", "file") == (1.0, "")
    qrels.write_text("a1 0 a2 1\na1 0 a1 1\n")
    assert first()[1] == ""
    assert genret(monkeypatch, "compare", run, other, "-j", qrels, "--ties", "file", "--format", "json") == 0
    means = [row["metrics"]["hit@1"]["mean"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert means == [1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "MRR@0"], "'MRR@0' is not a metric"),
        (["--kilt", "page", "--metric", "MRR@10"], "'MRR@10' is not a KILT metric"),
        (["--answers-in", "nowhere", "--metric", "hit@1"], "'hit@1' is no metric of answers"),
        (["--kilt", "page", "--drop-identical-ids"], "--drop-identical-ids goes with judgements"),
    ],
)
def test_metrics_are_refused_before_anything_is_read(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert genret(monkeypatch, "eval", "no-run", "no-judgements", *options) == 2
    assert message in capsys.readouterr().err


def test_judgements_with_negative_grades_only_do_not_end_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other, qrels = tmp_path / "run", tmp_path / "other", tmp_path / "qrels"
    qrels.write_text("q1 0 d1 1\nq2 0 d2 -2\n")
    run.write_text("q1 Q0 d1 1 3 t\nq2 Q0 d1 1 2 t\n")
    other.write_text("q1 Q0 d1 1 3 t\nq2 Q0 d2 1 2 t\n")
    metrics = ["--metric", "hit@1", "--metric", "MRR@10", "--metric", "nDCG@10", "--format", "json"]
    assert genret(monkeypatch, "eval", run, qrels, *metrics) == 0
    assert genret(monkeypatch, "compare", run, other, "-j", qrels, *metrics) == 0
    for line in capsys.readouterr().out.replace("}\n{", "}\n\0{").split("\0"):
        for row in json.loads(line)["rows"]:
            assert {name: value["mean"] for name, value in row["metrics"].items()} == {
                "hit@1": 0.5,
                "MRR@10": 0.5,
                "nDCG@10": 0.5,
            }


def test_a_run_of_pieces_is_scored_by_documents(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = tmp_path / "pieces.jsonl"
    assert genret(monkeypatch, "convert", corpus, "-o", pieces, "--split", "words:2") == 0
    run, judged = tmp_path / "run.trec", tmp_path / "judged.tsv"
    hits = [("a#1", 3), ("a#2", 2), ("b#1", 1)]
    run.write_text("".join(f"q1 Q0 {one} 1 {score} x\n" for one, score in hits))
    judged.write_text("query-id\tcorpus-id\tscore\nq1\tb\t1\n")

    def scored(*options: object) -> tuple[float, str]:
        asked = ["eval", run, judged, "--metric", "MRR@2", "--format", "json", *options]
        assert genret(monkeypatch, *asked) == 0
        told = capsys.readouterr()
        return json.loads(told.out)["rows"][0]["metrics"]["MRR@2"]["mean"], told.err

    mean, told = scored()
    assert mean == 0.0
    assert "such as 'b#1': --pieces-in MODEL" in told
    assert scored("--pieces-in", pieces) == (0.5, "")
    assert genret(monkeypatch, "eval", run, judged, "--pieces-in", pieces, "--kilt", "page") == 2
