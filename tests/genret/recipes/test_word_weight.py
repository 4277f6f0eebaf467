"""The weight of words beside codes against optima in closed form and on a grid, and learned for models of any kind."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from backbones import gpt2, t5
from floats import assert_close

from docid import DocidTable
from genret.corpus import Passage, PassageStore
from genret.models.backbone import Backbone
from genret.recipes.word_weight import fitted_ratio, learned_weight
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import Mode, SearchOptions
from genret.words.words import WordOptions, choose_words

# The search for the optimum ends where neither logarithm moves by this.
TOLERANCE = 1e-3
PLACES = ["paris", "rome", "vienna", "quito", "lima", "oslo"]


def toy(codes_right: int, words_right: int, of: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of candidates that one part alone tells apart, by 1: `of` queries each, so many of which it gets right."""
    codes, words, right = [], [], []
    for column, share in ((0, codes_right), (1, words_right)):
        for query in range(of):
            codes.append([1.0 - column, 0.0])
            words.append([float(column), 0.0])
            right.append([query < share, query >= share])
    return np.array(codes), np.array(words), np.array(right)


@pytest.mark.parametrize(("codes_right", "words_right"), [(9, 9), (9, 6), (6, 9), (7, 8)])
def test_the_optimum_of_a_toy_is_that_of_its_odds(codes_right: int, words_right: int) -> None:
    """A part's best multiple is the logarithm of its odds; what words are worth beside codes is their ratio."""
    expected = math.log(words_right / (10 - words_right)) / math.log(codes_right / (10 - codes_right))
    assert_close(math.log(fitted_ratio(*toy(codes_right, words_right, 10)) / expected), 0.0, within=TOLERANCE)


def test_parts_of_another_scale_are_weighed_by_it() -> None:
    """Log-probabilities of a model that is too sure, and of any unit, leave the order of candidates as it is."""
    codes, words, right = toy(8, 7, 10)
    ratio = fitted_ratio(codes, words, right)
    assert_close(math.log(fitted_ratio(5 * codes, words, right) / (5 * ratio)), 0.0, within=TOLERANCE)
    assert_close(math.log(fitted_ratio(codes - 100, 0.2 * words, right) / (5 * ratio)), 0.0, within=TOLERANCE)


def test_nothing_on_a_grid_is_likelier() -> None:
    generator = np.random.default_rng(0)
    codes, words = generator.normal(size=(2, 20, 6))
    right = np.zeros(codes.shape, bool)
    right[np.arange(20), (codes + 2 * words + generator.gumbel(size=codes.shape)).argmax(1)] = True
    codes[:5, 4:], right[:5, 4:] = -np.inf, False

    def likelihood(scale: float, ratio: float) -> float:
        """Of one query after another."""
        total = 0.0
        for query in np.flatnonzero(right.any(1)):
            terms = [
                math.exp(scale * (c + ratio * w)) for c, w in zip(codes[query], words[query], strict=True)
            ]
            total += math.log(terms[int(right[query].argmax())] / sum(terms))
        return total

    grid = np.exp(np.linspace(-2, 2, 13))
    best = max(likelihood(scale, ratio) for scale, ratio in itertools.product(grid, grid))
    found = fitted_ratio(codes, words, right)
    assert max(likelihood(scale, found) for scale in np.exp(np.linspace(-2, 2, 121))) >= best


def test_queries_that_say_nothing_change_nothing() -> None:
    codes, words = np.array([[1.0, -np.inf], [2.0, 1.0]]), np.zeros((2, 2))
    assert fitted_ratio(codes, words, np.array([[True, False], [False, False]])) == 1.0
    assert fitted_ratio(codes[:0], words[:0], np.zeros((0, 2), bool)) == 1.0


def retriever(backbone: Backbone, mode: Mode, weight: float) -> GenerativeRetriever:
    """A model that knows nothing, and words that tell every passage from the others."""
    tokens = [f"<a_{number}>" for number in range(len(PLACES))]
    ids = backbone.extend_vocabulary(tokens)
    table = DocidTable.build(tokens, [[-1 - row] for row in range(len(PLACES))], tokens).bind(ids)
    passages = PassageStore.build([Passage(place, "", place) for place in PLACES])
    words = replace(choose_words(passages, backbone.source_tokenizer, WordOptions()), weight=weight)
    return GenerativeRetriever(backbone, table, passages, words=words, options=SearchOptions(mode=mode))


@pytest.mark.parametrize("mode", ["plan", "beam", "both"])
@pytest.mark.parametrize("build", [t5, gpt2])
def test_models_of_any_kind_learn_it_where_words_are_right(build: type[Backbone], mode: Mode) -> None:
    """From a weight that is a thousand times too small."""
    found = retriever(build(), mode, 1e-4)
    assert found.words is not None
    labelled = [(place, frozenset([row])) for row, place in enumerate(PLACES)]
    learned, note = learned_weight(found, labelled)
    assert learned.weight > 100 * found.words.weight
    assert "1.000 after, on 6 labelled queries held back" in note
    assert learned.sets is found.words.sets


def test_a_weight_that_ranks_no_better_is_not_taken() -> None:
    """What is asked for is right by words already."""
    found = retriever(t5(), "plan", 1000.0)
    learned, note = learned_weight(found, [(PLACES[0], frozenset([0]))])
    assert learned is found.words
    assert note.startswith(
        "the weight of words stays at 1e+03: MRR@10 1.000 before, 1.000 after, on 1 labelled"
    )
