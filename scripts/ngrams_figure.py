"""Draws one question's n-grams and the passages that they meet in, as SVG.

scripts/ngrams_figure.py MODEL "question" OUTPUT.svg
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from fm_index.container import atomic_writer
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramHit, NgramRetriever

PASSAGES, N_GRAMS = 4, 12
WIDTH, LINE, LEFT, RIGHT, TOP = 860, 30, 300, 560, 70
COLOURS = {"body": "#2a78c8", "title": "#c8642a", "query": "#5a9a3c", "unigrams": "#888888"}


def main() -> None:
    folder, question, output = sys.argv[1:]
    retriever = load_retriever(folder)
    assert isinstance(retriever, NgramRetriever), f"{folder} emits no n-grams"
    hits = retriever.search(question, PASSAGES)
    titles = {
        hit.passage_id: retriever.passages[retriever.passages.row(hit.passage_id)].title for hit in hits
    }
    with atomic_writer(Path(output)) as file:
        file.write(drawing(question, hits, titles).encode())


def drawing(question: str, hits: list[NgramHit], titles: dict[str, str]) -> str:
    best: dict[tuple[str, str], float] = {}
    for hit in hits:
        for match in hit.matches:
            key = (match.text.strip(), match.view)
            best[key] = max(best.get(key, 0.0), match.score)
    ngrams = sorted(best, key=lambda key: -best[key])[:N_GRAMS]
    strongest = max(best.values())
    height = TOP + LINE * max(len(ngrams), 2 * len(hits)) + 20
    middle = (height - TOP) / len(hits)
    places = {hit.passage_id: TOP + middle * (place + 0.5) for place, hit in enumerate(hits)}
    parts = [text(WIDTH / 2, 28, question, "middle", "font-weight='bold'")]
    for row, (ngram, view) in enumerate(ngrams):
        y = TOP + LINE * (row + 0.5)
        parts.append(text(LEFT - 10, y + 5, ngram, "end", f"fill='{COLOURS.get(view, '#333')}'"))
        for hit in hits:
            score = sum(one.score for one in hit.matches if (one.text.strip(), one.view) == (ngram, view))
            if score > 0:
                parts.append(curve(y, places[hit.passage_id], COLOURS.get(view, "#333"), score / strongest))
    for hit in hits:
        label = f"{hit.rank}. {titles[hit.passage_id]} ({hit.score:.0f})"
        parts.append(text(RIGHT + 10, places[hit.passage_id] + 5, label, "start", ""))
    used = [view for view in COLOURS if any(view == own for _, own in ngrams)]
    for place, view in enumerate(used):
        parts.append(text(LEFT - 10 + 90 * place, 54, view, "middle", f"fill='{COLOURS[view]}'"))
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' font-family='sans-serif' "
        f"font-size='14'>\n<rect width='100%' height='100%' fill='white'/>\n{body}\n</svg>\n"
    )


def text(x: float, y: float, content: str, anchor: str, style: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}' {style}>{escape(content)}</text>"


def curve(begin: float, end: float, colour: str, strength: float) -> str:
    bend = (LEFT + RIGHT) / 2
    path = f"M{LEFT},{begin:.0f} C{bend:.0f},{begin:.0f} {bend:.0f},{end:.0f} {RIGHT},{end:.0f}"
    return f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='{0.5 + 4 * strength:.1f}' opacity='.6'/>"


if __name__ == "__main__":
    main()
