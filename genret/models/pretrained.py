"""What the backbones of transformers' language models have in common: how they decode, and that it is exact.

Knows transformers' models; knows neither docids nor search.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from genret.errors import InputError, UsageError
from genret.hub import quiet_transformers
from genret.models.exactness.decoding import Cached, Decoding
from genret.models.exactness.grouped import Grouped
from genret.models.exactness.paths import Paths, Proof
from genret.models.exactness.self_check import prove
from genret.models.exactness.uncached import FastWhileRight, Uncached, taught
from genret.models.head import Head
from genret.models.language_model import LanguageModel
from genret.models.positions import first_position, growing_ropes, reset_rope
from genret.models.settings import SourceOptions
from genret.models.sharing.cache import Past
from genret.models.sharing.shared_attention import attention_of, set_attention, use_shared_attention
from genret.models.vocabulary import extend_model, sparse_tables, token_tables
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.interface import Tokenizer

if TYPE_CHECKING:
    from genret.models.weight_adapters.adapters import Adapters
    from genret.models.weight_adapters.options import AdapterOptions

__all__ = ["PretrainedBackbone"]


class PretrainedBackbone(nn.Module):
    """The half of `Backbone` that does not depend on where the source goes; see there for the interface.

    A kind of model brings `sources`, `bare_logits`, `longest`, `fastest` and the methods of `BackboneParts`.

    Attributes:
        owner: the model with the output layer: the model itself, or the decoder of an `EncoderDecoderModel`.
        given_tokenizer: None where it is fed token ids alone, as inside transformers' `generate`.
        adapters: what alone is trained, where `adapt` has put some in.
        proof: which shortcuts the self-check at load has left, and why not the others.
    """

    settings: SourceOptions
    eos_token_id: int
    pad_token_id: int

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer | None, owner: LanguageModel) -> None:
        super().__init__()
        self.model: LanguageModel = model
        self.given_tokenizer = tokenizer
        self._owner = (owner,)  # in a tuple: no second name for parameters that `model` has
        self._head = Head(owner)
        self._ropes = growing_ropes(model)
        self._attention = attention_of(model)
        self._width: int | None = None
        # Tokens that were asked for here, whose rows are trained beside adapters.
        self._extended: set[int] = set()
        self.adapters: Adapters | None = None

    @property
    def owner(self) -> LanguageModel:
        """See the class."""
        return self._owner[0]

    @property
    def tokenizer(self) -> Tokenizer:
        """See `Backbone`.

        Raises:
            UsageError: the backbone was made without one, to be fed token ids alone.
        """
        if self.given_tokenizer is None:
            raise UsageError("this backbone was made without a tokenizer and reads token ids only.")
        return self.given_tokenizer

    @property
    def source_tokenizer(self) -> Tokenizer:
        """That reads what `encode` is given."""
        return self.tokenizer

    def settle(self) -> None:
        """Find out which shortcuts are exact for this model, and take them: the last act of making a backbone."""
        self.train(self.model.training)
        self.proof: Proof = prove(self, self.fastest())
        self.use(self.proof.paths)

    def use(self, paths: Paths) -> None:
        """Decode by `paths`."""
        if not (paths.shared and use_shared_attention(self.model)):
            set_attention(self.model, self._attention)
        self.paths = paths
        self._decoding = _decoding(self, paths)

    def positions(self, past: Past, tokens: Tensor, lengths: Tensor | None) -> Tensor:
        """int64 [rows or 1, n], the positions of tokens [rows, n] as the model counts them."""
        return past.positions(tokens.shape[1], lengths, tokens.device) + first_position(self.body())

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.model.device

    @property
    def vocab_size(self) -> int:
        """Width of the logits; at least the tokenizer's size."""
        layer = self.owner.get_output_embeddings()
        if layer is not None:
            return int(layer.weight.shape[0])
        return int(self.owner.config.vocab_size)

    @property
    def feeds_several(self) -> bool:
        """Whether rows may be fed different numbers of tokens in one step: always where whole sequences are."""
        return self.paths.uneven or not self.paths.cache

    def target_logits(self, encoded: Any, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]."""
        return self.logits(self.target_states(encoded, targets))

    def target_states(self, encoded: Any, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] whose `logits` are `target_logits`."""
        if self.teaches_padded:
            return self.teach(encoded, targets)
        return taught(self.teach, encoded, targets, self.paths.rows == "alone")

    @property
    def teaches_padded(self) -> bool:
        """Whether sources of unlike length may be padded in teacher forcing."""
        return self.paths.rows == "padded" and self.paths.reach is None and not self.paths.whole_tokens

    def forward(self, sources: Any, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of encoded sources."""
        encoded = self.encode(sources) if isinstance(sources, Sequence) else sources
        return self.target_logits(encoded, targets)

    @torch.no_grad()
    def start(self, encoded: Any) -> tuple[Tensor, Any]:
        """Read the sources, one row per query."""
        return self._decoding.start(encoded)

    @torch.no_grad()
    def step(self, state: Any, tokens: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Feed one token per row, or several; see `Backbone.step`."""
        if tokens.dim() == 1:
            hidden, state = self._decoding.step(state, tokens[:, None], None)
            return hidden[:, 0], state
        if lengths is not None and not self.feeds_several:
            raise InputError(f"{type(self.model).__name__} cannot feed rows different numbers of tokens.")
        return self._decoding.step(state, tokens, lengths)

    def reorder(self, state: Any, rows: Tensor, rows_per_query: int | None = None) -> Any:
        """Gather rows; what is stored once per query stays, unless a query is left without a row."""
        return self._decoding.reorder(state, rows, rows_per_query)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Float32 logits of hidden states, all or the columns `tokens`."""
        if self.paths.head:
            return self._head.logits(hidden, tokens, out)
        logits = (hidden if tokens is None else hidden[..., tokens]).float()
        return logits if out is None else out.copy_(logits)

    def sparse_tables(self) -> list[Tensor]:
        """See `Backbone.sparse_tables`."""
        self._head.sparse = True
        return sparse_tables(self.model)

    def run(self, **inputs: Any) -> Tensor:
        """The decoder's states as `logits` takes them, [rows, n, d]: prepared ones, or the model's own logits."""
        reset_rope(self._ropes)
        if not self.paths.head:
            logits: Tensor = self.whole_model(**inputs).logits
            return logits
        return self._head.prepare(self.body()(**inputs).last_hidden_state)

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add tokens; new embedding rows are the mean of the old with a little noise (`extend_model`)."""
        # Rows of tokens that the tokenizer had already were trained where the folder was written.
        known, rows = set(self.tokenizer.get_added_vocab().values()), self.vocab_size
        ids = extend_tokenizer(self.tokenizer, new_tokens)
        fresh = [token for token in ids if token not in known or token >= rows]
        if fresh and self.adapters is not None:
            raise UsageError("the vocabulary cannot grow any more once there are adapters; extend it first.")
        if fresh:
            extend_model(self.model, fresh)
        self._extended.update(ids)
        return ids

    def adapt(
        self, options: AdapterOptions, base: str | os.PathLike[str] | None = None, seed: int = 0
    ) -> None:
        """Put adapters in; from now on they, and the rows of tokens that were added here, are all that is trained.

        Args:
            base: folder or hub name that the model came from.
            seed: of the adapters' first values.

        Raises:
            InputError: the model has no such layers, or adapters are to be exported of a model that came from nowhere.
        """
        from genret.models.weight_adapters.adapters import Adapters

        self.adapters = Adapters(
            self.model,
            options,
            base=base,
            new=sorted(self._extended),
            tables=token_tables(self.model),
            seed=seed,
        )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write model, configuration (with the settings) and tokenizer as transformers does."""
        self.settings.store(self.model.config)
        with quiet_transformers():
            if self.adapters is None:
                self.model.save_pretrained(folder)
            else:
                self.adapters.export(Path(folder))
        self.tokenizer.save_pretrained(folder)

    def encode(self, texts: Sequence[str]) -> Any:
        """See `Backbone.encode`."""
        raise NotImplementedError

    def sources(self, ids: Sequence[Sequence[int]]) -> Any:
        """What `encode` makes of texts with these token ids."""
        raise NotImplementedError

    def bare_logits(self, source: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """transformers' own logits of one sequence, without cache or padding: [len(tokens) + 1, V]."""
        raise NotImplementedError

    def longest(self) -> int:
        """Tokens of the longest sequence that the decoder, or an encoder, may be given."""
        raise NotImplementedError

    def fastest(self) -> Paths:
        """All shortcuts that this kind of model could take."""
        raise NotImplementedError

    def body(self) -> nn.Module:
        """The decoder without its output layer."""
        raise NotImplementedError

    def whole_model(self, **inputs: Any) -> Any:
        """The decoder with its output layer, as transformers calls it; `inputs` as for `body`."""
        return self.owner(**inputs)

    def teach(self, encoded: Any, targets: Tensor) -> Tensor:
        """See `BackboneParts`."""
        raise NotImplementedError

    def read(self, encoded: Any) -> tuple[Tensor, Any]:
        """See `BackboneParts`."""
        raise NotImplementedError

    def feed(self, state: Any, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """See `BackboneParts`."""
        raise NotImplementedError

    def gather(self, state: Any, rows: Tensor, rows_per_query: int | None) -> Any:
        """See `BackboneParts`."""
        raise NotImplementedError


def _decoding(backbone: PretrainedBackbone, paths: Paths) -> Decoding:
    whole = Uncached(backbone.teach, paths.rows == "alone")
    if not paths.cache:
        return whole
    steps: Decoding = Cached(backbone)
    if paths.rows != "padded":
        steps = Grouped(steps, paths.rows == "alone")
    return FastWhileRight(steps, whole, paths) if paths.whole_tokens or paths.reach is not None else steps
