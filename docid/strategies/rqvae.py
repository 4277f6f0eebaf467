"""Docids from a residual-quantised autoencoder's codes; knows its arrays, and nothing of how they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.kmeans import BATCH, FloatArray, check_vectors, one_thread
from docid.quantisers.quantise import Quantiser, ResidualQuantiser
from docid.ragged import are
from docid.strategies.residual import Quantised

__all__ = ["RqVae"]


@dataclass
class RqVae(Quantised):
    """Residual codes of what an autoencoder makes of a document's embedding (TIGER, Rajput et al. 2023, section 3.1).

    Its encoder (layers with ReLU between them) and codebooks are trained elsewhere, in `genret.docids.autoencoder`, and
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

    def fault(self) -> str | None:
        state = self.state or {}
        count = len(state) // 2 - 1
        names = {f"{part}_{place}" for place in range(count) for part in ("weight", "bias")}
        if count < 1 or state.keys() != {"codebooks", "biases", *names}:
            return "its codebooks or layers are missing"
        layers = [(state[f"weight_{place}"], state[f"bias_{place}"]) for place in range(count)]
        if not all(are(weight, np.float32, 2) and are(bias, np.float32, 1) for weight, bias in layers):
            return "its layers are not finite numbers"
        widths = [layers[0][0].shape[1], *(len(bias) for _, bias in layers)]
        if any(
            weight.shape != (out, into)
            for (weight, _), (into, out) in zip(layers, pairwise(widths), strict=True)
        ):
            return "its layers do not follow one another"
        fault = self.fault_in_codebooks()
        return (
            "its codebooks are not as wide as its last layer"
            if not fault and state["codebooks"].shape[2] != widths[-1]
            else fault
        )

    def train(self, vectors: npt.NDArray[Any]) -> Quantiser:
        raise InputError(
            "docid strategy 'rqvae' is trained by genret: use `genret docid build --strategy rqvae`, "
            "`genret train`, or genret.docids.make.make_docids."
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
