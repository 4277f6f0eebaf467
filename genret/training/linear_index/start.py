"""Where a decoder starts: from a trained linear index instead of from noise.

Knows the frozen-encoder backbone's decoder and a `CodebookModel`; knows no data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genret.errors import InputError
from genret.models.frozen.docid_decoder import DocidDecoder
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.linear_index.codebook import CodebookModel

__all__ = ["codebook_vectors", "start_from_codebooks"]

# Each adds to the residual stream.
LAST_LAYERS = ("self_out", "cross_out", "feed_out")


@torch.no_grad()
def start_from_codebooks(backbone: FrozenEncoderBackbone, index: CodebookModel) -> None:
    """Make the decoder's raw scores those of `index`, until it is trained further.

    The last layers of all blocks become zero, so that at first each block adds nothing. The map of the query
    vector becomes the decoder's condition, and the token vectors the rows of its output layer.

    Raises:
        InputError: the decoder's width is not that of the vectors, or its input and output rows are tied.
    """
    decoder: DocidDecoder = backbone.model.decoder
    width = index.tokens.shape[1]
    if decoder.dim != width or decoder.embed.weight is decoder.head.weight:
        raise InputError(
            f"a decoder that starts from codebooks needs d_model {width} and tie_word_embeddings false; found "
            f"d_model {decoder.dim}, tie_word_embeddings {backbone.model.config.tie_word_embeddings}."
        )
    _silence(decoder)
    decoder.condition.weight.copy_(index.query_map)
    decoder.condition.bias.zero_()
    # The final norm gives hidden states the length sqrt(d), whatever the query's was.
    scale = float(index.log_scale.exp())
    backbone.model.config.codebook_scale = scale
    factor = scale / width**0.5
    decoder.head.weight.zero_()
    decoder.head.weight[index.paths.token_ids] = (index.tokens * factor).to(decoder.head.weight)


@torch.no_grad()
def codebook_vectors(backbone: FrozenEncoderBackbone, token_ids: Tensor) -> Tensor | None:
    """The token vectors [n, d] that the decoder started from, for tokens int64 [n]; None: it started from noise.

    Those of a decoder that was trained since are what training made of them.
    """
    scale = backbone.model.config.codebook_scale
    if not scale:
        return None
    head = backbone.model.decoder.head.weight
    vectors: Tensor = head[token_ids.to(head.device)].float().cpu() * (head.shape[1] ** 0.5 / scale)
    return vectors


def _silence(decoder: DocidDecoder) -> None:
    """Blocks that add nothing, inputs that are the condition alone, a final norm without weights of its own."""
    for block in decoder.blocks:
        for name in LAST_LAYERS:
            for parameter in block.get_submodule(name).parameters():
                parameter.zero_()
    decoder.positions.weight.zero_()
    decoder.embed.weight.zero_()
    decoder.norm.weight.fill_(1.0)
    decoder.norm.bias.zero_()
