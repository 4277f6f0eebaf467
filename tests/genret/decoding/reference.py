"""The obvious twins of the search: score every docid with teacher forcing, and a beam search over lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

Docid = tuple[int, ...]


def distinct(docids: Sequence[Sequence[int]], eos: int) -> dict[Docid, list[int]]:
    """The documents of each docid, its end token included."""
    documents: dict[Docid, list[int]] = {}
    for number, docid in enumerate(docids):
        documents.setdefault((*docid, eos), []).append(number)
    return documents


def successors_of(sequences: Sequence[Docid], prefix: Docid) -> list[int]:
    """What may follow `prefix`, ascending."""
    n = len(prefix)
    return sorted({sequence[n] for sequence in sequences if sequence[:n] == prefix and len(sequence) > n})


def token_scores(
    logits: torch.Tensor, sequence: Docid, sequences: Sequence[Docid], score: str
) -> list[float]:
    """The score of each token of a sequence, from its teacher-forced logits [T, V]."""
    values = []
    for t, token in enumerate(sequence):
        row = logits[t].double()
        if score == "full":
            row = row - row.logsumexp(0)
        elif score == "renormalised":
            row = row - row[successors_of(sequences, sequence[:t])].logsumexp(0)
        values.append(float(row[token]))
    return values


def exhaustive(
    backbone: Any,
    encode: Callable[[int], Any],
    sequences: Sequence[Docid],
    score: str,
    length_penalty: float = 0.0,
) -> list[tuple[Docid, float]]:
    """Every sequence with its score, best first, equal scores by tokens; `encode(n)` is the query n times."""
    longest = max(map(len, sequences))
    pad = backbone.pad_token_id
    targets = torch.tensor([[*sequence, *[pad] * (longest - len(sequence))] for sequence in sequences])
    logits = backbone.target_logits(encode(len(sequences)), targets).detach()
    ranked = []
    for sequence, rows in zip(sequences, logits, strict=True):
        total = sum(token_scores(rows, sequence, sequences, score))
        ranked.append((sequence, total / len(sequence) ** length_penalty))
    return sorted(ranked, key=lambda entry: (-entry[1], entry[0]))


def step_scores(row: torch.Tensor, legal: Sequence[int], score: str) -> dict[int, float]:
    """The score of each legal next token, from the logits [V] of a prefix."""
    row = row.double()
    if score == "full":
        row = row - row.logsumexp(0)
    elif score == "renormalised" and legal:
        row = row - row[list(legal)].logsumexp(0)
    return {token: float(row[token]) for token in legal}


def simple_beam_search(
    logits_after: Callable[[Docid], torch.Tensor],
    sequences: Sequence[Docid],
    num_beams: int,
    score: str = "full",
    length_penalty: float = 0.0,
) -> list[tuple[Docid, float]]:
    """Beam search as one would explain it, over lists and to the very end: no early stop, no shortcuts."""
    eos = sequences[0][-1] if sequences else 0
    live: list[tuple[Docid, float]] = [((), 0.0)]
    finished: list[tuple[Docid, float]] = []
    while live:
        grown = [
            ((*prefix, token), total + value)
            for prefix, total in live
            for token, value in step_scores(
                logits_after(prefix), successors_of(sequences, prefix), score
            ).items()
        ]
        finished += [(s, total / len(s) ** length_penalty) for s, total in grown if s[-1] == eos]
        grown = [entry for entry in grown if entry[0][-1] != eos]
        live = sorted(grown, key=lambda entry: (-entry[1], entry[0]))[:num_beams]
    return sorted(finished, key=lambda entry: (-entry[1], entry[0]))[:num_beams]
