"""Strict configuration: dataclasses read from YAML, where nothing unknown and nothing ill-typed passes.

Knows dataclass fields and plain YAML values; refuses to know what any key means.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from genret.errors import InputError

__all__ = ["at_least", "from_mapping", "load_config", "read_yaml", "to_mapping"]

T = TypeVar("T")
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
    """The mapping that a YAML file holds."""
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a YAML configuration."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values, found {_describe(content)}.")
    return content


def from_mapping(cls: type[T], content: Mapping[str, Any], where: str) -> T:
    """Build the dataclass `cls` from plain values; `where` (a file's name) begins every complaint."""
    value: T = _build(cls, content, where, "")
    return value


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain values, for provenance."""
    return dataclasses.asdict(config)


def at_least(options: object, **least: float) -> None:
    """Refuse options of which one is below its least value; one that is None is not looked at.

    Raises:
        InputError: it names the first that is too small.
    """
    for name, smallest in least.items():
        value = getattr(options, name)
        if value is not None and not value >= smallest:
            raise InputError(f"{name}: expected at least {smallest}, found {value}.")


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
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"override {override!r}: its value is not valid YAML.") from error
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
    hints = get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], where, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{where}: {_join(key, name)!r} is missing; it has no default.")
    try:
        return cls(**values)
    except ValueError as error:
        raise InputError(f"{where}: {key + ': ' if key else ''}{error}") from error


def _convert(hint: Any, value: Any, where: str, key: str) -> Any:
    """`value` as the type `hint`, or a complaint that names both."""
    origin = get_origin(hint)
    if hint is Any:
        return value
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
        number = _number(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return float(number)
    elif isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise InputError(f"{where}: {key}: expected {_NAMES.get(hint, hint.__name__)}, found {_describe(value)}.")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
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
    return f"{value!r} ({kind})" if not isinstance(value, bool) else f"{str(value).lower()} ({kind})"
