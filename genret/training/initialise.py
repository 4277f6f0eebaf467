"""Where a decoder starts: from a trained linear index instead of from noise.

Knows the frozen-encoder backbone's decoder and a `CodebookModel`; knows no data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genret.errors import InputError
from genret.models.docid_decoder import DocidDecoder
from genret.models.frozen_encoder import FrozenEncoderBackbone
from genret.training.codebook import CodebookModel

__all__ = ["start_from_codebooks"]

SAMPLE = 4096
# Each adds to the residual stream.
LAST_LAYERS = ("self_out", "cross_out", "feed_out")


@torch.no_grad()
def start_from_codebooks(backbone: FrozenEncoderBackbone, index: CodebookModel) -> None:
    """Make the decoder rank docids as `index` does, by raw scores, until it is trained further.

    The last layers of all blocks become zero, so that at first each block adds nothing. The map of the query
    vector becomes the decoder's condition, and the token vectors the rows of its output layer. The decoder's
    norms divide by a factor that is one query's own: it changes scores, but no ranking. The index's network, if
    it has one, becomes the decoder's, and its match the score of the end token.

    Raises:
        InputError: the decoder's width is not that of the vectors, or its input and output rows are tied, or one
            of decoder and index has a network of docids and the other has none of that width.
    """
    decoder: DocidDecoder = backbone.model.decoder
    width = index.tokens.shape[1]
    if decoder.dim != width or decoder.embed.weight is decoder.head.weight:
        raise InputError(
            f"a decoder that starts from codebooks needs d_model {width} and tie_word_embeddings false; found "
            f"d_model {decoder.dim}, tie_word_embeddings {backbone.model.config.tie_word_embeddings}."
        )
    _silence(decoder)
    decoder.condition.weight.copy_(index.query_map @ index.teacher.query_map)
    decoder.condition.bias.zero_()
    ids = index.paths.token_ids
    # The final norm gives hidden states the length sqrt(d), whatever the query's was.
    length = index.queries(index.teacher.vectors[:SAMPLE]).norm(dim=1).mean()
    factor = length / width**0.5
    decoder.head.weight.zero_()
    decoder.head.weight[ids, :width] = (index.tokens * factor).to(decoder.head.weight)
    if index.network is not None or decoder.docid is not None:
        _copy_network(backbone, index, factor)


def _copy_network(backbone: FrozenEncoderBackbone, index: CodebookModel, factor: Tensor) -> None:
    """The network of docids, its output in the units of the output layer; the end token's score is its match."""
    decoder, given = backbone.model.decoder, index.network
    own = decoder.docid
    if own is None or given is None or own.out.weight.shape != given.out.weight.shape:
        raise InputError(
            "decoder and codebooks have networks of docids of different widths; give both docid_width."
        )
    ids, config = index.paths.token_ids, backbone.model.config
    lengths = (index.paths.paths < len(ids)).sum(1)
    own.min_tokens = config.docid_min_tokens = int(lengths.min())
    own.tokens.weight.zero_()
    own.tokens.weight[ids] = given.tokens.weight[: len(ids)].to(own.tokens.weight)
    own.tokens.weight[config.decoder_start_token_id] = given.tokens.weight[len(ids) + 1].to(own.tokens.weight)
    own.direct.weight.zero_()
    own.direct.weight[ids] = (given.direct.weight[: len(ids)] * factor).to(own.direct.weight)
    own.out.weight.copy_(given.out.weight * factor)
    own.out.bias.copy_(given.out.bias * factor)
    decoder.head.weight[backbone.eos_token_id, -1] = 1.0


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
