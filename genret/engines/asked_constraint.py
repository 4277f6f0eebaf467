"""What one request to an engine asks of a constraint: its name, a condition, and how much of the prompt is docid.

Knows the arguments of requests; knows no engine and opens nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genret.config import Number, check_bounds, from_mapping
from genret.errors import InputError

__all__ = ["KEY", "Asked"]

# Under which name engines carry it: `extra_args` of vLLM, `custom_params` of SGLang.
KEY = "genret"


@dataclass(frozen=True)
class Asked:
    """One request's constraint.

    Attributes:
        constraint: a name that the server gave, or a folder.
        where: a condition on the passages' fields: docids of others do not come out.
        prefix: how many of the prompt's last tokens are the docid's first.
    """

    constraint: str
    where: str | None = None
    prefix: Number = 0

    def __post_init__(self) -> None:
        check_bounds(self)

    @classmethod
    def of(cls, arguments: Mapping[str, Any] | None) -> Asked | None:
        """What stands under "genret" in a request's further arguments; None where nothing does.

        A mapping, or a text: the constraint's name alone, or a mapping in JSON, as vLLM's server takes texts and
        numbers only.

        Raises:
            InputError: it is neither, lacks the constraint, or has what is not known.
        """
        given = None if not arguments else arguments.get(KEY)
        if given is None:
            return None
        if isinstance(given, str):
            given = _read(given) if given.lstrip().startswith("{") else {"constraint": given}
        if not isinstance(given, Mapping):
            raise InputError(
                f'{KEY}: expected a constraint\'s name, or {{"constraint": name, "where": condition, "prefix": tokens}}; '
                f"found {given!r:.80}."
            )
        return from_mapping(cls, dict(given), KEY)


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{KEY}: not JSON ({error}).") from error
