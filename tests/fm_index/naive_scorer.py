"""The slow, obvious twin of the scorer: one query at a time, formula by formula, over lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import naive

from fm_index.scoring import ScoringOptions


@dataclass
class Key:
    """One key as the twin sees it."""

    tokens: list[int]
    log_prob: float
    multiplier: float = 1.0
    bonus: float = 0.0
    at_start: bool = False
    unigram: bool = False


Found = list[tuple[float, int, list[tuple[int, float, int, int]]]]


def places(tokens: Sequence[int], key: Key) -> list[int]:
    """Where a key begins in one document."""
    size = len(key.tokens)
    starts = [0] if key.at_start else range(len(tokens) - size + 1)
    return [i for i in starts if list(tokens[i : i + size]) == key.tokens]


def weight(
    key: Key, keys: list[Key], documents: naive.Documents, options: ScoringOptions
) -> tuple[int, float]:
    """Occurrences and weight of one key."""
    found = sum(len(places(tokens, key)) for tokens in documents)
    if found == 0:
        return 0, 0.0
    shrink = (1 - options.length_discount) ** (len(key.tokens) - 1)
    if options.lm_only:
        least = min(k.log_prob for k in keys if k.unigram == key.unigram)
        base = max(0.0, key.log_prob - (least - 0.1)) * shrink
    else:
        total = sum(map(len, documents))
        ln = math.log((found + options.smoothing) / (total + options.smoothing))
        lp = key.log_prob * shrink
        rare = math.log1p(-math.exp(ln)) if ln < 0 else -math.inf
        base = max(0.0, (lp + rare) - (ln + math.log(-math.expm1(lp))))
    return found, (base if key.unigram else base**options.alpha) * key.multiplier + key.bonus


def rank(
    keys: list[Key],
    documents: naive.Documents,
    options: ScoringOptions,
    num_return: int,
    removed: frozenset[int] = frozenset(),
    fill: bool = False,
) -> Found:
    """(score, document, [(key, contribution, start, end)]) of the best documents."""
    weighed = [weight(key, keys, documents, options) for key in keys]
    order = sorted((k for k in range(len(keys)) if weighed[k][1] > 0), key=lambda k: -weighed[k][1])
    order = first_of_each(keys, order)
    rare = [k for k in order if not keys[k].unigram and weighed[k][0] <= options.max_occurrences]
    sums = {
        d: sum(weighed[k][1] for k in rare if places(tokens, keys[k]))
        for d, tokens in enumerate(documents)
        if d not in removed
    }
    nominated = sorted((d for d in sums if sums[d] > 0), key=lambda d: (-sums[d], d))[
        : options.max_candidates
    ]
    weights = [w for _, w in weighed]

    def ranked(chosen: list[int], most: int) -> Found:
        scored = [(*score(documents[d], keys, order, weights, options), d) for d in chosen]
        best = sorted(scored, key=lambda entry: (-entry[0], entry[2]))[:most]
        return [(total, d, matches) for total, matches, d in best]

    best, wanted = ranked(nominated, num_return), num_return - len(nominated)
    if fill and wanted > 0:
        others = [d for d in sums if d not in nominated]
        best += ranked(others[: max(options.max_candidates, wanted)], wanted)
    return best


def first_of_each(keys: list[Key], order: list[int]) -> list[int]:
    """The order without keys that say what a better one says."""
    seen, kept = set(), []
    for k in order:
        said = (tuple(keys[k].tokens), keys[k].at_start, keys[k].unigram)
        if said not in seen:
            kept.append(k)
        seen.add(said)
    return kept


def score(
    tokens: Sequence[int], keys: list[Key], order: list[int], weights: list[float], options: ScoringOptions
) -> tuple[float, list[tuple[int, float, int, int]]]:
    """One document's score and what made it."""
    covered: set[int] = set()
    counted: set[int] = set()
    matches: list[tuple[int, float, int, int]] = []
    for k in [k for k in order if not keys[k].unigram] + [k for k in order if keys[k].unigram]:
        size, own = len(keys[k].tokens), set(keys[k].tokens)
        for start in places(tokens, keys[k]):
            overlapping = covered & set(range(start, start + size))
            if overlapping and (keys[k].unigram or not options.overlaps):
                continue
            factor = 1 - options.beta + options.beta * len(own - counted) / len(own)
            matches.append((k, weights[k] * factor, start, start + size))
            covered |= set(range(start, start + size))
            counted |= own
            break
    best = max((weights[m[0]] for m in matches if not keys[m[0]].unigram), default=0.0)
    total = sum(m[1] for m in matches)
    return (1 - options.single_key) * total + options.single_key * best, matches
