"""A causal model that a serving engine runs, as a backbone: whole sequences go to the engine, log-probabilities come back.

Knows prompts, token ids and what `TokenEngine` says; knows no engine, no weights, nothing of docids. What our search
calls a hidden state is here the sequence itself, so that states are values and nothing is kept between calls: the
engine's own prefix cache sees to it that a prefix is not computed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from genret.errors import UsageError
from genret.models.backbone import Draw
from genret.models.settings import SourceOptions
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.prompts import DEFAULT_TEMPLATE, Prompts, check_template

__all__ = ["Sequences", "ServedBackbone", "TokenEngine"]

KIND = "causal"
MAX_SOURCE_TOKENS = 256
NOTHING = -1


class TokenEngine(Protocol):
    """What is asked of an engine.

    Attributes:
        vocab_size: V.
        eos_token_id: the model's end token.
    """

    vocab_size: int
    eos_token_id: int

    def log_probs(
        self, prefixes: Sequence[list[int]], wanted: Sequence[npt.NDArray[np.int64] | None]
    ) -> list[npt.NDArray[np.float32]]:
        """Of each prefix the log-probabilities of the tokens `wanted` next (None: of all, in order), over all tokens."""
        ...

    def draw(self, prefixes: Sequence[list[int]], seeds: Sequence[int], how: Draw) -> list[list[int]]:
        """What the model writes behind each prefix, without what ended it."""
        ...


@dataclass(frozen=True)
class Sequences:
    """Token ids, int64 [rows, n]; -1, wherever it stands, is no token."""

    ids: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Tensor) -> Sequences:
        """Some of the rows (int64 [n])."""
        return Sequences(self.ids[rows])

    def fed(self, tokens: Tensor) -> Sequences:
        """The same with tokens [rows, n] behind."""
        return Sequences(torch.cat([self.ids, tokens], 1))


class ServedBackbone:
    """See `Backbone`; for searching and writing, not for training. Scores are "full" or "renormalised", never "raw".

    Args:
        engine: runs the model.
        tokenizer: the model's; None where it is fed token ids alone.
        template, max_source_tokens: as for `CausalBackbone`.
    """

    training = False
    feeds_several = True

    def __init__(
        self,
        engine: TokenEngine,
        tokenizer: Tokenizer | None,
        *,
        template: str | None = None,
        max_source_tokens: int | None = None,
        config: Any = None,
    ) -> None:
        self.engine, self.given_tokenizer = engine, tokenizer
        self.settings = SourceOptions.of(config, KIND, MAX_SOURCE_TOKENS, max_source_tokens, template)
        self.settings.template = check_template(self.settings.template or DEFAULT_TEMPLATE)
        self.eos_token_id = self.pad_token_id = engine.eos_token_id

    @property
    def tokenizer(self) -> Tokenizer:
        """See `Backbone`.

        Raises:
            UsageError: there is none.
        """
        if self.given_tokenizer is None:
            raise UsageError("this backbone was made without a tokenizer and reads token ids only.")
        return self.given_tokenizer

    @property
    def prompts(self) -> Prompts:
        """From texts to prompts."""
        settings = self.settings
        return Prompts(self.tokenizer, str(settings.template), settings.max_source_tokens, self.eos_token_id)

    @property
    def source_tokenizer(self) -> Tokenizer:
        """The same as the decoder's."""
        return self.tokenizer

    @property
    def vocab_size(self) -> int:
        """How many tokens the model's output has."""
        return self.engine.vocab_size

    @property
    def device(self) -> torch.device:
        """Of what comes back: the CPU, wherever the engine computes."""
        return torch.device("cpu")

    def train(self, mode: bool = True) -> Self:
        """Refused, but for `train(False)`."""
        return self if not mode else self._no("trained")

    def eval(self) -> Self:
        """As it is."""
        return self

    def to(self, device: torch.device) -> Self:
        """As it is: the engine has its own device."""
        return self

    def parameters(self) -> Iterator[nn.Parameter]:
        """None: the engine has them."""
        return iter(())

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text's prompt, after truncation."""
        return [len(ids) for ids in self.prompts(texts)]

    def encode(self, texts: Sequence[str]) -> Sequences:
        """The prompts of texts."""
        return self.sources(self.prompts(texts))

    def sources(self, ids: Sequence[Sequence[int]]) -> Sequences:
        """Prompts of token ids."""
        width = max(map(len, ids), default=0)
        rows = [[NOTHING] * (width - len(prompt)) + list(prompt) for prompt in ids]
        return Sequences(torch.tensor(rows, dtype=torch.int64).view(len(ids), width))

    def start(self, encoded: Sequences) -> tuple[Tensor, Sequences]:
        """The prompts themselves: what predicts the first token."""
        return encoded.ids, encoded

    def step(
        self, state: Sequences, tokens: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Sequences]:
        """See `Backbone.step`."""
        if tokens.dim() == 1:
            fed = state.fed(tokens[:, None])
            return fed.ids, fed
        count = tokens.shape[1]
        if lengths is not None:
            before = torch.arange(count) < (count - lengths)[:, None]
            tokens = tokens.masked_fill(before, NOTHING)
        fed = state.fed(tokens)
        # Of each place the sequence up to it.
        seen = torch.ones(count, count, dtype=torch.bool).tril()
        grown = tokens[:, None, :].expand(-1, count, -1).masked_fill(~seen, NOTHING)
        return torch.cat([state.ids[:, None].expand(-1, count, -1), grown], 2), fed

    def reorder(self, state: Sequences, rows: Tensor, rows_per_query: int | None = None) -> Sequences:
        """Gather rows."""
        return state.select(rows)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Log-probabilities, which are logits up to a constant a row: float32 [..., V] or [..., n]."""
        prefixes = _prefixes(hidden.reshape(-1, hidden.shape[-1]))
        wanted = None if tokens is None else tokens.numpy()
        found = self.engine.log_probs(prefixes, [wanted] * len(prefixes))
        width = self.vocab_size if tokens is None else len(tokens)
        logits = torch.from_numpy(np.array(found, np.float32).reshape(len(found), width))
        logits = logits.view(*hidden.shape[:-1], width)
        return logits if out is None else out.copy_(logits)

    def entry_log_probs(self, hidden: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """The log-probability of each of `tokens` (int64 [m]) behind row `rows` (ascending) of `hidden`: float32 [m]."""
        used, counts = torch.unique_consecutive(rows, return_counts=True)
        wanted = np.split(tokens.numpy(), counts.cumsum(0)[:-1].numpy())
        found = self.engine.log_probs(_prefixes(hidden[used]), wanted) if len(used) else []
        return torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *found]))

    def draw(self, texts: Sequence[str], seeds: Sequence[Sequence[int]], how: Draw) -> list[list[list[int]]]:
        """What the model writes for each text, once a seed; see `Draws`."""
        prompts = self.prompts(texts)
        prefixes = [prompt for prompt, own in zip(prompts, seeds, strict=True) for _ in own]
        drawn = iter(self.engine.draw(prefixes, [seed for own in seeds for seed in own], how))
        return [[next(drawn) for _ in own] for own in seeds]

    def forward(self, sources: Any, targets: Tensor) -> Tensor:
        """Refused."""
        return self._no("trained")

    def target_logits(self, encoded: Any, targets: Tensor) -> Tensor:
        """Refused."""
        return self._no("trained")

    def target_states(self, encoded: Any, targets: Tensor) -> Tensor:
        """Refused."""
        return self._no("trained")

    def sparse_tables(self) -> list[Tensor]:
        """Refused."""
        return self._no("trained")

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Refused."""
        return self._no("given new tokens")

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Refused."""
        self._no("saved")

    def _no(self, what: str) -> NoReturn:
        raise UsageError(
            f"a model that an engine serves cannot be {what}; load its folder without the engine's name before it."
        )


def _prefixes(rows: Tensor) -> list[list[int]]:
    return [[token for token in row if token != NOTHING] for row in rows.tolist()]
