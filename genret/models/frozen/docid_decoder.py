"""A small transformer decoder that reads a sentence encoder's token states and writes docid tokens.

Knows tensors; knows no text, no tokenizer and no encoder. Pre-norm blocks (R. Xiong et al., "On Layer
Normalization in the Transformer Architecture", ICML 2020), batch first, fused scaled-dot-product attention;
keys and values of the memory are computed once per query and shared by its beams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from genret.models.sharing.cache import KeysValues, Past
from genret.models.sharing.rows import Rows

__all__ = ["DocidDecoder", "Fed", "SourceMemory"]


@dataclass(frozen=True)
class SourceMemory:
    """What beams read of a source, one row per query.

    Attributes:
        layers: cross-attention keys and values of each layer, each [queries, heads, 1 + S, d / heads]; None for a
            block that adds nothing and is passed over.
        mask: bool [queries, 1, 1, 1 + S].
        condition: [queries, d]; added to every input of the decoder.
    """

    layers: tuple[KeysValues | None, ...]
    mask: Tensor
    condition: Tensor

    def select(self, queries: Tensor) -> SourceMemory:
        """Some of the queries (int64 [n])."""
        layers = tuple(
            None if layer is None else (layer[0].index_select(0, queries), layer[1].index_select(0, queries))
            for layer in self.layers
        )
        return SourceMemory(
            layers, self.mask.index_select(0, queries), self.condition.index_select(0, queries)
        )


@dataclass(frozen=True)
class Fed:
    """What one pass over the decoder is given.

    Attributes:
        tokens: int64 [rows, n].
        positions: int64 [rows or 1, n].
        mask: bool [rows or 1, 1, n, T + n]; which tokens each token sees.
        past: keys and values of the T tokens before.
        fed: int64 [rows], how many of the last columns are real; None: all.
        rows: the query of each row.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    past: Past
    fed: Tensor | None
    rows: Rows


class DocidDecoder(nn.Module):
    """Token and position embeddings, `layers` blocks, a final norm, and an output layer without bias.

    Inputs are scaled by the square root of d (Vaswani et al., 2017, section 3.4), so that one table serves
    input and output. The sentence vector has two ways in: as the first slot of the memory, and added to every
    input (`condition`).

    A block whose last layers are all zero, as one that starts from codebooks and is not trained further, is passed
    over when no gradient is asked for.
    """

    def __init__(
        self,
        vocab_size: int,
        dim: int,
        layers: int,
        heads: int,
        feed_forward: int,
        memory_dim: int,
        max_positions: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dim, self.dropout = dim, dropout
        self.embed = nn.Embedding(vocab_size, dim)
        self.positions = nn.Embedding(max_positions, dim)
        self.memory_norm = nn.LayerNorm(memory_dim, elementwise_affine=False)
        self.sentence_slot = nn.Linear(memory_dim, memory_dim)
        self.condition = nn.Linear(memory_dim, dim)
        self.blocks = nn.ModuleList(
            _Block(dim, heads, feed_forward, memory_dim, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab_size, bias=False)

    def memory(self, states: Tensor, mask: Tensor, pooled: Tensor) -> SourceMemory:
        """Keys and values of token states [queries, S, m] with mask bool [queries, S], and vectors [queries, m].

        States carry no gradient, so they are normalised without parameters: nothing flows back to them.
        """
        states, vector = self.memory_norm(states), self.memory_norm(pooled)
        slot = self.sentence_slot(vector)[:, None]  # [queries, 1, m]
        layers = tuple(None if block.is_silent() else block.read(slot, states) for block in self._blocks())
        seen = functional.pad(mask, (1, 0), value=True)[:, None, None, :]
        return SourceMemory(layers, seen, self.condition(vector))

    def forward(self, feed: Fed, memory: SourceMemory) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Hidden states [rows, n, d] that `head` projects, and every layer's grown keys and values.

        In place of keys and values, blocks that are passed over have the tokens themselves, [rows, T + n, 1, 1].
        """
        condition = memory.condition.index_select(0, feed.rows.query_of_row)
        x = self.embed(feed.tokens) * self.dim**0.5 + self.positions(feed.positions) + condition[:, None]
        x = functional.dropout(x, self.dropout, self.training)
        grown = []
        for layer, block in enumerate(self._blocks()):
            read = memory.layers[layer]
            if read is None:
                own = feed.past.grow(layer, *_themselves(feed.tokens), feed.fed)
            else:
                x, own = block(x, layer, feed, read, memory.mask)
            grown.append(own)
        return self.norm(x), tuple(grown)

    def _blocks(self) -> Iterator[_Block]:
        return (block for block in self.blocks if isinstance(block, _Block))


def _themselves(tokens: Tensor) -> KeysValues:
    """Tokens [rows, n] in the place of keys and of values."""
    return tokens[:, :, None, None], tokens[:, :, None, None]


class _Block(nn.Module):
    """Self-attention, attention to the memory, feed-forward; each behind a layer norm, each added."""

    def __init__(self, dim: int, heads: int, feed_forward: int, memory_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.self_norm, self.cross_norm, self.feed_norm = (nn.LayerNorm(dim) for _ in range(3))
        self.self_in = nn.Linear(dim, 3 * dim)
        self.self_out = nn.Linear(dim, dim)
        self.cross_query = nn.Linear(dim, dim)
        self.cross_memory = nn.Linear(memory_dim, 2 * dim)
        self.cross_out = nn.Linear(dim, dim)
        self.feed_in = nn.Linear(dim, feed_forward)
        self.feed_out = nn.Linear(feed_forward, dim)

    def is_silent(self) -> bool:
        """Whether it adds nothing to what it reads, and learns nothing now."""
        last = (self.self_out, self.cross_out, self.feed_out)
        return not torch.is_grad_enabled() and not any(
            bool(parameter.any()) for layer in last for parameter in layer.parameters()
        )

    def read(self, slot: Tensor, states: Tensor) -> KeysValues:
        """Keys and values, each [queries, heads, 1 + S, d / heads], of a slot [queries, 1, m] and states."""
        both = torch.cat([self.cross_memory(slot), self.cross_memory(states)], 1)
        keys, values = (self._split(part) for part in both.chunk(2, -1))
        return keys, values

    def forward(
        self, x: Tensor, layer: int, feed: Fed, read: KeysValues, mask: Tensor
    ) -> tuple[Tensor, KeysValues]:
        """x [rows, n, d] one block further, and the block's keys and values [rows, T + n, heads, d / heads]."""
        query, new_keys, new_values = self.self_in(self.self_norm(x)).chunk(3, -1)
        own = feed.past.grow(layer, self._heads(new_keys), self._heads(new_values), feed.fed)
        keys, values = (part.transpose(1, 2) for part in own)
        attended = self._attend(self._split(query), keys, values, feed.mask).transpose(1, 2)
        x = x + self._drop(self.self_out(attended.flatten(2)))
        folded = feed.rows.fold(self._split(self.cross_query(self.cross_norm(x))))
        attended = feed.rows.unfold(self._attend(folded, *read, mask), x.shape[1])
        x = x + self._drop(self.cross_out(attended.flatten(2)))
        hidden = self._drop(functional.gelu(self.feed_in(self.feed_norm(x))))
        return x + self._drop(self.feed_out(hidden)), own

    def _split(self, x: Tensor) -> Tensor:
        """[rows, n, d] to [rows, heads, n, d / heads]."""
        return self._heads(x).transpose(1, 2)

    def _heads(self, x: Tensor) -> Tensor:
        """[rows, n, d] to [rows, n, heads, d / heads]."""
        return x.reshape(*x.shape[:-1], self.heads, -1)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        # No dropout on attention weights: with it the fused kernel is not used on a CPU.
        return functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)
