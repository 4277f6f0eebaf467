"""Views: the kinds of n-gram keys that a search uses, as data.

Knows names and numbers; knows no model and no index. A view is described in YAML; nothing about it is code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from fm_index.weights import ScoringOptions
from genret.config import BeamCount, Count, Number, Weight, check_bounds
from genret.errors import InputError
from genret.retrieval.ngrams.evidence import evidence_names
from genret.words import WordOptions

__all__ = ["NgramOptions", "View"]

QUERY = "{query}"
# What evidence is worth before anything is learned, by its feature.
BEGIN = {"odds": 0.2, "squared": 0.2, "words": 1.0, "beginnings": 1.0}


@dataclass(frozen=True)
class View:
    """One kind of keys.

    Attributes:
        keys: where they come from: "decoded" under the index; from the "query", its n-grams of words as the corpus
            writes them, scored by the model; or "unigrams", the likeliest first tokens.
        source: what the model reads, `{query}` in it the question (for a causal model, the prompt).
        prefix: where decoded n-grams begin: "" anywhere, "title" at a passage's first token, "query" at a
            pseudo-query.
        suffix: "separator" keeps only those that reach their field's end; "" keeps every length.
        length: of decoded n-grams in tokens, prefix and suffix included; of query n-grams in words.
        stop_count: decoded n-grams that occur at most so often are not continued; 0: never stop.
        count: how many unigrams.
        weight: what the weights of this view's keys are multiplied by.
        bonus: what is added to the weight of each key that occurs (MINDER's for pseudo-queries).
    """

    keys: Literal["decoded", "query", "unigrams"] = "decoded"
    source: str = QUERY
    prefix: Literal["", "title", "query"] = ""
    suffix: Literal["", "separator"] = ""
    length: Count = 10
    stop_count: Number = 0
    count: Count = 100
    weight: Weight = 1.0
    bonus: Weight = 0.0

    def __post_init__(self) -> None:
        if self.source.count(QUERY) != 1:
            raise InputError(f"source: expected {QUERY} once, found {self.source!r}.")
        check_bounds(self)
        if self.keys != "decoded" and (self.prefix or self.suffix):
            raise InputError(f"prefix and suffix are of decoded n-grams; these keys are {self.keys!r}.")

    @property
    def marked(self) -> bool:
        """Whether the view needs an index whose fields are marked."""
        return bool(self.suffix) or self.prefix == "query"


def _default_views() -> dict[str, View]:
    return {
        "body": View(),
        "query": View(keys="query", length=3),
        "unigrams": View(keys="unigrams"),
    }


@dataclass(frozen=True)
class NgramOptions:
    """How n-grams are decoded and passages scored by them; stored with the model.

    Attributes:
        views: by name.
        num_beams: of each decoded view; twice as many n-grams of each length become keys.
        batch_size: queries decoded at a time.
        scoring: every constant of the scorer.
        words: the passages' words, by which the question's and those that the model writes find passages too; None: n-grams
            alone find them.
        weights: what each kind of evidence is worth (see `evidence`), 0 where it is not named. Empty: with words a beginning
            that was chosen once, without them n-grams are weighed by the formula of `scoring` and their views' weights.
    """

    views: dict[str, View] = field(default_factory=_default_views)
    num_beams: BeamCount = 15
    batch_size: Count = 16
    scoring: ScoringOptions = field(default_factory=ScoringOptions)
    words: WordOptions | None = None
    weights: dict[str, Weight] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.views:
            raise InputError("views: expected at least one, found none.")
        check_bounds(self)
        if unknown := sorted(set(self.weights) - set(self.evidence)):
            raise InputError(
                f"weights.{unknown[0]}: there is no such evidence; expected one of {', '.join(self.evidence)}."
            )

    @property
    def evidence(self) -> list[str]:
        """The kinds of evidence that there are."""
        views = {name: view.keys == "decoded" for name, view in self.views.items()}
        return evidence_names(views, self.words is not None)

    @property
    def worth(self) -> dict[str, float]:
        """What each kind of evidence is worth; empty where n-grams are weighed by the formula of `scoring`."""
        if self.weights or self.words is None:
            return self.weights
        return {name: BEGIN[name.rsplit(".", 1)[1]] for name in self.evidence}

    def without(self, keys: str) -> NgramOptions:
        """The same without the views of a kind of keys.

        Raises:
            InputError: no view is left.
        """
        kept = {name: view for name, view in self.views.items() if view.keys != keys}
        left_out = set(self.views) - set(kept)
        weights = {name: own for name, own in self.weights.items() if name.rsplit(".", 1)[0] not in left_out}
        return replace(self, views=kept, weights=weights)

    def values(self) -> dict[str, Any]:
        """As plain values, for a manifest."""
        return asdict(self)
