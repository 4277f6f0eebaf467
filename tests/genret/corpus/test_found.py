"""genret-run: what a search wrote is what a merge reads, whatever the model's tokens spell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.dpr import Question
from genret.corpus.formats.found import FoundMatch, FoundPassage, FoundQuery, found_line, found_queries
from genret.errors import InputError

# Of one token each: a blank, a line end, a control character, half a character, a byte order mark, nothing.
SPELT = st.sampled_from([" ", "\n", "\r\n", "\0", "\ufffd", "\ufeff", "\u2028", "\x85", ""]) | st.text(
    st.characters(exclude_categories=["Cs"])
)
SCORES = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text("ab é#</>", min_size=1).map(str.strip).filter(bool)
MATCHES = st.lists(st.builds(FoundMatch, SPELT, SCORES), max_size=3).map(tuple)
FIELDS = st.dictionaries(SPELT, st.one_of(SPELT, st.integers(), SCORES, st.booleans()), max_size=2)
PASSAGES = st.lists(
    st.builds(FoundPassage, WORDS, SCORES, SPELT, MATCHES, FIELDS),
    max_size=3,
    unique_by=lambda one: one.passage_id,
)
QUESTIONS = st.lists(
    st.builds(Question, WORDS, WORDS, st.lists(WORDS, max_size=2)),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one[0],
)


@given(QUESTIONS, PASSAGES)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, questions: list[Question], passages: list[FoundPassage]
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "found"
    found = [FoundQuery(question, passages) for question in questions]
    path.write_bytes("".join(map(found_line, found)).encode())
    assert list(found_queries(DataFile(path))) == found


@pytest.mark.parametrize(
    "hit",
    [
        '{"passage_id": " ", "score": 1}',
        '{"passage_id": "a", "score": 1, "docid": 7}',
        '{"passage_id": "a", "score": 1, "matches": [{"score": 1}]}',
        '{"passage_id": "a", "score": 1, "matches": [{"text": null, "score": 1}]}',
    ],
)
def test_what_is_no_string_is_refused(hit: str, tmp_path: Path) -> None:
    path = tmp_path / "found"
    path.write_text(f'{{"query_id": "q", "query": "who", "hits": [{hit}]}}\n')
    with pytest.raises(InputError, match=r"line 1, field '\w+': expected a (text|string) in every entry"):
        list(found_queries(DataFile(path)))


@pytest.mark.parametrize("fields", ["3", '["a"]', '{"a": null}', '{"a": [1]}', '{"a": NaN}'])
def test_what_is_no_field_is_refused(fields: str, tmp_path: Path) -> None:
    path, hit = tmp_path / "found", f'{{"passage_id": "a", "score": 1, "metadata": {fields}}}'
    path.write_text(f'{{"query_id": "q", "query": "who", "hits": [{hit}]}}\n')
    with pytest.raises(InputError, match=r"line 1, field 'metadata': expected an object of texts, numbers"):
        list(found_queries(DataFile(path)))
