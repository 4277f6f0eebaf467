"""Docids from a residual-quantised autoencoder's codes; knows its arrays, and nothing of how they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.kmeans import BATCH, FloatArray, check_vectors, one_thread
from docid.quantisers.quantise import Quantiser, ResidualQuantiser
from docid.strategies.residual import Quantised

__all__ = ["RqVae"]


@dataclass
class RqVae(Quantised):
    """Residual codes of what an autoencoder makes of a document's embedding (TIGER, Rajput et al. 2023, section 3.1).

    Its encoder (layers with ReLU between them) and codebooks are trained elsewhere, in `genret.docids.rqvae`, and
    taken over as arrays by `take`; from then on it is a strategy like the others.
    """

    name: ClassVar[str] = "rqvae"

    def take(self, layers: Sequence[tuple[FloatArray, FloatArray]], codebooks: FloatArray) -> None:
        """Become fitted.

        Args:
            layers: weight float32 [out, in] and bias float32 [out] of each layer of the encoder.
            codebooks: float32 [levels, codes, out of the last layer].

        Raises:
            InputError: the codebooks have other levels or codes than the options say, or another width.
        """
        expected = (self.levels, self.codes, len(layers[-1][1]))
        if codebooks.shape != expected:
            raise InputError(f"codebooks: found shape {codebooks.shape}, expected {expected}.")
        self.state = {"codebooks": codebooks, "biases": np.zeros(codebooks.shape[:2], np.float32)}
        for place, (weight, bias) in enumerate(layers):
            self.state |= {f"weight_{place}": weight, f"bias_{place}": bias}

    def train(self, vectors: npt.NDArray[Any]) -> Quantiser:
        raise InputError(
            "docid strategy 'rqvae' is trained by genret: use `genret docid build --strategy rqvae`, or "
            "genret.docids.rqvae.train_rqvae before it assigns."
        )

    def quantiser(self) -> ResidualQuantiser:
        state = self.state or {}
        return ResidualQuantiser(state["codebooks"], state["biases"])

    def inputs(self, vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The encoder's outputs: float32 [n, d]."""
        state = self.state or {}
        layers = [(state[f"weight_{place}"], state[f"bias_{place}"]) for place in range(len(state) // 2 - 1)]
        check_vectors(vectors, dimensions=layers[0][0].shape[1])
        latents = np.empty((len(vectors), len(layers[-1][1])), np.float32)
        with one_thread():
            for begin in range(0, len(vectors), BATCH):
                hidden = np.asarray(vectors[begin : begin + BATCH], np.float32)
                for weight, bias in layers[:-1]:
                    hidden = np.maximum(hidden @ weight.T + bias, 0)
                latents[begin : begin + BATCH] = hidden @ layers[-1][0].T + layers[-1][1]
        return latents
