"""One step's candidates: every legal next token of every live beam, with its score, in flat arrays.

Knows hidden states, logits and token ids; knows nothing of which candidates will be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from genret.constraint import Successors
from genret.constraint.ragged_tensors import offsets_of, row_numbers
from genret.decoding.steps.hypothesis import Score
from genret.errors import UsageError
from genret.models.backbone import Backbone, ScoresEntries

__all__ = ["Candidates", "Scorer", "log_sum_exp", "segment_log_sum_exp"]

# Rows of logits that are reduced at a time on the CPU: the scratch then stays in the processor's cache.
SCRATCH_ROWS = 16
# Rows of the output head that are computed at a time: 512 x 32,128 floats are 66 MB.
HEAD_ROWS = 512


@dataclass(frozen=True)
class Candidates:
    """The legal next tokens of all live beams; the entries of a row are ascending in token.

    Attributes:
        offsets: int64 [rows + 1].
        rows: int64 [m]; the beam that each entry continues.
        tokens: int64 [m].
        edges: int64 [m]; what `Constraint.advance` takes.
        log_probs: float32 [m]; -inf where a forced prefix forbids the token.
    """

    offsets: Tensor
    rows: Tensor
    tokens: Tensor
    edges: Tensor
    log_probs: Tensor


@dataclass
class Scorer:
    """Scores successors: log-sum-exp over the vocabulary and a gather, no tensor of all log-probabilities.

    Of one search, not shared between threads: the buffer for logits is reused from step to step.

    Attributes:
        backbone: gives the logits.
        score: see `Score`.
        eos: the end token.
        keep: of a row in which everything is legal, how many of the best tokens become candidates (the end
            token and ties of the last one come on top); None for all.
    """

    backbone: Backbone
    score: Score
    eos: int
    keep: int | None
    _buffer: Tensor | None = field(default=None, init=False, repr=False)

    def __call__(
        self, hidden: Tensor, successors: Successors, forced: Tensor | None, fed: Tensor | None
    ) -> Candidates:
        """Score the successors of all rows.

        Args:
            hidden: [rows fed, d]; what predicts the next token.
            successors: of all rows.
            forced: int64 [rows]; the only token that a forced prefix allows, or -1; None when nothing is forced.
            fed: int64 [rows]; the row of `hidden` of each row, or -1 for a row whose one successor is certain;
                None where they are the same.
        """
        if successors.everything:
            return self._everything(hidden, forced)
        offsets, tokens = successors.offsets, successors.tokens
        rows = row_numbers(offsets, len(tokens))
        if self.score == "renormalised":
            scores = self._renormalised(hidden, offsets, rows, tokens, forced, fed)
        else:
            scores = _only(self.gathered(hidden, offsets, rows, tokens), rows, tokens, forced)
        edges = torch.arange(len(rows), device=rows.device)
        return Candidates(offsets, rows, tokens, edges, self.at_most_one(scores))

    def _renormalised(
        self,
        hidden: Tensor,
        offsets: Tensor,
        rows: Tensor,
        tokens: Tensor,
        forced: Tensor | None,
        fed: Tensor | None,
    ) -> Tensor:
        """Log-softmax over the legal tokens of each row; rows with one of them need no logits on the CPU."""
        count = len(offsets) - 1
        # There all logits cost less than finding out which are needed, which would wait for the device.
        if hidden.device.type != "cpu":
            logits = self._logits(hidden)
            scores = logits[rows if fed is None else fed[rows].clamp(min=0), tokens]
        else:
            # Alone in its row a token has probability 1, whatever its logit.
            several = offsets.diff() > 1
            chosen = several[rows].nonzero().squeeze(1)
            scores = torch.zeros(len(rows))
            scores[chosen] = self._restricted(hidden, rows[chosen], tokens[chosen], fed)
        scores = _only(scores, rows, tokens, forced)
        return scores - segment_log_sum_exp(scores, rows, count)[rows]

    def _restricted(self, hidden: Tensor, rows: Tensor, tokens: Tensor, fed: Tensor | None) -> Tensor:
        """Logits of entries, by a head of only their rows and tokens: float32 [m]."""
        if not len(rows):
            return torch.zeros(0)
        # Rows come ascending, so that neighbours are enough.
        used, row_of_entry = torch.unique_consecutive(rows, return_inverse=True)
        hidden = hidden[used if fed is None else fed[used]]
        if isinstance(self.backbone, ScoresEntries):
            # Log-probabilities are logits up to a constant a row.
            return self.backbone.entry_log_probs(hidden, row_of_entry, tokens)
        columns, column_of_entry = torch.unique(tokens, return_inverse=True)
        # Gathering so many columns of the head costs more than multiplying by all of it.
        if len(columns) * 2 > self.backbone.vocab_size:
            return self._logits(hidden)[row_of_entry, tokens]
        return self.backbone.logits(hidden, columns)[row_of_entry, column_of_entry]

    def known(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Scores "full" or "raw" of `tokens`, one for each of the hidden states [..., d]: float32 [...]."""
        every = torch.arange(tokens.numel() + 1, device=tokens.device)
        found = self.gathered(hidden.reshape(-1, hidden.shape[-1]), every, every[:-1], tokens.flatten())
        return self.at_most_one(found).view(tokens.shape)

    def gathered(self, hidden: Tensor, offsets: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """Log-probabilities over the vocabulary (score "full"), or logits, of the entries: float32 [m]."""
        if isinstance(self.backbone, ScoresEntries):
            if self.score == "raw":
                raise UsageError(
                    "score='raw': an engine gives log-probabilities; ask for 'full' or 'renormalised'."
                )
            return self.backbone.entry_log_probs(hidden, rows, tokens)
        if self.score == "raw" and hidden.device.type == "cpu":
            return self._restricted(hidden, rows, tokens, None)
        begins = range(0, len(hidden), HEAD_ROWS)
        bounds = [0, len(tokens)]
        if len(begins) > 1:
            bounds[1:1] = offsets[HEAD_ROWS:-1:HEAD_ROWS].tolist()
        parts = []
        for begin, (first, last) in zip(begins, pairwise(bounds), strict=True):
            part = hidden[begin : begin + HEAD_ROWS]
            parts.append(self._head(part, rows[first:last] - begin, tokens[first:last]))
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _head(self, hidden: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        logits = self._logits(hidden)
        scores = logits[rows, tokens]
        return scores - log_sum_exp(logits)[rows] if self.score == "full" else scores

    def _logits(self, hidden: Tensor) -> Tensor:
        """Logits of all tokens, in the buffer of this search."""
        rows = len(hidden)
        # Kept from step to step: fresh pages of tens of megabytes cost more than the product that fills them.
        if self._buffer is None or len(self._buffer) < rows:
            shape = (rows, self.backbone.vocab_size)
            self._buffer = torch.empty(shape, dtype=torch.float32, device=hidden.device)
        return self.backbone.logits(hidden, out=self._buffer[:rows])

    def _everything(self, hidden: Tensor, forced: Tensor | None) -> Candidates:
        """The candidates of rows in which every token is legal: the best, all ties of the last one, and eos."""
        vocab_size = self.backbone.vocab_size
        parts = list(self._best_tokens(hidden, forced))
        flat, scores = torch.cat([flat for flat, _ in parts]), torch.cat([score for _, score in parts])
        rows, tokens = flat // vocab_size, flat % vocab_size
        offsets = offsets_of(torch.bincount(rows, minlength=len(hidden)))
        return Candidates(offsets, rows, tokens, flat, self.at_most_one(scores))

    def at_most_one(self, scores: Tensor) -> Tensor:
        """No probability above one, which rounding may give: sums of log-probabilities then never rise."""
        return scores if self.score == "raw" else scores.clamp_(max=0)

    def _best_tokens(self, hidden: Tensor, forced: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """For each part of the rows: row * vocabulary + token of the candidates, ascending, and their scores."""
        for begin in range(0, len(hidden), HEAD_ROWS):
            logits = self._logits(hidden[begin : begin + HEAD_ROWS])
            shape = logits.shape
            kept = torch.ones_like(logits, dtype=torch.bool)
            if self.keep is not None and self.keep + 1 < shape[1]:
                # One more than asked for, as the end token may be among them and takes no live place.
                kept = logits >= logits.topk(self.keep + 1, sorted=False).values.amin(1, keepdim=True)
                kept[:, self.eos] = True
            normaliser = (
                torch.zeros_like(logits[:, :1]) if self.score == "raw" else log_sum_exp(logits)[:, None]
            )
            if forced is not None:
                part = forced[begin : begin + HEAD_ROWS, None]
                only = torch.arange(shape[1], device=part.device) == part
                kept = torch.where(part >= 0, only, kept)
                if self.score == "renormalised":
                    normaliser = torch.where(part >= 0, (logits * only).sum(1, keepdim=True), normaliser)
            flat = kept.flatten().nonzero().squeeze(1)
            scores = logits.flatten()[flat] - normaliser.flatten()[flat // shape[1]]
            yield flat + begin * shape[1], scores


def log_sum_exp(logits: Tensor) -> Tensor:
    """log sum exp over the last axis of float32 [rows, V]: [rows].

    On the CPU by parts of a few rows with one scratch tensor: several times faster than a temporary of the
    logits' size, whose pages would be touched for the first time.
    """
    if logits.device.type != "cpu":
        return logits.logsumexp(1)
    scratch = torch.empty(min(SCRATCH_ROWS, len(logits)), logits.shape[1])
    sums = torch.empty(len(logits))
    for begin in range(0, len(logits), SCRATCH_ROWS):
        part = logits[begin : begin + SCRATCH_ROWS]
        # log_softmax is x - lse at every place, the greatest too: one fused pass gives both.
        normalised = torch.log_softmax(part, 1, out=scratch[: len(part)])
        sums[begin : begin + SCRATCH_ROWS] = part.amax(1) - normalised.amax(1)
    return sums


def _only(scores: Tensor, rows: Tensor, tokens: Tensor, forced: Tensor | None) -> Tensor:
    """-inf for entries that the forced token of their row rules out."""
    if forced is None:
        return scores
    only = forced[rows]
    return scores.masked_fill((only >= 0) & (tokens != only), -torch.inf)


def segment_log_sum_exp(scores: Tensor, rows: Tensor, count: int) -> Tensor:
    """log sum exp of the entries of each row: float32 [count]; 0 for rows without a finite entry."""
    peaks = scores.new_full((count,), -torch.inf).scatter_reduce(0, rows, scores, "amax")
    # -inf - -inf would be NaN in rows in which a forced prefix forbids everything.
    peaks = torch.where(peaks.isfinite(), peaks, 0)
    sums = scores.new_zeros(count).index_add_(0, rows, (scores - peaks[rows]).exp())
    return torch.where(sums > 0, sums.log() + peaks, 0)
