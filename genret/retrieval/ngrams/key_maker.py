"""From questions to keys: every view's n-grams with the model's log-probabilities.

Knows a backbone, an index and views; knows nothing of how passages are scored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from fm_index.keys import Keys
from genret.constraint.fm_index import FMIndexConstraint
from genret.constraint.protocol import Constraint
from genret.decoding.recorder import Recorded, recorded_beam_search
from genret.decoding.rescore import Rescorer
from genret.decoding.trace import Trace, traced_beam_search
from genret.errors import InputError, UsageError
from genret.indexing.text_index import TextIndex
from genret.models.backbone import Backbone
from genret.retrieval.ngrams.evidence import ASKED
from genret.retrieval.ngrams.query_ngrams import query_ngrams
from genret.retrieval.ngrams.views import QUERY, NgramOptions, View

__all__ = ["KeyMaker", "QueryKeys"]

# N-grams and their log-probabilities, of one view and one query.
Scored = list[tuple[Sequence[int], float]]


@dataclass(frozen=True)
class QueryKeys:
    """One query's keys, and the name of the view that each comes from.

    Attributes:
        query: its text, whose words are evidence too; empty: they are none.
    """

    keys: Keys
    views: list[str]
    query: str = ""

    def without(self, names: Collection[str]) -> QueryKeys:
        """The keys of the other views; without the query's own words where `ASKED` is among the names."""
        kept = [place for place, name in enumerate(self.views) if name not in names]
        columns = {
            name: getattr(self.keys, name)[kept]
            for name in ("log_probs", "multipliers", "bonuses", "at_start", "unigrams")
        }
        ngrams = [self.keys.ngram(place) for place in kept]
        views = [self.views[place] for place in kept]
        return QueryKeys(Keys.from_ngrams(ngrams, **columns), views, "" if ASKED in names else self.query)

    def longest(self, view: str) -> Iterator[tuple[list[int], float]]:
        """The n-grams of a view that no other one of it continues, and the share of each in their probability."""
        found = {
            tuple(self.keys.ngram(place)): float(self.keys.log_probs[place])
            for place, name in enumerate(self.views)
            if name == view
        }
        continued = {ngram[:-1] for ngram in found}
        whole = {ngram: log_prob for ngram, log_prob in found.items() if ngram not in continued}
        total = np.logaddexp.reduce(list(whole.values())) if whole else 0.0
        for ngram, log_prob in whole.items():
            yield list(ngram), float(np.exp(log_prob - total))


class KeyMaker:
    """Makes keys of questions.

    Args:
        backbone: the model.
        text_index: the corpus; made with the model's tokenizer.
        options: the views, and how many beams.

    Raises:
        InputError: a view needs marked fields, which the index does not have.
    """

    def __init__(self, backbone: Backbone, text_index: TextIndex, options: NgramOptions) -> None:
        self.backbone, self.text_index, self.options = backbone, text_index, options
        self.constraints = {
            name: self._constraint(name, view)
            for name, view in options.views.items()
            if view.keys == "decoded"
        }

    def keys(
        self, queries: Sequence[str], num_beams: int | None = None, constraint: Constraint | None = None
    ) -> list[QueryKeys]:
        """The keys of each query, view by view; `num_beams` and `constraint` in place of the views' own."""
        parts: list[list[Keys]] = [[] for _ in queries]
        names: list[list[str]] = [[] for _ in queries]
        rescorers: dict[str, Rescorer] = {}
        for name, view in self.options.views.items():
            if view.keys == "decoded":
                scored = self._decoded(name, queries, num_beams, constraint)
            else:
                scored = self._rescored(view, queries, rescorers)
            for query, found in enumerate(scored):
                parts[query].append(_keys_of(view, found))
                names[query] += [name] * len(found)
        made = zip(parts, names, queries, strict=True)
        return [QueryKeys(Keys.concatenate(own), held, query) for own, held, query in made]

    def trace(
        self, query: str, name: str | None, num_beams: int | None = None, constraint: Constraint | None = None
    ) -> Trace:
        """How the n-grams of the decoded view `name` (the first, where it is None) were written.

        Raises:
            UsageError: no decoded view has this name.
        """
        chosen = next(iter(self.constraints), None) if name is None else name
        if chosen not in self.constraints:
            raise UsageError(
                f"no decoded view is called {chosen!r}; there are {', '.join(self.constraints) or 'none'}."
            )
        view, allowed = self.options.views[chosen], constraint or self.constraints[chosen]
        prefix, encoded = self._prefix(view), self._encoded([view.source.replace(QUERY, query)])
        beams = num_beams or self.options.num_beams
        limits = {"max_length": view.length, "prefixes": [prefix] if prefix else None}
        return traced_beam_search(self.backbone, encoded, allowed, beams, **limits)[1][0]

    def _rescored(self, view: View, queries: Sequence[str], rescorers: dict[str, Rescorer]) -> list[Scored]:
        if view.source not in rescorers:
            sources = [view.source.replace(QUERY, query) for query in queries]
            rescorers[view.source] = Rescorer(self.backbone, self._encoded(sources))
        if view.keys == "unigrams":
            return self._unigrams(view, rescorers[view.source])
        return self._from_queries(view, queries, rescorers[view.source])

    def _encoded(self, sources: Sequence[str]) -> object:
        with torch.inference_mode():
            return self.backbone.encode(sources)

    def _decoded(
        self, name: str, queries: Sequence[str], num_beams: int | None, constraint: Constraint | None
    ) -> list[Scored]:
        """Every n-gram that the search scored, its forced prefix taken as certain."""
        view, layout = self.options.views[name], self.text_index.layout
        prefix = self._prefix(view)
        found = recorded_beam_search(
            self.backbone,
            self._encoded([view.source.replace(QUERY, query) for query in queries]),
            constraint or self.constraints[name],
            num_beams or self.options.num_beams,
            view.length,
            [prefix] * len(queries) if prefix else None,
        )
        ends = None if layout is None or not view.suffix else layout.separator
        marks = set(_marks(self.text_index))
        return [
            [_without_prefix(one, len(prefix)) for one in row if _is_key(one, len(prefix), ends, marks)]
            for row in found
        ]

    def _from_queries(self, view: View, queries: Sequence[str], rescorer: Rescorer) -> list[Scored]:
        tokenizer, index = self.backbone.tokenizer, self.text_index.index
        ngrams = [query_ngrams(query, index, tokenizer, view.length) for query in queries]
        scores = rescorer.scores(ngrams)
        return [list(zip(*row, strict=True)) for row in zip(ngrams, scores, strict=True)]

    def _unigrams(self, view: View, rescorer: Rescorer) -> list[Scored]:
        """The first tokens that the model finds likely above what their frequency says."""
        tokens, frequencies = self._token_frequencies
        found: list[Scored] = []
        for row in rescorer.first_tokens.cpu().numpy():
            ratios = row[tokens] - frequencies
            best = np.argsort(-ratios, kind="stable")[: view.count]
            found.append([([int(tokens[place])], float(row[tokens[place]])) for place in best])
        return found

    @cached_property
    def _token_frequencies(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The corpus's tokens without its marks, and the logarithms of their smoothed frequencies."""
        index, smoothing = self.text_index.index, self.options.scoring.smoothing
        lo, hi = (np.asarray(bound)[None] for bound in index.range([]))
        found = index.successors(lo, hi)
        tokens, counts = found[1].astype(np.int64), found[2]
        kept = ~np.isin(tokens, _marks(self.text_index))
        return tokens[kept], np.log((counts[kept] + smoothing) / (index.num_tokens + smoothing))

    def _prefix(self, view: View) -> list[int]:
        """The tokens that every n-gram of a view is forced to begin with."""
        layout = self.text_index.layout
        return [layout.query_mark] if layout is not None and view.prefix == "query" else []

    def _constraint(self, name: str, view: View) -> FMIndexConstraint:
        if view.marked and self.text_index.layout is None:
            raise InputError(
                f"views.{name}: {self.text_index.folder} does not mark its fields, so that titles and pseudo-queries "
                "cannot be told from the text; build it with `genret index build --marks`."
            )
        return FMIndexConstraint(
            self.text_index.index,
            self.backbone.eos_token_id,
            self.backbone.device,
            at_start=view.prefix == "title",
            end_tokens=set(_marks(self.text_index)) - set(self._prefix(view)),
            stop_count=view.stop_count,
            finishes=False,
        )


def _is_key(found: Recorded, prefix: int, end: int | None, marks: Collection[int]) -> bool:
    """Whether there is text behind the prefix, and the end token where one is asked for.

    Marks alone are an empty field: they say nothing of what a passage is about, and few passages have one.
    """
    tokens = found.tokens
    return any(token not in marks for token in tokens[prefix:]) and end in (None, tokens[-1])


def _without_prefix(found: Recorded, prefix: int) -> tuple[Sequence[int], float]:
    """The n-gram, and its log-probability given the prefix."""
    return found.tokens, min(0.0, found.score - sum(found.token_scores[:prefix]))


def _marks(text_index: TextIndex) -> list[int]:
    """The tokens that mark fields, none where fields are not marked."""
    return [] if text_index.layout is None else list(text_index.layout.values().values())


def _keys_of(view: View, found: Scored) -> Keys:
    return Keys.from_ngrams(
        [ngram for ngram, _ in found],
        [log_prob for _, log_prob in found],
        multipliers=view.weight,
        bonuses=view.bonus,
        at_start=view.prefix == "title",
        unigrams=view.keys == "unigrams",
    )
