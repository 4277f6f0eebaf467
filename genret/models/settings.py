"""What this library adds to a model's `config.json`: under one key, so that transformers carries it along.

Knows names and values; knows no model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from genret.errors import InputError

__all__ = ["SourceOptions"]

_KEY = "genret"


@dataclass
class SourceOptions:
    """How a backbone reads its sources.

    Attributes:
        kind: which backbone wrote the folder.
        max_source_tokens: sources are cut to this many tokens, special tokens included.
        template: for causal models, the prompt; `{query}` stands for the source text.
    """

    kind: str
    max_source_tokens: int
    template: str | None = None

    @classmethod
    def of(
        cls,
        config: Any,
        kind: str,
        default_tokens: int,
        max_source_tokens: int | None,
        template: str | None = None,
    ) -> SourceOptions:
        """What the caller says, else what `config` holds, else the defaults."""
        stored: dict[str, Any] = getattr(config, _KEY, None) or {}
        settings = cls(
            kind,
            max_source_tokens or int(stored.get("max_source_tokens", default_tokens)),
            template or stored.get("template"),
        )
        if settings.max_source_tokens < 1:
            raise InputError(f"max_source_tokens: expected at least 1, found {settings.max_source_tokens}.")
        return settings

    def store(self, config: Any) -> None:
        """Put them where `of` finds them after the configuration was saved and loaded."""
        setattr(config, _KEY, {name: value for name, value in asdict(self).items() if value is not None})
