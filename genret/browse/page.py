"""Results as one HTML page without a script: everything is in it, escaped; filters are style rules.

Knows what is shown; reads no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

from genret.browse.results import Results, ShownPassage, ShownQuery, marked

__all__ = ["MOST_QUERIES", "page", "query_article", "results_page"]

# More make a file that browsers open slowly; the served page has all of them.
MOST_QUERIES = 1_000
MOST_NGRAMS = 8
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 84rem; }
header { position: sticky; top: 0; background: Canvas; padding: .5rem 0; border-bottom: 1px solid GrayText; }
h1 { font-size: 1.1rem; margin: 0; }
.query { border-bottom: 1px solid color-mix(in srgb, GrayText 40%, transparent); }
summary { cursor: pointer; padding: .5rem 0; }
.verdict { display: inline-block; min-width: 4.5rem; font-weight: 600; }
.missed .verdict { color: #c62828; } .hit .verdict { color: #2e7d32; }
.id, .score, .docid { font-size: .85em; color: GrayText; }
.runs { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1.5rem; }
ol { padding-left: 1.5rem; } li { margin: 0 0 .8rem; }
.gold { border-left: 4px solid #2e7d32; padding-left: .6rem; background: color-mix(in srgb, #2e7d32 10%, transparent); }
.gold .title::after { content: " right"; color: #2e7d32; font-size: .85em; }
.text { margin: .1rem 0; } mark { border-radius: .2em; }
body:has(#filter-missed:checked) .query:not(.missed) { display: none; }
body:has(#filter-differ:checked) .query:not(.differs) { display: none; }
"""


def results_page(results: Results) -> str:
    """One self-contained file with the first `MOST_QUERIES` queries."""
    shown = list(islice(results.queries(), MOST_QUERIES))
    total = len(results.texts)
    note = "" if total <= len(shown) else f" The first {len(shown):,} of {total:,}; serve the run to see all."
    return page(results.names, _summary(results.names, shown) + note, _radios(results), shown)


def page(names: Sequence[str], summary: str, controls: str, queries: Iterable[ShownQuery]) -> str:
    """A page of queries below its controls (HTML)."""
    title = escape(" and ".join(names))
    articles = "\n".join(query_article(query, names) for query in queries)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style>
<body>
<header><h1>{title}</h1><p>{escape(summary)}</p>{controls}</header>
<main>
{articles}
</main>
</body>
</html>
"""


def query_article(query: ShownQuery, names: Sequence[str]) -> str:
    """One query: folded to a line, unfolded to the passages of each run."""
    classes = ["query"]
    if query.judged:
        classes.append("missed" if query.missed else "hit")
    if query.differs:
        classes.append("differs")
    runs = "".join(_run(name, passages) for name, passages in zip(names, query.runs, strict=True))
    return (
        f'<article class="{" ".join(classes)}" data-query="{escape(query.query_id)}"><details><summary>'
        f'<span class="verdict">{_verdict(query)}</span> {escape(query.text)} '
        f'<span class="id">{escape(query.query_id)}</span></summary>\n<div class="runs">{runs}</div></details></article>'
    )


def _verdict(query: ShownQuery) -> str:
    """The rank of the first right passage in each run."""
    if not query.judged:
        return "not judged"
    return ", ".join("missed" if rank is None else f"at {rank}" for rank in query.gold_ranks)


def _run(name: str, passages: Sequence[ShownPassage]) -> str:
    items = "\n".join(map(_passage, passages)) or "<li>no passage</li>"
    return f"<section><h2>{escape(name)}</h2><ol>\n{items}\n</ol></section>"


def _passage(passage: ShownPassage) -> str:
    found = passage.found
    flag = ' class="gold"' if passage.gold else ""
    docid = f' <code class="docid">{escape(found.docid)}</code>' if found.docid else ""
    ngrams = _ngrams(passage)
    return (
        f'<li{flag} data-passage="{escape(found.passage_id)}"><span class="title">{_marks(passage, passage.title)}</span> '
        f'<span class="id">{escape(found.passage_id)}</span>{docid} <span class="score">{found.score:.3f}</span>'
        f'<p class="text">{_marks(passage, passage.text)}</p>{ngrams}</li>'
    )


def _marks(passage: ShownPassage, text: str) -> str:
    strongest = max((match.score for match in passage.found.matches), default=1.0) or 1.0
    parts = []
    for piece, match in marked(text, passage.found.matches):
        if match is None:
            parts.append(escape(piece))
            continue
        strength = 15 + 85 * max(0.0, match.score / strongest)
        style = f"background: color-mix(in srgb, #ffb400 {strength:.0f}%, transparent)"
        parts.append(f'<mark title="{match.score:.2f}" style="{style}">{escape(piece)}</mark>')
    return "".join(parts)


def _ngrams(passage: ShownPassage) -> str:
    """The n-grams that count most, with what they add; also those that the text spells otherwise."""
    best = sorted(passage.found.matches, key=lambda one: -one.score)[:MOST_NGRAMS]
    listed = ", ".join(f"{escape(one.text.strip())} {one.score:.2f}" for one in best)
    return f'<p class="id">found by {listed}</p>' if best else ""


def _summary(names: Sequence[str], shown: Sequence[ShownQuery]) -> str:
    judged = [query for query in shown if query.judged]
    if not judged:
        return f"{len(shown):,} queries, none judged."
    parts = []
    for place, name in enumerate(names):
        missed = sum(query.gold_ranks[place] is None for query in judged)
        parts.append(f"{name} missed {missed:,}")
    return f"{len(shown):,} queries, {len(judged):,} judged: {', '.join(parts)}."


def _radios(results: Results) -> str:
    """Filters that need no script."""
    filters = {"all": "all"}
    if results.judgements is not None:
        filters["missed"] = f"missed by {results.names[0]}"
    if results.judgements is not None and len(results.names) > 1:
        filters["differ"] = "ranked differently"
    return " ".join(
        f'<label><input type="radio" name="filter" id="filter-{key}"{" checked" if key == "all" else ""}> '
        f"{escape(label)}</label>"
        for key, label in filters.items()
    )
