"""Rows of new tokens that are trained while the tables that they belong to are not.

Knows embedding tables and output layers; knows nothing of what the tokens mean. A trained table would need gradients and
the optimizer's state of every row; here only the new rows have them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genret.models.language_model import LanguageModel

__all__ = ["NewRows", "put_back", "train_rows"]


class NewRows(nn.Module):
    """An embedding or an output layer some of whose rows are parameters of their own.

    Args:
        base: frozen, `nn.Embedding` or `nn.Linear`.
        rows: float [n, d]; shared by all layers of one table.
        ids: int64 [n]; the tokens that the rows are of, ascending.

    Attributes:
        off: whether the rows are taken as they were before training.
    """

    ids: Tensor
    first: Tensor

    def __init__(self, base: nn.Module, rows: nn.Parameter, ids: Tensor) -> None:
        super().__init__()
        self.base, self.rows = base, rows
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("first", rows.detach().clone(), persistent=False)
        self.off = False

    @property
    def weight(self) -> Tensor:
        """The whole table [V, d] without gradients, the rows in it as they are now."""
        table: Tensor = self.base.weight  # type: ignore[assignment]
        # Training reads these rows of the table nowhere: that they change under autograd's eyes harms nothing.
        table.data[self.ids] = self._now.detach().to(table.dtype)
        return table

    @property
    def _now(self) -> Tensor:
        return self.first if self.off else self.rows

    @property
    def bias(self) -> Tensor | None:
        """Of an output layer."""
        found: Tensor | None = getattr(self.base, "bias", None)
        return found

    def forward(self, inputs: Tensor) -> Tensor:
        """Embeddings [..., d] of token ids, or logits [..., V] of hidden states."""
        if isinstance(self.base, nn.Embedding):
            return self._embedded(inputs)
        logits: Tensor = self.base(inputs)
        own = nn.functional.linear(inputs, self._now, None if self.bias is None else self.bias[self.ids])
        return logits.index_copy(-1, self.ids, own.to(logits.dtype))

    def _embedded(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.base(tokens)
        places = torch.searchsorted(self.ids, tokens.contiguous()).clamp(max=len(self.ids) - 1)
        new = self.ids[places] == tokens
        # Some tables scale what they give (BART).
        own = nn.functional.embedding(places, self._now) * getattr(self.base, "embed_scale", 1.0)
        return torch.where(new[..., None], own.to(embedded.dtype), embedded)


def train_rows(model: LanguageModel, ids: Sequence[int], tables: Sequence[Tensor]) -> None:
    """Let the rows `ids` of each of the `tables` be trained, wherever `model` uses these tables."""
    chosen = torch.tensor(sorted(ids), dtype=torch.int64)
    made: dict[int, NewRows] = {}
    rows = {id(table): _rows(table, chosen) for table in tables}
    for name, part in list(model.named_modules(remove_duplicate=False)):
        table = getattr(part, "weight", None)
        if isinstance(part, nn.Embedding | nn.Linear) and id(table) in rows:
            if id(part) not in made:
                made[id(part)] = NewRows(part, rows[id(table)], chosen.to(table.device))  # type: ignore[union-attr]
            model.set_submodule(name, made[id(part)])


def put_back(model: LanguageModel) -> None:
    """Write the rows into their tables, and give the tables their places back."""
    for name, part in list(model.named_modules(remove_duplicate=False)):
        if isinstance(part, NewRows):
            _ = part.weight
            model.set_submodule(name, part.base)


def _rows(table: Tensor, ids: Tensor) -> nn.Parameter:
    return nn.Parameter(table.detach()[ids.to(table.device)].clone())
