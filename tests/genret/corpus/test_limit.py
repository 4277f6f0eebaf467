"""The LIMIT task: its words, its sizes, and exactly two right passages for each question."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import Query, read_judgements, read_queries, read_store
from genret.corpus.limit import LimitOptions, LimitTask, limit_making, limit_task
from genret.corpus.limit.names_and_likings import FIRST_NAMES, LAST_NAMES, LIKINGS

FORMS = [LimitOptions(small, hard, seed=3) for small in (False, True) for hard in (False, True)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def listed(text: str) -> set[str]:
    """What a passage lists; a liking with "and" in it counts as its two halves."""
    return set(text.split(" likes ")[1].removesuffix(".").replace(" and ", ", ").split(", "))


def asked(query: Query) -> set[str]:
    return set(query.text.removeprefix("Who likes ").removesuffix("?").split(" and "))


@pytest.fixture(params=FORMS, ids=str)
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[LimitOptions, LimitTask]:
    """Each form with fewer passages and questions."""
    monkeypatch.setattr(limit_making, "PASSAGES", 300)
    monkeypatch.setattr(limit_making, "QUERIES", 60)
    return request.param, limit_task(request.param)


def test_no_liking_is_a_part_of_another_and_no_name_a_word_of_one() -> None:
    phrases = [f" {' '.join(words(liking))} " for liking in LIKINGS]
    assert len(set(phrases)) == len(phrases)
    text = "|".join(phrases)
    assert [phrase for phrase in phrases if text.count(phrase) > 1] == []
    used = {word for liking in LIKINGS for word in words(liking)}
    names = [name.lower() for name in FIRST_NAMES + LAST_NAMES]
    assert len(set(names)) == len(names)
    assert not used.intersection(names)
    assert len(FIRST_NAMES) * len(LAST_NAMES) >= limit_making.PASSAGES
    # A passage may be filled without anything that is asked.
    assert len(LIKINGS) - limit_making.QUERIES >= limit_making.LISTED


@pytest.mark.parametrize(
    ("options", "passages", "queries"),
    [
        (LimitOptions(), 50_000, 1_000),
        (LimitOptions(small=True), 46, 1_000),
        (LimitOptions(small=True, hard_negatives=True), 92, 23),
    ],
)
def test_sizes_and_two_right_passages_at_full_size(
    options: LimitOptions, passages: int, queries: int
) -> None:
    task = limit_task(options)
    assert (len(task.passages), len(task.queries)) == (passages, queries)
    assert len({passage.passage_id for passage in task.passages}) == passages
    assert len({passage.text.split(" likes ")[0] for passage in task.passages}) == passages
    counts = Counter(liking for passage in task.passages for liking in listed(passage.text))
    assert {counts[liking] for query in task.queries for liking in asked(query)} == {2}
    assert len({query.text for query in task.queries}) == queries
    judged = Counter(passage_id for grades in task.judgements.values() for passage_id in grades)
    assert judged.total() == 2 * queries
    # Of 46 passages 35 of all pairs are no question's; with hard negatives every passage is right once.
    assert len(judged) == (2 * queries if options.hard_negatives else 46)
    assert len({frozenset(grades) for grades in task.judgements.values()}) == queries


def test_what_is_asked_for_is_in_the_right_passages_and_in_no_other(
    made: tuple[LimitOptions, LimitTask],
) -> None:
    _, task = made
    texts = {passage.passage_id: f" {' '.join(words(passage.text))} " for passage in task.passages}
    assert list(task.judgements) == [query.query_id for query in task.queries]
    for query in task.queries:
        phrase = f" {' '.join(words(query.text)[2:])} "
        right = {passage_id for passage_id, text in texts.items() if phrase in text}
        assert task.judgements[query.query_id] == dict.fromkeys(right, 1)
        assert len(right) == 2


def test_every_passage_lists_fewer_than_fifty_likings_each_once(made: tuple[LimitOptions, LimitTask]) -> None:
    assert limit_making.LISTED < 50
    for passage in made[1].passages:
        phrases = Counter(
            passage.text.split(" likes ")[1].removesuffix(".").replace(" and ", ", ").split(", ")
        )
        assert set(phrases.values()) == {1}
        halves = sum(" and " in liking and phrases.keys() >= set(liking.split(" and ")) for liking in LIKINGS)
        assert len(phrases) - halves == limit_making.LISTED


def test_a_hard_negative_shares_all_but_what_is_asked(made: tuple[LimitOptions, LimitTask]) -> None:
    options, task = made
    assert options.small or (len(task.passages), len(task.queries)) == (300, 60)
    likes = {passage.passage_id: listed(passage.text) for passage in task.passages}
    for query in task.queries:
        for passage_id in task.judgements[query.query_id]:
            rest = likes[passage_id] - asked(query)
            near = [one for one, found in likes.items() if found >= rest and one != passage_id]
            assert len(near) == options.hard_negatives
            assert not {one for one in near if one in task.judgements[query.query_id]}


def test_the_small_form_has_right_passages_of_the_large_one(made: tuple[LimitOptions, LimitTask]) -> None:
    options, task = made
    small = limit_task(replace(options, small=True))
    texts = [{p.passage_id: p.text for p in one.passages} for one in (small, task)]
    for query in small.queries:
        assert query in task.queries
        found = [
            {text[passage_id] for passage_id in one.judgements[query.query_id]}
            for text, one in zip(texts, (small, task), strict=True)
        ]
        assert found[0] == found[1]


def test_right_passages_stand_anywhere() -> None:
    task = limit_task(LimitOptions(seed=1, hard_negatives=True, small=True))
    judged = {passage_id for grades in task.judgements.values() for passage_id in grades}
    first = {passage.passage_id for passage in task.passages[:46]}
    assert 10 < len(judged & first) < 36  # of 46; out of 92, 23 on average with a deviation of 3.4


def test_the_command_writes_a_folder_that_a_seed_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(name: str, *options: object) -> dict[str, bytes]:
        folder = tmp_path / name
        assert genret(monkeypatch, "data", "limit", "--output", folder, "--small", *options) == 0
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = made("one", "--seed", 5)
    assert made("two", "--seed", 5) == first
    assert made("three", "--seed", 6)["corpus.jsonl"] != first["corpus.jsonl"]
    store, task = read_store(tmp_path / "one"), limit_task(LimitOptions(small=True, seed=5))
    assert list(store) == task.passages
    assert list(read_queries(tmp_path / "one")) == task.queries
    assert read_judgements(tmp_path / "one", "test", passage_ids=store.passage_ids) == task.judgements
    assert genret(monkeypatch, "data", "limit", "--output", tmp_path / "one", "--small") == 3
    assert "one exists already" in capsys.readouterr().err
    assert made("one", "--seed", 6, "--overwrite") == made("four", "--seed", 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["four", "one", "three", "two"]
