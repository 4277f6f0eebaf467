"""What all evidence for a passage adds up to: its n-grams by view, and its words by where they come from.

Every kind of evidence is a sum that is 0 or more, and a passage's score is the weighted sum of these sums, so that weights
can be learned by a ranking loss: Li et al., "Learning to Rank in Generative Retrieval" (LTRGR), AAAI 2024. Knows keys, an
index and words; knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from docid.simultaneous import WeightedTokens, best_documents
from fm_index import FMIndex, ShardedFMIndex
from fm_index.keys import Floats, Keys
from fm_index.scoring import ScoredPassages, key_weights, score_passages
from fm_index.weights import ScoringOptions
from genret.retrieval.ngrams.lexicon import READINGS, Lexicon

if TYPE_CHECKING:
    from genret.retrieval.ngrams.query_evidence import Evidence

__all__ = ["ASKED", "Found", "evidence_names", "evidence_sums", "rank_by_evidence"]

ASKED = "asked"
# What an n-gram tells, by the log-odds of the model's probability above chance: as they are, and their square over this.
SQUARE = 10.0
OF_NGRAMS = ("odds", "squared")
# As many passages by n-grams, and by words, are scored by both.
DEPTH = 200

FloatArray = npt.NDArray[np.float32]


def evidence_names(views: Mapping[str, bool], words: bool) -> list[str]:
    """The kinds of evidence.

    Args:
        views: by name, whether the model writes what is in it.
        words: whether there are words.
    """
    named = [f"{view}.{feature}" for view in views for feature in OF_NGRAMS]
    if words:
        written = [view for view, decoded in views.items() if decoded]
        named += [f"{source}.{reading}" for source in (ASKED, *written) for reading in READINGS]
    return named


@dataclass(frozen=True, eq=False)
class Found:
    """The passages of one question, best first.

    Attributes:
        scored: as `score_passages` gives them, but with words in the scores.
        words: float32 [m]; what of each score is words.
    """

    scored: ScoredPassages
    words: FloatArray


class KeyFeatures(NamedTuple):
    """What is known of the keys of one question.

    Attributes:
        kinds: of each feature, the names of the kinds of evidence of all keys.
        values: float64 [features, keys], 0 or more; 0 of keys that do not occur.
    """

    kinds: list[list[str]]
    values: Floats


def features_of(
    index: FMIndex | ShardedFMIndex, keys: Keys, views: Sequence[str], scoring: ScoringOptions
) -> KeyFeatures:
    """The features of keys, which their weights are sums of."""
    plain = replace(keys, multipliers=np.ones(()), bonuses=np.zeros(()))
    odds = key_weights(index, [plain], replace(scoring, alpha=1.0))[0].weights
    kinds = [[f"{view}.{feature}" for view in views] for feature in OF_NGRAMS]
    return KeyFeatures(kinds, np.stack([odds, odds**2 / SQUARE]))


def weighed(keys: Keys, features: KeyFeatures, weights: Mapping[str, float]) -> Keys:
    """The keys, each worth the weighted sum of its features."""
    values = np.zeros(len(keys))
    for kinds, row in zip(*features, strict=True):
        values += row * np.array([weights.get(kind, 0.0) for kind in kinds], np.float64).reshape(len(keys))
    return replace(keys, multipliers=np.zeros(()), bonuses=values)


def word_scores(
    lexicon: Lexicon, words: Mapping[str, WeightedTokens], weights: Mapping[str, float]
) -> FloatArray | None:
    """What the words of all kinds give to all passages, float32 [questions, passages]; None where there are none."""
    total: FloatArray | None = None
    for kind, own in words.items():
        factor = np.float32(weights.get(kind, 0.0))
        if factor > 0:
            scores = factor * lexicon.scores(kind.rsplit(".", 1)[1], own)
            total = scores if total is None else total + scores
    return total


def rank_by_evidence(
    index: FMIndex | ShardedFMIndex,
    lexicon: Lexicon | None,
    evidence: Evidence,
    weights: Mapping[str, float],
    scoring: ScoringOptions,
    k: int,
    rows: npt.NDArray[np.bool_] | None = None,
) -> list[Found]:
    """The `k` best passages of each question by the weighted sum of all evidence, equal ones in corpus order.

    The best `DEPTH` (or `k`) passages by n-grams and by words are scored in full by both.

    Args:
        scoring: how much repeated evidence counts, and which n-grams nominate passages.
        rows: bool [passages], the only ones that may be found; None: all.
    """
    words = None if lexicon is None else word_scores(lexicon, evidence.words, weights)
    found = []
    for number, one in enumerate(evidence.keys):
        worth = weighed(one.keys, features_of(index, one.keys, one.views, scoring), weights)
        own = None if words is None else words[number]
        found.append(_ranked(index, worth, own, scoring, k, rows))
    return found


def evidence_sums(
    index: FMIndex | ShardedFMIndex,
    lexicon: Lexicon | None,
    evidence: Evidence,
    found: Sequence[Found],
    kinds: Sequence[str],
    scoring: ScoringOptions,
) -> list[Floats]:
    """What each kind of evidence adds up to for the passages found, float64 [passages, kinds] of each question.

    The scores are these times the weights that the passages were found with. Evidence that these weights left out, since
    its kinds had all weight 0, is 0.
    """
    place = {kind: number for number, kind in enumerate(kinds)}
    words = (
        {kind: lexicon.scores(kind.rsplit(".", 1)[1], own) for kind, own in evidence.words.items()}
        if lexicon
        else {}
    )
    sums = []
    for number, (one, own) in enumerate(zip(evidence.keys, found, strict=True)):
        scored, total = own.scored, np.zeros((len(own.scored.passages), len(kinds)))
        matches = scored.matches
        assert matches is not None
        # How much of each key counts where others of the passage say the same.
        factors = matches.contributions / scored.key_weights.weights[matches.keys]
        rows = np.repeat(np.arange(len(total)), np.diff(matches.offsets))
        for named, values in zip(*features_of(index, one.keys, one.views, scoring), strict=True):
            columns = np.array([place[kind] for kind in named], np.int64)[matches.keys]
            np.add.at(total, (rows, columns), values[matches.keys] * factors)
        for kind, scores in words.items():
            total[:, place[kind]] = scores[number, scored.passages]
        sums.append(total)
    return sums


def _ranked(
    index: FMIndex | ShardedFMIndex,
    keys: Keys,
    words: FloatArray | None,
    scoring: ScoringOptions,
    k: int,
    rows: npt.NDArray[np.bool_] | None,
) -> Found:
    depth = max(k, DEPTH)
    scored = score_passages(index, [keys], scoring, num_return=depth, documents=rows, matches=words is None)[
        0
    ]
    if words is None:
        return Found(_cut(scored, np.arange(min(k, len(scored.passages)))), np.zeros(0, np.float32))
    candidates = np.zeros(index.num_documents, np.bool_)
    candidates[scored.passages] = True
    best, worth = best_documents(words, depth, rows)
    candidates[best[worth > 0]] = True
    scored = score_passages(
        index, [keys], scoring, num_return=max(1, int(candidates.sum())), documents=candidates, matches=True
    )[0]
    own = words[scored.passages]
    scored = replace(scored, scores=scored.scores + own)
    order = np.lexsort((scored.passages, -scored.scores))[:k]
    return Found(_cut(scored, order), own[order])


def _cut(scored: ScoredPassages, order: npt.NDArray[np.intp]) -> ScoredPassages:
    """These of the passages, in this order."""
    matches = scored.matches
    assert matches is not None
    sizes = np.diff(matches.offsets)[order]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.repeat(matches.offsets[:-1][order] - offsets[:-1], sizes) + np.arange(int(offsets[-1]))
    kept = {name: getattr(matches, name)[places] for name in ("keys", "contributions", "starts", "ends")}
    return replace(
        scored,
        passages=scored.passages[order],
        scores=scored.scores[order],
        matches=replace(matches, offsets=offsets, **kept),
    )
