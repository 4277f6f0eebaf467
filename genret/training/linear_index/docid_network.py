"""The network of docids, solved for: what a docid's tokens together stand for, from the passages' vectors.

Knows a decoder that started from codebooks, docids and vectors; knows no queries. Nothing is trained, so it is also
what makes passages that came later as well known as the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from docid import DocidTable
from genret.errors import InputError
from genret.models.frozen.docid_decoder import DocidDecoder, DocidNetwork
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.linear_index.codebook import DocidPaths, sums_along

__all__ = ["solve_docid_network"]

# Passages of a block, where all are read.
ROWS = 2048


@torch.no_grad()
def solve_docid_network(
    backbone: FrozenEncoderBackbone,
    table: DocidTable,
    vectors: npt.NDArray[Any],
    *,
    ridge: float = 0.1,
    seed: int = 0,
) -> None:
    """Make the network's output what the sums of output rows along docids miss of the passages' vectors.

    Least squares over all passages. Hidden units are drawn and stay so (random features: Rahimi and Recht, "Random
    Features for Large-Scale Kernel Machines", NIPS 2007); their weights and the tokens' direct vectors are solved
    for. The network's match becomes the score of the end token. Output rows stay as they are, and vectors are scaled
    to the length of their sums, so that no beam moves before the end.

    With `docid_width` hidden units and t docid tokens, time grows as (docid_width + t)^2 for each passage, and memory
    holds two matrices of that many float32.

    Args:
        backbone: its decoder has a network (`docid_width` above 0), and started from codebooks.
        table: bound to the backbone's vocabulary.
        vectors: floats [N, d], unit length, a row a document of the table.
        ridge: what a unit weight costs, in squared distance summed over passages.

    Raises:
        InputError: the decoder has no network, or there is not a vector for each document.
    """
    decoder: DocidDecoder = backbone.model.decoder
    network, paths = decoder.docid, DocidPaths(table)
    if network is None:
        raise InputError("this model has no network of docids; build it with docid_width above 0.")
    expected = (len(paths.paths), decoder.dim)
    if vectors.shape != expected:
        raise InputError(f"vectors: found shape {vectors.shape}, expected {expected}, a row a document.")
    start = backbone.model.config.decoder_start_token_id
    _draw(network, paths, start, seed)
    solved = _solved(decoder, network, paths, start, torch.from_numpy(np.asarray(vectors, np.float32)), ridge)
    units = network.out.in_features
    network.out.weight.copy_(solved[:units].T)
    network.direct.weight.zero_()
    network.direct.weight[paths.token_ids] = solved[units:-1].to(network.direct.weight)
    network.out.bias.copy_(solved[-1])
    lengths = (paths.paths < len(paths.token_ids)).sum(1)
    network.min_tokens = backbone.model.config.docid_min_tokens = int(lengths.min())
    decoder.head.weight[:, -1] = 0.0
    decoder.head.weight[backbone.eos_token_id, -1] = 1.0


def _draw(network: DocidNetwork, paths: DocidPaths, start: int, seed: int) -> None:
    """Hidden units that read the tokens of the docids and the start token, all of about unit variance."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(paths.token_ids) + 1, network.out.in_features, generator=generator)
    network.tokens.weight.zero_()
    rows = torch.cat([paths.token_ids, torch.tensor([start])])
    network.tokens.weight[rows] = (drawn / max(paths.paths.shape[1], 1) ** 0.5).to(network.tokens.weight)


def _solved(
    decoder: DocidDecoder,
    network: DocidNetwork,
    paths: DocidPaths,
    start: int,
    vectors: Tensor,
    ridge: float,
) -> Tensor:
    """Weights [units + tokens + 1, d] of what `_read` gives."""
    sums = sums_along(paths.paths, decoder.head.weight[paths.token_ids, : decoder.dim].float().cpu())
    # Training lets sums grow beyond the vectors: one factor for all vectors brings both as near as it can.
    factor = sums.square().sum() / (sums * vectors).sum()
    gram = ridge * torch.eye(network.out.in_features + len(paths.token_ids) + 1)
    moments = torch.zeros(len(gram), decoder.dim)
    for begin in range(0, len(vectors), ROWS):
        block = slice(begin, begin + ROWS)
        read = _read(network, paths, paths.paths[block], start)
        gram.addmm_(read.T, read)
        moments.addmm_(read.T, factor * vectors[block] - sums[block])
    solved: Tensor = torch.linalg.solve(gram, moments)
    return solved


def _read(network: DocidNetwork, paths: DocidPaths, docids: Tensor, start: int) -> Tensor:
    """What the network's output is linear in, [n, units + tokens + 1]: hidden units, counts of tokens, one."""
    padding = network.tokens.padding_idx or 0
    tokens = functional.pad(paths.token_ids, (0, 1), value=padding)[docids]
    hidden = network.hidden(functional.pad(tokens, (1, 0), value=start).to(network.tokens.weight.device))
    counts = torch.zeros(len(docids), len(paths.token_ids) + 1)
    counts.scatter_add_(1, docids, torch.ones(docids.shape))
    counts[:, -1] = 1.0  # the padding's column
    return torch.cat([hidden.float().cpu(), counts], 1)
