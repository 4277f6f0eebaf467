"""Runs: what is written is read again, strictly ordered, with every query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from floats import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import read_judgements, read_run, write_judgements, write_run
from genret.corpus.formats import registry
from genret.corpus.formats.datafile import DataFile
from genret.errors import InputError

scores = st.one_of(
    st.floats(-1e30, 1e30, allow_nan=False), st.sampled_from([0.0, 1.0, 1.0 - 1e-12, 1.0 - 1e-9, -0.0])
)
hits = st.dictionaries(st.sampled_from([f"p{i}" for i in range(12)]), scores, max_size=12).map(
    lambda found: list(found.items())
)


def file_scores(path: Path, query_id: str) -> list[tuple[str, int, float]]:
    rows = [line.split(" ") for line in path.read_text().splitlines()]
    return [(row[2], int(row[3]), float(row[4])) for row in rows if row[0] == query_id]


@settings(max_examples=150, deadline=None)
@given(run=st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), hits, min_size=1))
def test_round_trip_keeps_order_and_strictly_decreases(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, list[tuple[str, float]]]
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.trec"
    write_run(path, run)
    again = read_run(path)
    assert list(again) == list(run)
    for query_id, found in run.items():
        ordered = sorted(found, key=lambda hit: -hit[1])
        assert [passage_id for passage_id, _ in again[query_id]] == [passage_id for passage_id, _ in ordered]
        written = np.array([score for _, score in again[query_id]])
        assert (np.diff(written.astype(np.float32)) < 0).all()
        # A tied score goes down by one float32 step for each hit before it.
        assert_close(written, [score for _, score in ordered], within=1e-5 * np.abs(written) + 1e-40)
    write_run(path, again)
    assert read_run(path) == again


def test_scores_keep_every_digit_and_ties_are_spread_in_the_order_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "run"
    third = 1 / 3
    write_run(path, {"q": [("z", 0.1), ("b", 2.0), ("c", 2.0), ("a", 2.0), ("m", third)]}, tag="mine")
    rows = file_scores(path, "q")
    assert [(name, rank) for name, rank, _ in rows] == [("b", 1), ("c", 2), ("a", 3), ("m", 4), ("z", 5)]
    assert rows[0][2] == 2.0
    assert rows[1][2] == float(np.nextafter(np.float32(2), np.float32(0)))
    assert rows[3][2] == third
    assert path.read_text().splitlines()[0] == "q Q0 b 1 2.0 mine"


def test_a_query_without_hits_stays(tmp_path: Path) -> None:
    path = tmp_path / "run"
    write_run(path, {"q1": [], "q2": [("a", 1.0)]}, query_ids=["q2", "q3"])
    assert path.read_text().splitlines()[0] == "q1 Q0 <none> 1 0.0 genret"
    assert read_run(path) == {"q1": [], "q2": [("a", 1.0)], "q3": []}


def test_equal_scores_are_read_as_trec_eval_does(tmp_path: Path) -> None:
    """By passage id downwards, as bytes; `file` keeps the lines' order; ranks mean nothing, scores are 64 bits wide."""
    path = tmp_path / "run"
    lines = [
        "q Q0 b 1 1.0 t",
        "q Q0 B 2 1 t",
        "q Q0 é 3 10e-1 t",
        "q Q0 z 4 1.00000000001 t",
        "q Q0 a 5 .5 t",
    ]
    path.write_text("\n".join(lines))
    assert [passage_id for passage_id, _ in read_run(path)["q"]] == ["z", "é", "b", "B", "a"]
    assert [passage_id for passage_id, _ in read_run(path, "file")["q"]] == ["z", "b", "B", "é", "a"]


DIRTY_RUNS = {
    "a tag with blanks": ("q1\tQ0\td1\t1\t3.5\tmy tag here\n", {"q1": [("d1", 3.5)]}),
    "blanks at the end, a blank line, CRLF": (
        "q Q0 a 1 2 t  \t\r\n \r\nq Q0 b 2 1 t\r\n",
        {"q": [("a", 2.0), ("b", 1.0)]},
    ),
    "blanks of every kind": (" q\t q0  a \t1 -1e-3 t\n", {"q": [("a", -0.001)]}),
    "a no-break space in an id": ("q Q0 a\u00a0b 1 2 t\n", {"q": [("a\u00a0b", 2.0)]}),
    "a comment": ("# my run of today\n#1 Q0 a 1 2 t\n", {"#1": [("a", 2.0)]}),
    "ranks that are no numbers": ("1 Q0 2 - +2.5E+1 t\n", {"1": [("2", 25.0)]}),
}


@pytest.mark.parametrize("case", list(DIRTY_RUNS))
def test_runs_as_people_have_them(case: str, tmp_path: Path) -> None:
    text, expected = DIRTY_RUNS[case]
    path = tmp_path / "run"
    path.write_bytes(text.encode())
    assert read_run(path) == expected
    if case != "ranks that are no numbers":
        assert registry.detect(DataFile(path)) == "trec-run"


def test_other_tools_read_the_same_order(tmp_path: Path) -> None:
    """Some keep scores as 32-bit floats, and break ties by passage id downwards; here are no ties left."""
    import ir_measures

    path = tmp_path / "run"
    write_run(path, {"q": [("a", 1.0), ("b", 1.0), ("c", 1.0 - 1e-12)], "empty": []})
    judged = {"q": {"a": 1}, "empty": {"x": 1}}
    values = ir_measures.iter_calc([ir_measures.RR], judged, ir_measures.read_trec_run(str(path)))
    assert {value.query_id: value.value for value in values} == {"q": 1.0, "empty": 0.0}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"q": [("a", float("nan"))]}, "query 'q', passage 'a': the score nan is not finite"),
        ({"q": [("a", float("-inf"))]}, "the score -inf is not finite"),
        ({"q": [("a", 1.0), ("a", 0.5)]}, "query 'q': passage 'a' is among its hits twice"),
        ({"q": [("a b", 1.0)]}, "the id 'a b' cannot stand in a TREC file"),
        ({"": [("a", 1.0)]}, "the id '' cannot stand in a TREC file"),
        ({"q q": []}, "the id 'q q' cannot stand"),
        ({"#": []}, "the id '#' cannot stand"),
        ({"q": [("<none>", 1.0)]}, "the id '<none>' cannot stand"),
    ],
)
def test_runs_that_cannot_be_written(
    tmp_path: Path, run: dict[str, list[tuple[str, float]]], message: str
) -> None:
    path = tmp_path / "run"
    path.write_text("what was there before")
    with pytest.raises(InputError, match=message):
        write_run(path, run)
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 a 1 1.0 t\nq a 1.0\n", r"run, line 2: expected 6 columns .*, found 3: 'q a 1\.0'"),
        ("q Q0 a 1 high t\n", r"line 1, column 5: expected a finite score, found 'high'"),
        ("q Q0 a 1 nan t\n", r"expected a finite score, found 'nan'"),
        ("q Q0 a 1 1_0 t\n", r"expected a finite score, found '1_0'"),
        ("q Q0 a 1 1e999 t\n", r"expected a finite score, found '1e999'"),
        ("q Q0 a 1 2.0\n", r"expected 6 columns \(query, Q0, passage, rank, score, tag\), found 5"),
        ("q Q0 a 1 2 t\nq Q0 a 2 1 t\n", r"line 2: passage 'a' is a hit of query 'q' twice"),
        ("", r"it has no line"),
    ],
)
def test_runs_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_run(path)


def test_a_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a run file, found a folder"):
        read_run(tmp_path)


def test_judgements_between_tabs_may_have_ids_with_spaces(tmp_path: Path) -> None:
    judged = {"PLAIN 3": {"a b": 1}}
    write_judgements(tmp_path / "dev.tsv", judged)
    assert read_judgements(tmp_path / "dev.tsv") == judged
    for query_id in ("a\tb", " a", "", "a\n"):
        with pytest.raises(InputError, match="cannot stand between tabs"):
            write_judgements(tmp_path / "x.tsv", {query_id: {"a": 1}})
    with pytest.raises(InputError, match="cannot stand in a TREC file"):
        write_judgements(tmp_path / "x.qrels", judged)
