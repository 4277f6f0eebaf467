"""The passage store against a list of passages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, PassageStore, store
from genret.errors import ArtefactError, InputError

text = st.text(st.characters(codec="utf-8"), max_size=12)
passages = st.lists(
    st.builds(Passage, text.filter(bool), text, text.filter(bool), st.just({})),
    max_size=12,
    unique_by=lambda passage: passage.passage_id,
)


@settings(max_examples=60, deadline=None)
@given(listed=passages)
def test_store_equals_a_list(tmp_path_factory: pytest.TempPathFactory, listed: list[Passage]) -> None:
    path = tmp_path_factory.mktemp("store") / "passages"
    built = PassageStore.build(iter(listed))
    built.save(path)
    for stored in (built, PassageStore.load(path), PassageStore.load(path, verify="header")):
        assert len(stored) == len(listed)
        assert list(stored) == listed
        assert list(stored.passage_ids) == [passage.passage_id for passage in listed]
        assert [stored.row(passage.passage_id) for passage in listed] == list(range(len(listed)))
        assert stored[1:3] == listed[1:3]
        assert list(stored.texts[-2:]) == [passage.text for passage in listed[-2:]]
        assert stored.fingerprint == built.fingerprint


def test_lookup_and_membership() -> None:
    stored = PassageStore.build([Passage("a", "A", "x"), Passage("b", "", "y")])
    assert stored[-1] == Passage("b", "", "y")
    assert "a" in stored
    assert Passage("a", "A", "x") in stored
    assert Passage("a", "A", "other") not in stored
    assert "c" not in stored
    assert 7 not in stored
    with pytest.raises(InputError, match="no passage has the id 'c'; the corpus has 2 passages"):
        stored.row("c")
    with pytest.raises(IndexError):
        stored[2]


def test_ids_with_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.xxhash, "xxh3_64_intdigest", lambda data: 5)
    stored = PassageStore.build([Passage("a", "", "x"), Passage("b", "", "y"), Passage("c", "", "z")])
    assert [stored.row(passage_id) for passage_id in "abc"] == [0, 1, 2]
    assert "d" not in stored


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (
            [Passage("a", "", "x"), Passage("b", "", "y"), Passage("a", "", "z")],
            "passages 0 and 2 have one id, 'a'",
        ),
        ([Passage("", "", "x")], "passage 0: its id, or both its title and its text, are empty"),
        ([Passage("a", "", "")], r"passage 0: its id, or both .* are empty: \('a', '', ''\)"),
    ],
)
def test_passages_that_cannot_be_stored(listed: list[Passage], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PassageStore.build(listed)


def test_fingerprint_tells_where_strings_end() -> None:
    one = PassageStore.build([Passage("a", "b", "cd"), Passage("b", "", "x")])
    two = PassageStore.build([Passage("a", "b", "c"), Passage("b", "", "dx")])
    assert one.fingerprint != two.fingerprint


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passages"
    PassageStore.build([Passage("a", "t", "some text of a passage")]).save(path)
    good = path.read_bytes()
    place = good.index(b"some text")
    path.write_bytes(good[:place] + b"S" + good[place + 1 :])
    with pytest.raises(ArtefactError, match="checksum of section 'texts'"):
        PassageStore.load(path)
    path.write_bytes(good[:-5])
    with pytest.raises(ArtefactError, match="truncated or altered"):
        PassageStore.load(path, verify="header")
    with pytest.raises(ArtefactError, match="cannot be read"):
        PassageStore.load(tmp_path / "missing")
