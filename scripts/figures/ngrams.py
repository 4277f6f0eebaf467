"""One question's n-grams and the passages that they meet in.

    python -m scripts.figures.ngrams MODEL "question" TABLE.tsv

writes what the figure is drawn from: a line for each n-gram with its view and, for each passage, what it adds to its
score, as a share of the largest such sum.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docid.figure_file import figure_file
from fm_index.container import atomic_writer

if TYPE_CHECKING:
    from genret.retrieval.ngrams import NgramHit

PASSAGES, N_GRAMS = 4, 12
COLOURS = {"body": "#2a78c8", "title": "#c8642a", "query": "#4c8a30", "unigrams": "#777777"}
# Of the curves, on an axis from the n-grams to the passages.
LEFT, RIGHT = 0.0, 1.0


def main() -> None:
    from genret.retrieval.from_folder import load_retriever
    from genret.retrieval.ngrams import NgramRetriever

    folder, question, output = sys.argv[1:]
    retriever = load_retriever(folder)
    if not isinstance(retriever, NgramRetriever):
        sys.exit(f"{folder}: expected a model that emits n-grams.")
    hits = retriever.search(question, PASSAGES)
    titles = [retriever.passages[retriever.passages.row(hit.passage_id)].title for hit in hits]
    with atomic_writer(Path(output)) as file:
        file.write(table(question, hits, titles).encode())


def table(question: str, hits: list[NgramHit], titles: list[str]) -> str:
    """The n-grams with the greatest scores, one a line; the header has the question and the passages."""
    best: dict[tuple[str, str], float] = {}
    for hit in hits:
        for match in hit.matches:
            key = (match.text.strip(), match.view)
            best[key] = max(best.get(key, 0.0), match.score)
    chosen = sorted(best, key=lambda key: -best[key])[:N_GRAMS]
    strongest = max(best.values())
    passages = [f"{hit.rank}. {title} ({hit.score:.0f})" for hit, title in zip(hits, titles, strict=True)]
    lines = ["\t".join([question, "view", *passages])]
    for key in chosen:
        sums = [sum(one.score for one in hit.matches if (one.text.strip(), one.view) == key) for hit in hits]
        lines.append("\t".join([*key, *(f"{total / strongest:.2f}" for total in sums)]))
    return "\n".join(lines) + "\n"


def draw(source: Path, output: Path) -> None:
    """A curve from each n-gram to each passage that holds it, as wide as what it adds."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    header, *rows = [line.split("\t") for line in source.read_text(encoding="utf-8").splitlines()]
    question, _, *passages = header
    places = [(number + 0.5) * len(rows) / len(passages) for number, _ in enumerate(passages)]
    with figure_file(output, (9, 4.8)) as figure:
        axes = figure.subplots()
        for row, (ngram, view, *shares) in enumerate(rows):
            axes.text(LEFT - 0.03, row + 0.5, ngram, ha="right", va="center", color=COLOURS[view])
            for place, share in zip(places, map(float, shares), strict=True):
                if share > 0:
                    middle = (LEFT + RIGHT) / 2
                    ends = [(LEFT, row + 0.5), (middle, row + 0.5), (middle, place), (RIGHT, place)]
                    bend = Outline(ends, [Outline.MOVETO, *[Outline.CURVE4] * 3])
                    style = {"edgecolor": COLOURS[view], "linewidth": 0.5 + 4 * share, "alpha": 0.6}
                    axes.add_patch(PathPatch(bend, facecolor="none", **style))
        for place, passage in zip(places, passages, strict=True):
            axes.text(RIGHT + 0.03, place, passage, ha="left", va="center")
        for number, view in enumerate(dict.fromkeys(view for _, view, *_ in rows)):
            axes.text(LEFT + 0.2 * number, -0.6, view, ha="left", color=COLOURS[view])
        axes.set(xlim=(-0.5, 1.6), ylim=(len(rows), -1), title=question)
        axes.set_axis_off()


if __name__ == "__main__":
    main()
