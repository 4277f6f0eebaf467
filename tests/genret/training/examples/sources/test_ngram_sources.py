"""What a model of n-grams is trained on: targets are what the index holds, and follow their seed."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from floats import DOUBLE, assert_close
from hypothesis import given
from hypothesis import strategies as st
from tiny_ngrams import PASSAGES, PSEUDO, marked_t5, text_index

from genret.corpus import PassageStore
from genret.errors import InputError
from genret.training.examples.example import Examples, Targets
from genret.training.examples.sources import EvaluationQueries, Material, Pair, Source, make_source
from genret.training.examples.sources.telling_spans import Rarity, span_chances

TOKENIZER = marked_t5().tokenizer
SEPARATOR = TOKENIZER("\n", add_special_tokens=False).input_ids[0]
QUERIES = {"q1": "which river is in france", "q2": "mountains of the alps"}
JUDGED = {"q1": {"seine": 1, "rome": 0}, "q2": {"alps": 1}}


def material(seed: int = 0, **fields: object) -> Material:
    store = PassageStore.build(PASSAGES)
    given = {"queries": QUERIES, "judgements": JUDGED, "tokenizer": TOKENIZER, **fields}
    return Material(store, seed=seed, **given)  # type: ignore[arg-type]


def pseudo_file(folder: Path) -> Path:
    path = folder / "pseudo.jsonl"
    rows = [
        {"passage_id": passage.passage_id, "text": text}
        for passage, texts in zip(PASSAGES, PSEUDO, strict=True)
        for text in texts
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sources(folder: Path) -> list[Source]:
    options = {"words": 3, "per_example": 40, "titles": 0.3}
    return [
        make_source("query_ngrams", options),
        make_source("span_ngrams", options),
        make_source("pseudo_query_ngrams", {"path": str(pseudo_file(folder)), "per_example": 6}),
    ]


def test_every_target_occurs_in_the_index_in_its_passage(tmp_path: Path) -> None:
    """One layout for index and training data; pitfall 21: the same tokens in both."""
    index = text_index(tmp_path / "index", TOKENIZER).index
    for source in sources(tmp_path):
        pairs = list(source.open(material()))
        assert len({pair.documents for pair in pairs}) > 1
        for pair in pairs:
            assert pair.tokens
            for part in parts(pair):
                lo, hi = index.range(part)
                assert pair.documents[0] in index.documents([lo], [hi])[1], (source.name, pair)


def parts(pair: Pair) -> list[tuple[int, ...]]:
    """The title with its separator, and the span behind it; another target is one part."""
    assert pair.tokens is not None
    if not pair.text.endswith("|| title"):
        return [pair.tokens]
    end = pair.tokens.index(SEPARATOR) + 1
    return [part for part in (pair.tokens[:end], pair.tokens[end:]) if part]


def test_behind_a_title_and_its_separator_comes_a_span() -> None:
    """One sequence teaches both; a text ends within its passage."""
    pairs = list(make_source("query_ngrams", {"words": 2, "per_example": 50, "titles": 0.3}).open(material()))
    titles = [parts(pair) for pair in pairs if pair.text.endswith("|| title")]
    assert 0.15 < len(titles) / len(pairs) < 0.45
    assert {title[-1] for title, _ in titles} == {SEPARATOR}
    spans = {TOKENIZER.decode(pair.tokens) for pair in pairs if pair.text.endswith("|| body")}
    assert " river in" in spans
    assert all(1 <= len(span.split()) <= 2 for span in spans)
    assert all(1 <= len(TOKENIZER.decode(span).split()) <= 2 for _, span in titles)


def test_spans_that_share_words_with_the_query_are_likelier() -> None:
    def share(temperature: float) -> float:
        options = {"words": 2, "per_example": 300, "titles": 0.0, "temperature": temperature}
        pairs = make_source("query_ngrams", options).open(material(judgements={"q1": {"seine": 1}}))
        spans = [TOKENIZER.decode(pair.tokens) for pair in pairs]
        return sum(span in (" is a", " river in", " in France.") for span in spans) / len(spans)

    assert share(0.05) > share(1000.0) + 0.2


def chances_slowly(
    pieces: list[str], query: str, rarity: Rarity, size: int, temperature: float
) -> list[float]:
    """Place by place, as the formula says."""
    asked, text = set(query.lower().split()), {one.strip(" .").lower() for one in pieces}
    whole = sum(rarity.idf(word) for word in asked & text)
    worth = []
    for begin in range(max(1, len(pieces) - size + 1)):
        span = {one.strip(" .").lower() for one in pieces[begin : begin + size]}
        worth.append(math.exp(sum(rarity.idf(word) for word in asked & span) / (whole or 1) / temperature))
    return [one / sum(worth) for one in worth]


WORDS = ["the", "river", "seine", "alps", "of", "france"]


@given(
    text=st.lists(st.sampled_from([*WORDS, "The", "Seine.", "x"]), min_size=1, max_size=12),
    query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
    size=st.integers(1, 5),
)
def test_spans_are_drawn_by_how_much_of_the_query_they_hold(
    text: list[str], query: list[str], size: int
) -> None:
    rarity = Rarity(Counter({"the": 9, "of": 8, "river": 4, "seine": 1}), 10)
    found = span_chances(text, " ".join(query), rarity, size, 0.3)
    assert_close(found, chances_slowly(text, " ".join(query), rarity, size, 0.3), relative=DOUBLE)


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    rarity = Rarity.of(PassageStore.build(PASSAGES))
    assert rarity.count == len(PASSAGES)
    assert rarity.held["river"] == 2
    common, rare = span_chances(["the", "alps"], "the alps", rarity, 1, 0.1)
    assert rare > common


def test_a_seed_gives_the_same_pairs_and_another_seed_others(tmp_path: Path) -> None:
    for source in sources(tmp_path):
        assert list(source.open(material(1))) == list(source.open(material(1)))
        assert list(source.open(material(1))) != list(source.open(material(2)))


def test_evaluation_queries_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A marker behind the query must not hide it."""
    held = material(evaluation=EvaluationQueries(["Which river is in France?"]))
    for source in (sources(tmp_path)[0], sources(tmp_path)[2]):
        assert len({pair.documents for pair in source.open(material())}) == 2
        caplog.clear()
        assert {pair.documents for pair in source.open(held)} == {(2,)}
        assert f"source {source.name!r}: a text is left out of training" in caplog.text


def test_targets_end_and_need_no_docids() -> None:
    source = make_source("span_ngrams", {"words": 2})
    examples = Examples(source.open(material()), "spans", Targets(None, 1))
    assert examples[0].target[-1] == 1
    docids = Examples(make_source("daq", {}).open(material()), "daq", Targets(None, 1))
    with pytest.raises(InputError, match="a source of n-grams"):
        _ = docids[0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("query_ngrams", {"words": 0}, "at least 1"),
        ("query_ngrams", {"temperature": 0}, "above 0"),
        ("span_ngrams", {"titles": 2}, "titles: expected at most 1, found 2"),
        ("span_ngrams", {"body": "x"}, "once"),
        ("pseudo_query_ngrams", {"per_example": 0}, "at least 1"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_source(name, options)


def test_pseudo_queries_of_unknown_passages_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pseudo.jsonl"
    path.write_text('{"passage_id": "nowhere", "text": "x"}\n')
    with pytest.raises(InputError, match=r"pseudo.jsonl.*1.*nowhere"):
        make_source("pseudo_query_ngrams", {"path": str(path)}).open(material())
    with pytest.raises(InputError, match="needs `path`"):
        make_source("pseudo_query_ngrams", {}).open(material())
