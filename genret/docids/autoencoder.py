"""Trains the residual-quantised autoencoder whose codes are docids; knows vectors, no texts and no decoder.

RQ-VAE: Lee et al., "Autoregressive Image Generation using Residual Quantization", CVPR 2022, section 3.1; for docids
TIGER, Rajput et al., NeurIPS 2023, section 3.1. What is trained leaves as arrays, see `docid.strategies.RqVae`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from docid.quantisers.kmeans import check_vectors
from docid.quantisers.quantise import ResidualQuantiser
from docid.strategies import RqVae
from genret.errors import InputError
from genret.jobs.progress import progress

__all__ = ["Losses", "ResidualAutoencoder", "RqVaeOptions", "train_rqvae"]

FIRST_VECTORS = 16_384
SMALLEST = 1e-12


@dataclass(frozen=True)
class RqVaeOptions:
    """The autoencoder's shape and its training.

    Attributes:
        hidden: widths of the encoder's inner layers; the decoder has them in reverse.
        latent: width of what is quantised.
        commitment: weight of the latents' distance to their codes (beta in the papers).
        steps, batch_size, learning_rate: of Adam.
    """

    hidden: tuple[int, ...] = (256, 128)
    latent: int = 64
    commitment: float = 0.25
    steps: int = 2000
    batch_size: int = 1024
    learning_rate: float = 1e-3


class Losses(NamedTuple):
    """Means over the batch and the dimensions, each a scalar.

    Attributes:
        reconstruction: squared error of the decoder's output.
        codebook: sum over levels; moves codes to what they stand for, the rest being held still.
        commitment: sum over levels; moves the rest to its codes, the codes being held still.
    """

    reconstruction: Tensor
    codebook: Tensor
    commitment: Tensor


class ResidualAutoencoder(nn.Module):
    """Encoder, codebooks [levels, codes, latent] and decoder; gradients pass the quantiser straight through.

    Attributes:
        mean, scale: float32 [dimensions] and [], by which vectors are standardised before anything else.
    """

    def __init__(self, dimensions: int, levels: int, codes: int, options: RqVaeOptions) -> None:
        super().__init__()
        widths = [dimensions, *options.hidden, options.latent]
        self.encoder, self.decoder = _layers(widths), _layers(widths[::-1])
        self.codebooks = nn.Parameter(torch.zeros(levels, codes, options.latent))
        self.mean, self.scale = torch.zeros(dimensions), torch.ones(())

    def forward(self, vectors: Tensor) -> Losses:
        """The losses of float32 [n, dimensions]."""
        vectors = self.standardised(vectors)
        latents = self.encoder(vectors)
        quantised, codebook, commitment = self.quantise(latents)
        decoded = self.decoder(latents + (quantised - latents).detach())
        return Losses(mse_loss(decoded, vectors), codebook, commitment)

    def standardised(self, vectors: Tensor) -> Tensor:
        """Around the mean and of size 1: the losses on either side of the encoder then weigh alike."""
        return (vectors - self.mean) / self.scale

    def quantise(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The sums of codes nearest to `latents`, level by level, float32 [n, latent]; codebook and commitment loss."""
        rest, codebook_loss, commitment = latents, latents.new_zeros(()), latents.new_zeros(())
        for codebook in self.codebooks:
            nearest = codebook[torch.cdist(rest.detach(), codebook.detach()).argmin(1)]
            codebook_loss = codebook_loss + mse_loss(nearest, rest.detach())
            commitment = commitment + mse_loss(rest, nearest.detach())
            rest = rest - nearest.detach()
        return latents.detach() - rest.detach(), codebook_loss, commitment

    @torch.no_grad()
    def start_codebooks(self, vectors: Tensor, seed: int) -> None:
        """k-means on the latents of some vectors, level by level."""
        latents = self.encoder(self.standardised(vectors)).numpy()
        levels, codes, _ = self.codebooks.shape
        self.codebooks.copy_(torch.from_numpy(ResidualQuantiser.fit(latents, levels, codes, seed).codebooks))

    @torch.no_grad()
    def arrays(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Weight and bias of each layer of the encoder, over vectors as they are."""
        linear = [layer for layer in self.encoder if isinstance(layer, nn.Linear)]
        pairs: list[tuple[Tensor, Tensor]] = [(layer.weight, layer.bias) for layer in linear]
        weight, bias = pairs[0]
        pairs[0] = (weight / self.scale, bias - weight @ (self.mean / self.scale))
        return [(weight.numpy(force=True), bias.numpy(force=True)) for weight, bias in pairs]


def train_rqvae(
    strategy: RqVae, vectors: npt.NDArray[Any], options: RqVaeOptions | None = None
) -> list[Losses]:
    """Train an autoencoder on `vectors` (floats [n, d], may be a memory map) and make `strategy` fitted by it.

    The same vectors, options and number of threads give the same codes. Returns the losses of every step.

    Raises:
        InputError: there are no vectors, or some are not finite; the message names the rows.
    """
    options = options or RqVaeOptions()
    check_vectors(vectors)
    if not len(vectors):
        raise InputError("the autoencoder of docid strategy 'rqvae' learns from vectors; there are none.")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(strategy.seed)
        model = ResidualAutoencoder(vectors.shape[1], strategy.levels, strategy.codes, options)
    rng = np.random.default_rng(strategy.seed)
    first = _some(vectors, rng, FIRST_VECTORS)
    model.mean, model.scale = first.mean(0), first.std(0, correction=0).mean().clamp(min=SMALLEST)
    model.start_codebooks(first, strategy.seed)
    losses = _train(model, vectors, options, rng)
    strategy.take(model.arrays(), model.codebooks.detach().numpy())
    return losses


def _train(
    model: ResidualAutoencoder, vectors: npt.NDArray[Any], options: RqVaeOptions, rng: np.random.Generator
) -> list[Losses]:
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    history = []
    with progress(options.steps, "training the autoencoder", "steps") as report:
        for _ in range(options.steps):
            losses = model(_some(vectors, rng, options.batch_size))
            optimizer.zero_grad()
            (losses.reconstruction + losses.codebook + options.commitment * losses.commitment).backward()
            optimizer.step()
            history.append(Losses(*(loss.detach() for loss in losses)))
            report.advance()
    return history


def _some(vectors: npt.NDArray[Any], rng: np.random.Generator, count: int) -> Tensor:
    """At most `count` different rows, float32."""
    rows = np.sort(rng.choice(len(vectors), min(count, len(vectors)), replace=False))
    return torch.from_numpy(np.asarray(vectors[rows], np.float32))


def _layers(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
