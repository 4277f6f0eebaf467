"""ROUGE-L of two texts, in the summary-level form that KILT's leaderboard uses.

C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, section 3.2, with the conventions of the
package `rouge` 1.0.1: sentences end at full stops, words are what spaces separate (case and punctuation count),
and each distinct word counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["rouge_l"]

# As in that package: keeps the mean of 0 and 0 defined.
SMALL = 1e-8


def rouge_l(text: str, reference: str) -> float:
    """The harmonic mean of precision and recall over the words of the union of longest common subsequences."""
    guessed, expected = _sentences(text), _sentences(reference)
    if not guessed or not expected:
        return 0.0
    union: set[str] = set()
    for one in expected:
        for other in guessed:
            union |= _common_words(one, other)
    precision = len(union) / len({word for sentence in guessed for word in sentence})
    recall = len(union) / len({word for sentence in expected for word in sentence})
    return 2 * precision * recall / (precision + recall + SMALL)


def _sentences(text: str) -> list[list[str]]:
    """Each sentence's words; a sentence of white space only has one empty word."""
    return [sentence.split() or [""] for sentence in text.split(".") if sentence]


def _common_words(first: Sequence[str], second: Sequence[str]) -> set[str]:
    """The words of a longest common subsequence; of several the one that drops the second's words last to first."""
    lengths = [[0] * (len(second) + 1)]
    for word in first:
        above, row = lengths[-1], [0]
        for column, other in enumerate(second):
            row.append(above[column] + 1 if word == other else max(above[column + 1], row[column]))
        lengths.append(row)
    i, j, found = len(first), len(second), set()
    while i and j:
        if first[i - 1] == second[j - 1]:
            found.add(first[i - 1])
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found
