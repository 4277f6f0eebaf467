"""Prompts of a causal model: a template with the source text in it, as token ids. Knows tokenizers; knows no model."""

from __future__ import annotations

from collections.abc import Sequence

from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import prompt_ids

__all__ = ["DEFAULT_TEMPLATE", "Prompts", "check_template"]

QUERY = "{query}"
DEFAULT_TEMPLATE = "query: {query}\ndocid: "


class Prompts:
    """From texts to prompts; truncation cuts the text, never what follows it in the template.

    Args:
        template: `{query}` in it is where the text goes.
        longest: tokens of a prompt.
        eos: the model's end token, which has no place before a continuation.
    """

    def __init__(self, tokenizer: Tokenizer, template: str, longest: int, eos: int) -> None:
        self.tokenizer, self.template, self.longest, self.eos = tokenizer, template, longest, eos

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each prompt: what the tokenizer starts every text with, the text, and what follows it.

        Raises:
            InputError: the template alone is too long.
        """
        before, after = self.template.split(QUERY)
        start = self.tokenizer("")["input_ids"]
        if start and start[-1] == self.eos:
            start = start[:-1]
        end = self.tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
        room = self.longest - len(start) - len(end)
        if room < 1:
            raise InputError(
                f"max_source_tokens: the template alone takes {len(start) + len(end)} tokens; expected more than "
                f"that, found {self.longest}."
            )
        if not texts:
            return []
        return [[*start, *ids[:room], *end] for ids in prompt_ids(self.tokenizer, before, texts)]


def check_template(template: str) -> str:
    """A template as it is.

    Raises:
        InputError: it has not one place for the text.
    """
    if template.count(QUERY) != 1:
        raise InputError(f"template: expected {QUERY} once, found {template!r}.")
    return template
