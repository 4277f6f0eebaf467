"""Representative words of a passage as its query: words that its language model makes likely.

X. Ma et al., "PROP: Pre-training with Representative Words Prediction for Ad-hoc Retrieval", WSDM 2021, section
3: of two sets of words drawn from a passage's unigram model, the likelier one represents it better. There a model
learns to prefer it; here it leads to the passage's docid. "B-PROP", SIGIR 2021, section 3.3, draws from what a
contextual encoder attends to, set against the corpus.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Interval

from docid.scripts import bare_words
from genret.config import Count, Weight, check_bounds
from genret.tokenizer.plain_text import text_offsets
from genret.training.examples.sources.source import Computed, Material, Pair, Source

if TYPE_CHECKING:
    from genret.models.frozen.sentence_encoder import SentenceEncoder

__all__ = ["RepresentativeWords", "Unigrams", "attended_words"]

FloatArray = npt.NDArray[np.float64]
_WORD = re.compile(r"\w+")
MAX_TOKENS = 256


@dataclass(frozen=True)
class Unigrams:
    """The unigram model of a corpus, and Dirichlet-smoothed ones of its passages (Zhai and Lafferty, 2004).

    Attributes:
        counts: of each word in the corpus; stop words have none.
        prior: mu, the weight of the corpus in words.
    """

    counts: Mapping[str, int]
    prior: float

    @classmethod
    def of(cls, texts: Iterable[str], prior: float) -> Unigrams:
        """Count the words of all texts, one after the other."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(words(text))
        return cls(counts, prior)

    def passage(self, text: str) -> tuple[list[str], FloatArray]:
        """The distinct words of a passage in order of appearance, and the smoothed probability of each."""
        own = Counter(words(text))
        total = sum(self.counts.values())
        corpus = np.array([self.counts.get(word, 0) / max(total, 1) for word in own])
        found = np.fromiter(own.values(), np.float64, len(own))
        return list(own), (found + self.prior * corpus) / (found.sum() + self.prior)

    def contrast(self, weights: Mapping[str, float]) -> tuple[list[str], FloatArray]:
        """B-PROP's contrastive weights: p(w | passage) times -log2 p(w | corpus), not yet normalised.

        Its random distribution is an average of attention over many passages; here it is the corpus's counts,
        which need no pass of the encoder over the corpus.
        """
        total = max(sum(self.counts.values()), 1)
        share = np.fromiter(weights.values(), np.float64, len(weights))
        surprise = -np.log2([max(self.counts.get(word, 0), 1) / (total + 1) for word in weights])
        return list(weights), share / max(share.sum(), 1e-12) * surprise


@dataclass(frozen=True)
class RepresentativeWords(Source):
    """Representative words prediction (PROP, section 3), retargeted to docids.

    Attributes:
        per_passage: examples of each passage.
        mean_words: of the Poisson distribution of a set's size; sizes are at least 1.
        prior: mu of the passages' models.
        encoder: a sentence encoder's folder or hub name: draw from its attention (B-PROP); None: from counts.
    """

    name: ClassVar[str] = "words"
    per_passage: Count = 1
    mean_words: Annotated[float, Interval(gt=0, le=1e4)] = 3.0
    prior: Weight = 1000.0
    encoder: str | None = None

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        passages = material.passages
        unigrams = Unigrams.of((passage.body for passage in passages), self.prior)
        weigh = unigrams.passage if self.encoder is None else _attending(self.encoder, unigrams)

        def draw(place: int) -> Pair:
            row, number = divmod(place, self.per_passage)
            text = passages[row].body
            found, weights = weigh(text)
            if not found:
                return Pair(text, (row,))
            return Pair(self._likelier(found, weights, material.random(self.name, row, number)), (row,))

        return Computed(len(passages) * self.per_passage, draw)

    def _likelier(self, found: Sequence[str], weights: FloatArray, rng: np.random.Generator) -> str:
        """The likelier of two sets of one size, in the passage's order."""
        share = weights / weights.sum()
        size = min(max(1, int(rng.poisson(self.mean_words))), len(found))
        sets = [rng.choice(len(found), size, replace=False, p=share) for _ in range(2)]
        best = max(sets, key=lambda places: float(np.log(share[places]).sum()))
        return " ".join(found[place] for place in sorted(best))


def words(text: str) -> list[str]:
    """The words of a text in lower case, without common English ones."""
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return [word for word in bare_words(text.lower()) if word not in STOPWORDS_EN_PLUS]


def attended_words(encoder: SentenceEncoder, text: str) -> dict[str, float]:
    """How much the first token of the last layer attends to each word, over all heads, in order of appearance.

    Args:
        encoder: a `SentenceEncoder` whose model can give its attention.
    """
    import torch

    ids, offsets = text_offsets(encoder.tokenizer, text, MAX_TOKENS)
    with torch.no_grad():
        fed = torch.tensor([ids], device=encoder.device)
        attention = encoder.model(fed, torch.ones_like(fed), output_attentions=True).attentions[-1]
    weights = attention[0, :, 0].mean(0).tolist()
    found: dict[str, float] = {}
    for word in _WORD.finditer(text):
        inside = [w for w, (begin, end) in zip(weights, offsets, strict=True) if _within(begin, end, word)]
        for kept in words(word.group()):
            found[kept] = found.get(kept, 0.0) + sum(inside)
    return {word: weight for word, weight in found.items() if weight > 0}


def _within(begin: int, end: int, word: re.Match[str]) -> bool:
    return word.start() <= begin < end <= word.end()


def _attending(name: str, unigrams: Unigrams) -> Callable[[str], tuple[list[str], FloatArray]]:
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load(name)
    # The fused kernels do not give their weights.
    encoder.model.set_attn_implementation("eager")
    return lambda text: unigrams.contrast(attended_words(encoder, text))
