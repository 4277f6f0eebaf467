"""Where a decoder starts: from a trained linear index instead of from noise.

Knows the frozen-encoder backbone's decoder and a `CodebookModel`; knows no data.
"""

from __future__ import annotations

import torch

from genret.errors import InputError
from genret.models.frozen.docid_decoder import DocidDecoder
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.linear_index.codebook import CodebookModel

__all__ = ["start_from_codebooks"]

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
    factor = index.log_scale.exp() / width**0.5
    decoder.head.weight.zero_()
    decoder.head.weight[index.paths.token_ids] = (index.tokens * factor).to(decoder.head.weight)


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
