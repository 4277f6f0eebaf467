"""What `fit` may be told; every number has a default that serves a corpus of any size on a small machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genret.config import BeamCount, Seed, check_bounds
from genret.corpus.corpus_options import AS_IS, CorpusOptions
from genret.corpus.sources import Place
from genret.errors import UsageError

__all__ = ["FitOptions"]

MIN_BUDGET_SECONDS = 30.0


@dataclass(frozen=True)
class FitOptions:
    """The inputs and limits of one fit.

    Attributes:
        corpus: whatever `genret.corpus.read_passages` reads.
        output: the model folder to write.
        queries: queries for training and testing; None for those of the corpus folder, where labels are given.
        judgements: which passages answer the training queries; None, and no test judgements either: those found beside
            the corpus, where there are none training is on the passages alone.
        test_judgements: which passages answer the test queries; None, and none found: examples are held back for the test.
        budget_seconds: for everything, from reading to the last figure.
        encoder: name or folder of the frozen sentence encoder; None for the packaged default.
        seed: of docids, examples, parameters and order.
        num_beams: beams of a search, stored with the model.
        reading: which fields of the corpus are meant, how its texts are split, what is left out.
        overwrite: replace an existing output.
    """

    corpus: Place
    output: Path
    queries: Path | None = None
    judgements: Path | None = None
    test_judgements: Path | None = None
    budget_seconds: float = 1800.0
    encoder: str | None = None
    seed: Seed = 0
    num_beams: BeamCount = 100
    reading: CorpusOptions = AS_IS
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_bounds(self)
        if not self.budget_seconds >= MIN_BUDGET_SECONDS:  # also where it is no number
            raise UsageError(
                f"the budget is {self.budget_seconds:g} seconds; expected at least {MIN_BUDGET_SECONDS:g}."
            )
