"""Token tables, input and output, tied or not: rows for new tokens, and gradients of the rows that are used.

Knows embedding tables; knows nothing of what the tokens mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from transformers import EncoderDecoderModel

from genret.models.language_model import LanguageModel

__all__ = ["extend_model", "fill_rows", "sparse_tables", "token_tables"]

# New rows: the mean of the existing ones plus normal noise of this many standard deviations of each coordinate.
NOISE = 0.1


def extend_model(model: LanguageModel, ids: Sequence[int], seed: int = 0) -> None:
    """Make room for the token ids `ids` and initialise their rows: see `fill_rows`.

    Rows that exist and were never used (T5 has 28 more than its tokenizer) are initialised like new ones. An `EncoderDecoderModel` has one tokenizer for two
    models, so both are extended.
    """
    for part in _parts(model):
        before = part.get_input_embeddings().weight.shape[0]
        others = _other_tables(part)
        if max(ids) >= before:
            part.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
        _initialise(part, ids, before, seed)
        for name, table in others.items():
            _extend_table(part, name, table, ids, before, seed)


def fill_rows(table: Tensor, rows: Sequence[int], before: int, seed: int) -> None:
    """Set rows of `table` [V, d], in place, to the mean of the others below `before`, plus noise.

    The mean keeps a new token's logit near the average (J. Hewitt, "Initializing new word embeddings for
    pretrained language models", 2021); the noise, `NOISE` standard deviations of each coordinate, drawn from
    `seed` alone, tells new tokens apart.
    """
    chosen = torch.tensor(rows, dtype=torch.int64)
    old = torch.ones(before, dtype=torch.bool)
    old[chosen[chosen < before]] = False
    existing = table[:before][old.to(table.device)].float()
    spread = existing.std(0, correction=0)
    noise = torch.randn(len(rows), table.shape[1], generator=torch.Generator().manual_seed(seed))
    filled = existing.mean(0) + NOISE * spread * noise.to(table.device)
    table[chosen.to(table.device)] = filled.to(table.dtype)


def sparse_tables(model: LanguageModel) -> list[Tensor]:
    """The weights of the input table and the output layer; whatever looks rows of them up gets a sparse gradient."""
    output = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, *([] if output is None else [output.weight])]
    for part in model.modules():
        if isinstance(part, nn.Embedding) and any(part.weight is table for table in tables):
            part.sparse = True
    return tables


def token_tables(model: LanguageModel) -> list[Tensor]:
    """The weights of all tables of tokens, each once: input, output, and further ones where a model has them."""
    found: dict[int, Tensor] = {}
    for part in _parts(model):
        output = part.get_output_embeddings()
        layers = (part.get_input_embeddings(), output, *_other_tables(part).values())
        found |= {id(layer.weight): layer.weight for layer in layers if layer is not None}
    return list(found.values())


def _parts(model: LanguageModel) -> Iterable[LanguageModel]:
    """The models whose tables grow."""
    if isinstance(model, EncoderDecoderModel):
        return (model.encoder, model.decoder)
    return (model,)


def _other_tables(part: LanguageModel) -> dict[str, nn.Embedding]:
    """Token tables beside the one that `get_input_embeddings` names: an untied BART has one in each stack.

    transformers' resizing would replace them by that one.
    """
    shared = part.get_input_embeddings().weight
    return {
        name: module
        for name, module in part.named_modules()
        if name.endswith("embed_tokens") and isinstance(module, nn.Embedding) and module.weight is not shared
    }


@torch.no_grad()
def _extend_table(
    part: LanguageModel, name: str, table: nn.Embedding, rows: Sequence[int], before: int, seed: int
) -> None:
    """Grow `table` by itself to the size of the part's vocabulary, and put it back where it was."""
    size = part.get_input_embeddings().weight.shape[0]
    grown = table.weight.new_empty(size, table.embedding_dim)
    grown[:before] = table.weight
    fill_rows(grown, rows, before, seed)
    table.weight = nn.Parameter(grown, requires_grad=table.weight.requires_grad)
    table.num_embeddings = size
    part.set_submodule(name, table)


@torch.no_grad()
def _initialise(part: LanguageModel, rows: Sequence[int], before: int, seed: int) -> None:
    inputs = part.get_input_embeddings()
    fill_rows(inputs.weight, rows, before, seed)
    output = part.get_output_embeddings()
    if output is None:
        return
    if output.weight is not inputs.weight:
        fill_rows(output.weight, rows, before, seed + 1)
    if getattr(output, "bias", None) is not None:
        output.bias[torch.tensor(rows, device=output.bias.device)] = output.bias[:before].mean()
