"""Strict configuration: dataclasses read from YAML, where nothing unknown and nothing ill-typed passes.

Knows dataclass fields and plain YAML values; refuses to know what any key means. Numbers have bounds, declared beside
their fields as `annotated_types.Interval`: what cannot be meant is refused before anything is made of it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Interval

from genret.errors import InputError, UsageError

__all__ = [
    "BeamCount",
    "Count",
    "Fraction",
    "Number",
    "Positive",
    "Seed",
    "Steps",
    "Tokens",
    "Weight",
    "check_bounds",
    "from_mapping",
    "load_config",
    "parse_yaml",
    "read_yaml",
    "to_mapping",
]

T = TypeVar("T")

# Of a configuration file: bytes, levels, and values with aliases written out.
LARGEST_FILE, DEEPEST, MOST_VALUES = 1 << 22, 32, 100_000

# What numbers are, by what they count. Upper bounds are far above any use and below what would end a machine.
Count: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 20)]
Number: TypeAlias = Annotated[int, Interval(ge=0, le=1 << 30)]
Steps: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 40)]
Tokens: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 28)]
BeamCount: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 16)]
# What numpy's and torch's generators all take.
Seed: TypeAlias = Annotated[int, Interval(ge=0, lt=1 << 32)]
Fraction: TypeAlias = Annotated[float, Interval(ge=0, le=1)]
Weight: TypeAlias = Annotated[float, Interval(ge=0, le=1e9)]
Positive: TypeAlias = Annotated[float, Interval(gt=0, le=1e9)]
LONGEST_SHOWN = 200
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def load_config(cls: type[T], path: str | Path, overrides: Sequence[str] = ()) -> T:
    """Read the dataclass `cls` from a YAML file; `overrides` are `dotted.key=value`, the value in YAML.

    Raises:
        InputError: the file cannot be read, is not YAML, or holds an unknown key, a missing one or a value of
            the wrong type; the message names file, dotted key and value.
    """
    content = read_yaml(path)
    for override in overrides:
        _apply_override(content, override)
    return from_mapping(cls, content, str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        InputError: it cannot be read, is too large to be meant, or is no mapping in YAML.
    """
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"{path}: expected a YAML file, found a folder or a device.")
        if file.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: larger than {LARGEST_FILE:,} bytes; expected a YAML configuration.")
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a YAML configuration."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid YAML: {error}.") from error
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values, found {_describe(content)}.")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """The value of a text in YAML; `where` begins every complaint.

    Raises:
        InputError: it is not YAML, or nested deeper or larger, its aliases written out, than can be meant.
    """
    try:
        value = yaml.load(text, Loader=_Loader)
        _check_size(value, {}, 0)
    except (yaml.YAMLError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise InputError(f"{where}: not valid YAML: {reason}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # A tag (!!int, !!bool, !!timestamp) on a value that is none, which PyYAML converts without a look.
        raise InputError(f"{where}: not valid YAML: {error}.") from error
    return value


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Options that are given one by one as NAME=VALUE, the value in YAML.

    Raises:
        UsageError: one has no `=`. InputError: a value is no YAML.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE, such as --set seed=1.")
        values[name] = parse_yaml(text, f"--set {setting}")
    return values


def _check_size(value: Any, known: dict[int, int], depth: int) -> int:
    """How many values there are, one that aliases name counted as often as it is named."""
    if depth > DEEPEST:
        raise yaml.YAMLError(f"nested deeper than {DEEPEST} levels")
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list | set | tuple) else ()
    )
    if id(value) not in known:
        known[id(value)] = 1 + sum(_check_size(one, known, depth + 1) for one in inner)
    if known[id(value)] > MOST_VALUES:
        raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES:,} values")
    return known[id(value)]


def from_mapping(cls: type[T], content: Mapping[str, Any], where: str) -> T:
    """Build the dataclass `cls` from plain values; `where` (a file's name) begins every complaint."""
    value: T = _build(cls, content, where, "")
    return value


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain values, for provenance."""
    return dataclasses.asdict(config)


def check_bounds(options: Any) -> None:
    """Refuse options of which a number is beyond the bounds that its field declares.

    Raises:
        InputError: it names the first such field.
    """
    hints = _hints(type(options))
    _check_bounds(hints, {name: getattr(options, name) for name in hints if hasattr(options, name)})


def _hints(cls: Any) -> Mapping[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _check_bounds(hints: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        _check_value(hints[name], value, name)


def _check_value(hint: Any, value: Any, name: str) -> None:
    origin, inner = get_origin(hint), get_args(hint)
    if value is None or isinstance(value, str):
        return
    if origin is Annotated:
        for bounds in hint.__metadata__:
            if isinstance(bounds, Interval) and (broken := _broken(value, bounds)):
                raise InputError(f"{name}: expected {broken}, found {_short(value)}.")
    elif origin in (Union, types.UnionType):
        for one in inner:
            _check_value(one, value, name)
    elif origin is dict:
        for key, item in value.items():
            _check_value(inner[1], item, _join(name, key))
    elif origin in (list, tuple):
        for place, item in enumerate(value):
            _check_value(inner[0], item, f"{name}[{place}]")


def _broken(value: Any, bounds: Interval) -> str:
    """Which bounds the value breaks, in words; NaN breaks all that there are."""
    sides = (
        ("at least", bounds.ge, operator.ge),
        ("a number above", bounds.gt, operator.gt),
        ("at most", bounds.le, operator.le),
        ("a number below", bounds.lt, operator.lt),
    )
    broken = [
        f"{words} {bound}" for words, bound, holds in sides if bound is not None and not holds(value, bound)
    ]
    return " and ".join(broken)


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses a key given twice, which YAML parsers let pass, and keys that are not text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                raise yaml.YAMLError(f"key {key!r} in line {key_node.start_mark.line + 1} is not text")
            if key in seen:
                raise yaml.YAMLError(
                    f"key {key!r} is given twice, again in line {key_node.start_mark.line + 1}"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _apply_override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise InputError(f"override {override!r}: expected dotted.key=value, such as training.seed=1.")
    value = parse_yaml(text, f"override {override!r}")
    *parents, last = key.split(".")
    target = content
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise InputError(f"override {override!r}: {parent!r} holds {_describe(inner)}, not a section.")
        target = inner
    target[last] = value


def _build(cls: Any, content: Any, where: str, key: str) -> Any:
    if not isinstance(content, Mapping):
        raise InputError(
            f"{where}: {key or 'the file'}: expected a section of keys, found {_describe(content)}."
        )
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in content:
        if name not in fields:
            raise InputError(
                f"{where}: unknown key {_join(key, name)!r}; {_nearest(str(name), key, list(fields))}"
            )
    hints = _hints(cls)
    values = {}
    for name, field in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], where, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{where}: {_join(key, name)!r} is missing; it has no default.")
    try:
        _check_bounds(hints, values)
        return cls(**values)
    except ValueError as error:
        raise InputError(f"{where}: {key + ': ' if key else ''}{error}") from error


def _convert(hint: Any, value: Any, where: str, key: str) -> Any:
    """`value` as the type `hint`, or a complaint that names both."""
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        return _convert(get_args(hint)[0], value, where, key)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where, key)
    if origin in (Union, types.UnionType):
        return _convert_optional(hint, value, where, key)
    if origin is Literal:
        if value in get_args(hint) and isinstance(value, str):
            return value
        choices = ", ".join(map(str, get_args(hint)))
        raise InputError(f"{where}: {key}: expected one of {choices}, found {_describe(value)}.")
    if origin is dict:
        return _convert_mapping(get_args(hint)[1], value, where, key)
    if origin in (list, tuple):
        return _convert_list(origin, get_args(hint)[0], value, where, key)
    return _convert_scalar(hint, value, where, key)


def _convert_optional(hint: Any, value: Any, where: str, key: str) -> Any:
    inner = [choice for choice in get_args(hint) if choice is not type(None)]
    if value is None and len(inner) < len(get_args(hint)):
        return None
    if len(inner) != 1:
        raise TypeError(f"{key}: unions of several types are not supported in a configuration")
    return _convert(inner[0], value, where, key)


def _convert_mapping(inner: Any, value: Any, where: str, key: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {key}: expected a section of names and values, found {_describe(value)}.")
    return {name: _convert(inner, item, where, _join(key, name)) for name, item in value.items()}


def _convert_list(origin: Any, inner: Any, value: Any, where: str, key: str) -> Any:
    if not isinstance(value, list):
        raise InputError(f"{where}: {key}: expected a list, found {_describe(value)}.")
    return origin(_convert(inner, item, where, f"{key}[{place}]") for place, item in enumerate(value))


def _convert_scalar(hint: Any, value: Any, where: str, key: str) -> Any:
    if hint is float:
        # YAML 1.1 reads 1e-3 (no point) as text.
        number = None if isinstance(value, bool) else _number(value)
        if number is not None and math.isfinite(number):
            return number
    elif isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise InputError(f"{where}: {key}: expected {_NAMES.get(hint, hint.__name__)}, found {_describe(value)}.")


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


def _nearest(name: str, key: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    if close:
        return f"did you mean {_join(key, close[0])!r}?"
    return f"valid here: {', '.join(sorted(valid))}."


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else str(name)


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list):
        return "a list"
    kind = _NAMES.get(type(value), type(value).__name__)
    return f"{_short(value)} ({kind})" if not isinstance(value, bool) else f"{str(value).lower()} ({kind})"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
