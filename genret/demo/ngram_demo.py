"""`genret demo --ngrams`: a language model, as it is, finds passages by the n-grams that it generates.

Knows the demo's corpus and configuration; the work is done by `genret.retrieval.ngrams`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.text import Text

from genret.artefact import folder_kind
from genret.config import load_config
from genret.demo.collection import DemoCollection
from genret.demo.walkthrough import answer_questions
from genret.jobs.stages import Stages
from genret.recipes.ngram_recipe import run_ngram_recipe
from genret.recipes.recipe_options import NgramRecipe
from genret.retrieval.ngrams import NgramHit, NgramRetriever

__all__ = ["ask_ngrams", "ngram_recipe", "run_ngram_demo"]

SHOWN_QUESTIONS = 3
HITS = 3
N_GRAMS = 5
WIDEST = 400


def ngram_recipe(corpus: Path, output: Path) -> NgramRecipe:
    """The demo's configuration for a corpus."""
    with as_file(files("genret.demo") / "ngrams.yaml") as path:
        return load_config(NgramRecipe, path, [f"data.corpus={corpus}", f"output={output}"])


def run_ngram_demo(
    console: Console, collection: DemoCollection, folder: Path, stages: Stages, *, retrain: bool = False
) -> NgramRetriever:
    """Index the collection, or load what an earlier run made of it, and answer a few of its questions."""
    output = folder / f"ngrams-{collection.digest[:16]}"
    model = output / "model"
    if retrain or folder_kind(model) != NgramRetriever.kind:
        made = run_ngram_recipe(ngram_recipe(collection.folder, output), stages=stages).retriever()
        made.save_pretrained(model, overwrite=True)
    with stages.stage("load the retriever"):
        retriever = NgramRetriever.from_pretrained(model)
    console.print(
        f"{collection.name}: {len(collection.passages):,} passages. A language model that never saw them reads each "
        "question and generates n-grams that occur in them; passages are scored by the n-grams they hold."
    )
    for question in collection.questions[:SHOWN_QUESTIONS]:
        console.print(f"\n[bold]{question.text}[/bold]")
        _show(console, retriever, question.text, question.passage_ids)
    return retriever


def ask_ngrams(console: Console, retriever: NgramRetriever, read: Callable[[str], str]) -> None:
    """Answer the user's own questions until the input ends."""
    answer_questions(console, lambda question: _show(console, retriever, question), read)


def _show(console: Console, retriever: NgramRetriever, question: str, right: tuple[str, ...] = ()) -> None:
    for hit in retriever.search(question, HITS):
        note = "  right" if hit.passage_id in right else ""
        console.print(
            f"  {hit.rank}  {hit.score:8.2f}  {hit.passage_id}{note}", highlight=False, markup=False
        )
        console.print(_marked(retriever, hit))


def _marked(retriever: NgramRetriever, hit: NgramHit) -> Text:
    """The beginning of the passage with its n-grams marked, and the best of them."""
    shown = Text()
    for piece in retriever.pieces(hit):
        shown.append(" ".join(piece.text.split("\n")), style="" if piece.match is None else "reverse")
    shown.truncate(WIDEST, overflow="ellipsis")
    best = sorted(hit.matches, key=lambda one: -one.score)[:N_GRAMS]
    listed = ", ".join(f"{one.text.strip()!r} {one.score:.1f}" for one in best)
    return Text("\n").join([shown, Text(listed, style="dim")])
