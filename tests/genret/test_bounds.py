"""Every number of a configuration and of the command line has two bounds; what is beyond them is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from annotated_types import Interval

from docid.strategies import STRATEGIES
from fm_index.weights import ScoringOptions
from genret.cli.app import app
from genret.config import from_mapping
from genret.errors import InputError
from genret.models.shapes import OPTIONS, T5Shape
from genret.queries.imagined import ImagineOptions
from genret.queries.job import GenerateOptions
from genret.recipes.recipe_options import DocidRecipe, NgramRecipe
from genret.study.study_options import Study
from genret.training.examples.sources import SOURCES
from genret.training.losses.loss_kinds import LOSSES

ROOTS = [
    *(DocidRecipe, NgramRecipe, Study, GenerateOptions, ImagineOptions, T5Shape),
    *(*STRATEGIES.values(), *SOURCES.values(), *LOSSES.values(), *OPTIONS.values()),
]


def classes(hint: Any, seen: set[type]) -> Iterator[type]:
    """The dataclasses that a type hint is made of, those of their fields included."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in seen:
        seen.add(hint)
        yield hint
        for inner in get_type_hints(hint).values():
            yield from classes(inner, seen)
    for inner in get_args(hint):
        yield from classes(inner, seen)


def numbers(hint: Any, bounds: Interval | None = None) -> Iterator[tuple[type, Interval | None]]:
    """Every number in a type hint, with the bounds that it is declared with."""
    if get_origin(hint) is Annotated:
        (found,) = hint.__metadata__
        yield from numbers(get_args(hint)[0], found)
    elif hint in (int, float):
        yield hint, bounds
    else:
        for inner in get_args(hint):
            yield from numbers(inner)


CLASSES = list(
    dict.fromkeys(cls for root in ROOTS for cls in classes(root, set()) if cls is not ScoringOptions)
)


def fields(cls: type) -> dict[str, list[tuple[type, Interval | None]]]:
    """The numbers of each field of a dataclass."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: list(numbers(hints[field.name])) for field in dataclasses.fields(cls)}


FIELDS = [(cls, name, found) for cls in CLASSES for name, found in fields(cls).items() if found]
NAMES = [f"{cls.__name__}.{name}" for cls, name, _ in FIELDS]


def test_numbers_are_found() -> None:
    assert {"TrainingOptions.batch_size", "Residual.levels", "View.weight", "T5Shape.d_ff"} <= set(NAMES)


@pytest.mark.parametrize(("cls", "name", "found"), FIELDS, ids=NAMES)
def test_a_number_of_a_configuration_has_two_bounds(
    cls: type, name: str, found: list[tuple[type, Interval | None]]
) -> None:
    for _, bounds in found:
        assert bounds is not None
        assert bounds.ge is not None or bounds.gt is not None
        assert bounds.le is not None or bounds.lt is not None


@pytest.mark.parametrize(("cls", "name", "found"), FIELDS, ids=NAMES)
@pytest.mark.parametrize("value", [10**300, -1, -(10**300), 10**400])
def test_what_is_beyond_is_refused_by_name(
    cls: type, name: str, found: list[tuple[type, Interval | None]], value: int
) -> None:
    hint = get_type_hints(cls)[name]
    origins = {get_origin(hint), *map(get_origin, get_args(hint))}
    given = {"x": value} if dict in origins else [value] if {list, tuple} & origins else value
    with pytest.raises(InputError, match=name) as error:
        from_mapping(cls, {**needed(cls), name: given}, "here")
    assert len(str(error.value)) < 500


def needed(cls: Any) -> dict[str, Any]:
    """Values for the fields that have no default."""
    hints = get_type_hints(cls)
    without = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        name: "x"
        if hints[name] is str
        else needed(hints[name])
        if dataclasses.is_dataclass(hints[name])
        else {}
        for name in without
    }


def options(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every parameter of every command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from options(command, f"{path}{name} ")
        else:
            yield from ((f"{path}{name} {one.name}", one) for one in command.params)


NUMERIC = [
    pytest.param(one, id=name)
    for name, one in options(typer.main.get_command(app))
    if one.type_descriptor.annotation in (int, float)
]


def test_numeric_options_are_found() -> None:
    assert len(NUMERIC) > 20


@pytest.mark.parametrize("option", NUMERIC)
def test_a_number_of_the_command_line_has_two_bounds(option: Any) -> None:
    assert option.min is not None
    assert option.max is not None
