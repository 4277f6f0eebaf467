"""Metadata in the passage store and in files, against a list of passages."""

from __future__ import annotations

import json
import logging
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index.container import read_container, write_container
from genret.corpus import MetadataValue, Passage, PassageStore, metadata, read_passages
from genret.corpus.formats import beir
from genret.corpus.metadata import Column
from genret.errors import ArtefactError, InputError

text = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": text,
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
}
kinds = st.dictionaries(text.filter(bool), st.sampled_from([*VALUES]), max_size=4)
rows = kinds.flatmap(
    lambda fields: st.lists(
        st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in fields.items()}), max_size=8
    )
)


def store_of(listed: list[Mapping[str, MetadataValue]]) -> PassageStore:
    return PassageStore.build(Passage(str(n), "", "x", fields) for n, fields in enumerate(listed))


@settings(max_examples=80, deadline=None)
@given(listed=rows, most=st.sampled_from([1, 2, 1 << 16]))
def test_columns_equal_a_list_of_mappings(
    tmp_path_factory: pytest.TempPathFactory, listed: list[Mapping[str, MetadataValue]], most: int
) -> None:
    path = tmp_path_factory.mktemp("store") / "passages"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "MOST_DISTINCT", most)
        built = store_of(listed)
    built.save(path)
    for store in (built, PassageStore.load(path), PassageStore.load(path, verify="header")):
        assert [store.metadata(row) for row in range(len(store))] == listed
        assert [passage.metadata for passage in store] == listed
        assert store.fingerprint == built.fingerprint
        assert set(store.columns()) == {name for fields in listed for name in fields}
        for name, column in store.columns().items():
            assert column.present.tolist() == [name in fields for fields in listed]
            assert {type(fields[name]) for fields in listed if name in fields} == {
                {"text": str, "int": int, "float": float, "bool": bool}[column.type]
            }


def test_whole_numbers_among_others_become_floats() -> None:
    store = store_of([{"f": 1}, {}, {"f": 0.5}, {"f": 2}])
    found = [store.metadata(row) for row in range(4)]
    assert json.dumps(found) == '[{"f": 1.0}, {}, {"f": 0.5}, {"f": 2.0}]'


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([{"f": 1}, {"f": "a"}], "passage '1' .*, field 'f': expected a whole number, .*, found 'a'"),
        ([{"f": "a"}, {"f": 1}], "field 'f': expected text, .*, found 1"),
        ([{"f": True}, {"f": 1}], "expected true or false, .*, found 1"),
        ([{"f": 1}, {"f": False}], "expected a whole number, .*, found False"),
        ([{"f": 0.5}, {"f": True}], "expected a number, .*, found True"),
        ([{"f": 1}, {"f": 0.5}, {"f": "a"}], "passage '2' .* expected a number, .*, found 'a'"),
        ([{"f": 1 << 63}], "field 'f': 9223372036854775808 does not fit into 64 bits"),
        ([{"f": 10**400}], "does not fit into 64 bits"),
        ([{"f": (1 << 53) + 1}, {"f": 0.5}], "9007199254740993 cannot be kept to the last digit"),
        ([{"f": 0.5}, {"f": (1 << 53) + 1}], "9007199254740993 cannot be kept to the last digit"),
        ([{"f": math.nan}], "expected a number, found nan"),
        ([{"f": -math.inf}], "expected a number, found -inf"),
        ([{"f": "\ud800"}], "half a surrogate pair"),
        ([{"f": [1]}], "expected text, .*, found .1."),
        ([{"": 1}], "field '': is no name"),
        ([{"\ud800": 1}], "is no name"),
        ([{str(n): n for n in range(1001)}], "field '1000': there are 1,000 other fields already"),
    ],
)
def test_what_no_column_holds(listed: list[Mapping[str, MetadataValue]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        store_of(listed)


def test_a_passage_can_be_hashed_pickled_and_written_as_json() -> None:
    plain, told = Passage("a", "A", "x"), Passage("a", "A", "x", {"year": 2020})
    assert plain != told
    assert plain == Passage("a", "A", "x", {})
    assert len({plain, told, Passage("a", "A", "x", {"year": 2020})}) == 2
    assert pickle.loads(pickle.dumps([plain, told])) == [plain, told]  # noqa: S301
    assert json.loads(json.dumps(told._asdict()))["metadata"] == {"year": 2020}
    assert told in PassageStore.build([told])
    assert plain not in PassageStore.build([told])


def test_fields_tell_stores_apart() -> None:
    listed: list[list[Mapping[str, MetadataValue]]] = [
        [{}, {}],
        [{"f": 1}, {}],
        [{}, {"f": 1}],
        [{"f": 1.0}, {}],
        [{"g": 1}, {}],
        [{"f": "1"}, {}],
        [{"f": True}, {}],
    ]
    assert len({store_of(fields).fingerprint for fields in listed}) == len(listed)


def damage(path: Path, name: str, values: list[Any]) -> None:
    """Another content of a section, its checksum right."""
    found = read_container(path, kind="passages", version=3)
    dtype = found.arrays[name].dtype
    array = metadata.np.array(values, "u1" if dtype.kind == "b" else dtype).view(dtype)
    arrays = {**found.arrays, name: array}
    write_container(path, kind="passages", version=3, meta=found.meta, arrays=arrays)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("field_0_values", [0, 2, 0], "field 'lang': a number is that of no string"),
        ("field_0_values", [0, 1], "it does not hold 3 passages throughout"),
        ("field_0_strings", [255, 255, 102, 114], "field 'lang': a string of rows 0 to 1 is not UTF-8"),
        ("field_0_offsets", [0, 3, 2], "the offsets do not divide the strings"),
        ("field_1_present", [0, 1, 2], "section 'field_1_present' holds neither true nor false"),
        ("field_1_values", [math.nan, 0.0, 1.0], "field 'part': a number is none"),
        ("field_0_present", [1, 0, 0], "field 'lang': an absent field has a value"),
        ("field_1_present", [1, 0, 0], "field 'part': an absent field has a value"),
        ("field_2_values", [0, 7, 0], "section 'field_2_values' holds neither true nor false"),
        ("field_2_values", [0, 1, 0, 0], "it does not hold 3 passages throughout"),
    ],
)
def test_damaged_columns_are_refused(tmp_path: Path, name: str, values: list[Any], message: str) -> None:
    path = tmp_path / "passages"
    store_of([{"lang": "en", "part": 0.5}, {"lang": "fr", "open": True}, {"part": 1}]).save(path)
    damage(path, name, values)
    with pytest.raises(ArtefactError, match=message):
        PassageStore.load(path)


@pytest.mark.parametrize(
    "fields",
    [
        None,
        3,
        [3],
        [["lang"]],
        [["lang", "number"]],
        [["", "text"]],
        [["lang", "text"], ["lang", "text"]],
        [],
    ],
)
def test_fields_that_are_none_are_refused(tmp_path: Path, fields: Any) -> None:
    path = tmp_path / "passages"
    store_of([{"lang": "en"}]).save(path)
    found = read_container(path, kind="passages", version=3)
    meta = {**found.meta, "fields": fields}
    write_container(path, kind="passages", version=3, meta=meta, arrays=found.arrays)
    with pytest.raises(ArtefactError, match="damaged"):
        PassageStore.load(path)


@pytest.mark.parametrize("split", [7, "", "words", "words:0", ["sections"]])
def test_a_split_that_is_none_is_refused(tmp_path: Path, split: Any) -> None:
    path = tmp_path / "passages"
    store = store_of([{"lang": "en"}])
    store.split = "words:9"
    store.save(path)
    assert PassageStore.load(path).split == "words:9"
    found = read_container(path, kind="passages", version=3)
    write_container(
        path, kind="passages", version=3, meta={**found.meta, "split": split}, arrays=found.arrays
    )
    with pytest.raises(ArtefactError, match="damaged: it says that texts were split by"):
        PassageStore.load(path)


def write_lines(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_other_fields_of_json_lines_are_metadata(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_lines(
        tmp_path / "corpus.jsonl",
        {"_id": "a", "title": "T", "text": "x", "year": 2020, "author": {"name": "N", "born": {"in": "P"}}},
        {"_id": "b", "title": "", "text": "y", "metadata": {"url": "", "at.once": True, "n": None}},
        {
            "_id": "c",
            "title": "",
            "text": "z",
            "metadata": "m",
            "tags": ["p", "q, r"],
            "none": [],
            "numbers": [1],
            "": 1,
            "deep": {"": [2], "k": 0.5},
        },
    )
    with caplog.at_level(logging.WARNING):
        found = list(read_passages(path))
    assert [passage.metadata for passage in found] == [
        {"year": 2020, "author.name": "N", "author.born.in": "P"},
        {"url": "", "at.once": True},
        {"metadata": "m", "tags": "p; q, r", "deep.k": 0.5},
    ]
    assert (
        "no metadata are '', 'deep.', 'numbers': lists of other things than texts, or without a name"
        in caplog.text
    )
    copy = tmp_path / "copy.jsonl"
    beir.write_passages(copy, found)
    assert list(read_passages(copy)) == found


@settings(max_examples=40, deadline=None)
@given(listed=rows)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, listed: list[Mapping[str, MetadataValue]]
) -> None:
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    passages = [Passage("first", "T", "x"), *store_of(listed)]
    beir.write_passages(path, passages)
    assert list(read_passages(path)) == passages


def test_a_path_that_stands_twice_is_refused(tmp_path: Path) -> None:
    line = {"_id": "a", "title": "", "text": "x", "a.b": 1, "a": {"b": 2}}
    with pytest.raises(InputError, match=r"line 1, field 'a\.b': stands there twice"):
        list(read_passages(write_lines(tmp_path / "corpus.jsonl", line)))


def test_deep_objects_are_read(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(300):
        deep = {"d": deep}
    path = write_lines(tmp_path / "corpus.jsonl", {"_id": "a", "title": "", "text": "x", "deep": deep})
    assert next(read_passages(path)).metadata == {"deep" + ".d" * 300 + ".end": 1}


def test_the_first_version_has_no_fields(tmp_path: Path) -> None:
    path = tmp_path / "passages"
    store_of([{}, {}]).save(path)
    found = read_container(path, kind="passages", version=3)
    write_container(path, kind="passages", version=1, meta={"passages": 2}, arrays=found.arrays)
    store = PassageStore.load(path)
    assert store.columns() == {}
    assert store.split is None
    assert store[0].metadata == {}


def test_a_column_of_texts_has_one_string_for_equal_ones() -> None:
    column = store_of([{"lang": "en" if n % 2 else "fr"} for n in range(99)]).columns()["lang"]
    assert isinstance(column, Column)
    assert column.strings is not None
    assert list(column.strings) == ["fr", "en"]
    assert column.values.dtype == "uint8"
