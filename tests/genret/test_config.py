"""Strict configuration: every mistake is a sentence that names file, dotted key and value."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.config import from_mapping, load_config, to_mapping
from genret.errors import InputError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    steps: int | None = None
    words: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise InputError(f"rate: expected zero or more, found {self.rate}.")


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"] = "a"
    inner: Inner = field(default_factory=Inner)
    ratios: dict[str, float] = field(default_factory=dict)
    parts: list[Inner] = field(default_factory=list)
    fast: bool = False


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_is_read(tmp_path):
    text = "name: x\nkind: b\ninner: {rate: 1e-3, steps: 5, words: [3, 4]}\nratios: {q: 2}\nparts: [{rate: 1}]\nfast: yes\n"
    config = load_config(Outer, write(tmp_path, text))
    assert config == Outer("x", "b", Inner(0.001, 5, (3, 4)), {"q": 2.0}, [Inner(1.0)], True)


def test_overrides_win_and_may_make_sections(tmp_path):
    path = write(tmp_path, "name: x\ninner: {steps: 5}\n")
    config = load_config(Outer, path, ["inner.steps=null", "inner.rate=2", "ratios.q=1.5", "name=a=b"])
    assert config == Outer("a=b", inner=Inner(2.0, None), ratios={"q": 1.5})


# Eight names, each for ten of the one before: 10^9 values.
BOMB = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi"))
CASES = [
    ("nmae: x\n", r"c\.yaml: unknown key 'nmae'; did you mean 'name'\?"),
    ("name: x\ninner: {raet: 1}\n", r"unknown key 'inner\.raet'; did you mean 'inner\.rate'\?"),
    ("name: x\ninner: {zzz: 1}\n", r"unknown key 'inner\.zzz'; valid here: rate, steps, words\."),
    ("kind: a\n", r"'name' is missing"),
    ("name: 3\n", r"name: expected text, found 3 \(a whole number\)"),
    ("name: x\nfast: 1\n", r"fast: expected true or false, found 1"),
    ("name: x\nkind: c\n", r"kind: expected one of a, b, found 'c'"),
    ("name: x\nkind: [a]\n", r"kind: expected one of a, b, found a list"),
    ("name: x\ninner: 3\n", r"inner: expected a section of keys, found 3"),
    ("name: x\ninner: {rate: high}\n", r"inner\.rate: expected a number, found 'high' \(text\)"),
    ("name: x\ninner: {rate: .nan}\n", r"inner\.rate: expected a number, found nan"),
    ("name: x\ninner: {rate: true}\n", r"inner\.rate: expected a number, found true"),
    ("name: x\ninner: {steps: 1.5}\n", r"inner\.steps: expected a whole number, found 1\.5"),
    ("name: x\ninner: {steps: true}\n", r"inner\.steps: expected a whole number, found true"),
    ("name: x\ninner: {words: [1, b]}\n", r"inner\.words\[1\]: expected a whole number, found 'b'"),
    ("name: x\nratios: [1]\n", r"ratios: expected a section of names and values, found a list"),
    ("name: x\nratios: {q: null}\n", r"ratios\.q: expected a number, found nothing"),
    ("name: x\nparts: {}\n", r"parts: expected a list, found a section"),
    ("name: x\nparts: [{rat: 1}]\n", r"unknown key 'parts\[0\]\.rat'; did you mean 'parts\[0\]\.rate'"),
    ("name: x\ninner: {rate: -1}\n", r"c\.yaml: inner: rate: expected zero or more, found -1\.0"),
    ("name: x\nname: y\n", r"not valid YAML: key 'name' is given twice, again in line 2"),
    ("name: x\n3: y\n", r"key 3 in line 2 is not text"),
    ("- a\n", r"expected a mapping of keys to values, found a list"),
    ("", r"expected a mapping of keys to values, found nothing"),
    ("name: [x\n", r"c\.yaml: not valid YAML"),
    ("name: !!python/object/apply:os.getcwd []\n", r"not valid YAML"),
    ("name: x\ninner: " + "[" * 5000 + "]" * 5000, r"not valid YAML: nested too deeply"),
    ("name: x\ninner: " + "{a: " * 100 + "1" + "}" * 100, r"nested deeper than 32 levels"),
    ("a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + BOMB, r"aliases stand for more than 100,000 values"),
    ("name: &a [*a]\n", r"not valid YAML: nested deeper"),
    ("name: x\nfast: !!bool maybe\n", r"not valid YAML"),
    ("name: x\nfast: !!int ''\n", r"not valid YAML"),
    ("name: !!timestamp 1-2-3\n", r"not valid YAML"),
    ("name: x\n\tfast: 1\n", r"not valid YAML"),
    ("name: 2001-99-99\n", r"not valid YAML"),
    ("name: " + "1" * 9000 + "\n", r"not valid YAML|expected text, found"),
    ("name: x\ninner: {rate: " + "1" * 400 + "}\n", r"inner\.rate: expected a number, found 1+\.\.\. "),
    ("? [a]\n: 1\n", r"not valid YAML"),
    ("<<: 3\n", r"not valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), CASES)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load_config(Outer, write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name", "expected dotted.key=value"),
        (".=3", "expected dotted.key=value"),
        ("name.x=3", "'name' holds 'x' .text., not a section"),
        ("inner.rat=3", "did you mean 'inner.rate'"),
        ("inner.rate=[", "not valid YAML"),
    ],
)
def test_wrong_overrides_are_named(tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        load_config(Outer, write(tmp_path, "name: x\n"), [override])


def test_missing_and_undecodable_files(tmp_path):
    with pytest.raises(InputError, match=r"absent\.yaml: cannot be read"):
        load_config(Outer, tmp_path / "absent.yaml")
    (tmp_path / "c.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(InputError, match="not valid YAML"):
        load_config(Outer, tmp_path / "c.yaml")


def test_what_is_no_file_or_too_large_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for place in (tmp_path / "pipe.yaml", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="found a folder or a device"):
            load_config(Outer, place)
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="larger than"):
        load_config(Outer, tmp_path / "huge.yaml")


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        Outer,
        st.text(max_size=5),
        st.sampled_from(["a", "b"]),
        st.builds(Inner, st.floats(0, 9), st.none() | st.integers(), st.tuples(st.integers())),
        st.dictionaries(st.text(min_size=1, max_size=3), st.floats(-9, 9), max_size=3),
        st.just([]),
        st.booleans(),
    )
)
def test_a_configuration_survives_its_plain_form(config):
    plain = to_mapping(config)
    plain["inner"]["words"] = list(plain["inner"]["words"])
    assert from_mapping(Outer, plain, "here") == config
    assert dataclasses.asdict(from_mapping(Outer, plain, "here")) == dataclasses.asdict(config)
