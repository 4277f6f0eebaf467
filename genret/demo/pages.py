"""The demo's pages: measured numbers in, rich renderables out.

Pure functions over plain data; nothing here measures, loads or prints. Every number on a page was handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from genret.demo.search_steps import Prefix
    from genret.retrieval.docids import Standing

__all__ = [
    "Answer",
    "AnsweredHit",
    "Failure",
    "StepView",
    "answers_page",
    "cost_page",
    "failures_page",
    "hits_page",
    "plan_page",
    "scores_page",
    "steps_page",
]

TITLE_WIDTH = 62
TAIL_TOKENS = 2
RIGHT_OF_STEP = ("probability", "score", "passages")
SCORES = {
    "full": "log-probabilities over all tokens",
    "renormalised": "log-probabilities among the legal tokens",
    "raw": "logits",
}


class StepView(NamedTuple):
    """One step of a search: prefixes kept of all continuations, passages still reachable, the best beams."""

    number: int
    kept: int
    of: int
    reachable: int
    beams: Sequence[Prefix]


class AnsweredHit(NamedTuple):
    """A ranked passage; `right` if it is one of the question's right ones; the words that it shares with it."""

    rank: int
    title: str
    score: float
    right: bool
    words: str = ""


class Answer(NamedTuple):
    """A question and what came back."""

    question: str
    hits: Sequence[AnsweredHit]


class Failure(NamedTuple):
    """A question without a right passage among its hits: titles, and where the best right passage stands."""

    question: str
    first: str
    right: str
    standing: Standing


def plan_page(title: str, lines: Sequence[tuple[str, str]]) -> RenderableType:
    """What is going to happen: pairs of a part and what it does, with how long it takes."""
    table = _table("part", "what it does")
    for part, text in lines:
        table.add_row(f"[bold]{escape(part)}[/bold]", escape(text))
    return _page(title, table)


def scores_page(title: str, scores: Table) -> RenderableType:
    """The systems' scores."""
    note = Text("In brackets the 95 % interval of the mean over questions.", style="dim")
    return _page(title, _compact(scores), note)


def cost_page(costs: Table, note: str) -> RenderableType:
    """Time and memory of each stage; `note` says when they were measured."""
    return _page("Time and memory", _compact(costs), Text(note, style="dim"))


def steps_page(question: str, steps: Sequence[StepView], passages: int, kind: str) -> RenderableType:
    """A search as a shrinking set of candidates: a block a step; `kind` is the scores' name in `SearchOptions`."""
    blocks: list[RenderableType] = [Text.assemble("question  ", (question, "bold"))]
    blocks.append(Text(f"start     {passages:,} passages can be reached"))
    for step in steps:
        table = _table("docid so far", "probability", "score", "passages", "one of them", right=RIGHT_OF_STEP)
        for beam in step.beams:
            cells = (f"{beam.probability:.3f}", _score(beam.score), f"{beam.reachable:,}")
            table.add_row(escape(_tail(beam.tokens)), *cells, escape(_short(beam.example, 30)))
        head = f"step {step.number}    {step.reachable:,} passages can be reached; "
        head += f"{step.kept:,} of {step.of:,} legal continuations kept"
        blocks += [Text(head), Padding(table, (0, 0, 0, 2))]
    blocks.append(
        Text(
            f"Probability: of the last token, among the legal ones. Score: {SCORES[kind]}, summed over the docid.",
            style="dim",
        )
    )
    return _page("One question, token by token", *blocks)


def _tail(tokens: Sequence[str]) -> str:
    """The last tokens of a prefix: its beginning was shown in earlier steps."""
    return " ".join(tokens if len(tokens) <= TAIL_TOKENS else ["…", *tokens[-TAIL_TOKENS:]])


def answers_page(title: str, answers: Sequence[Answer]) -> RenderableType:
    """Questions with their ranked passages; right ones are marked."""
    return _page(title, *(Group(Text(one.question, style="bold"), hits_page(one.hits)) for one in answers))


def hits_page(hits: Sequence[AnsweredHit]) -> RenderableType:
    """Ranked passages."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    for hit in hits:
        mark = Text("right", style="green") if hit.right else Text("")
        title = escape(_short(hit.title, TITLE_WIDTH))
        table.add_row(str(hit.rank), _score(hit.score), title, mark, Text(hit.words, style="dim"))
    return Padding(table if hits else Text("nothing found"), (0, 0, 1, 2))


def failures_page(title: str, failures: Sequence[Failure]) -> RenderableType:
    """Questions that were not answered, and what went wrong with the best of their right passages."""
    return _page(title, *(_failure(one) for one in failures))


def _failure(failure: Failure) -> RenderableType:
    found = failure.standing
    facts = Table.grid(padding=(0, 2))
    for name, text in (
        ("came first", _short(failure.first, TITLE_WIDTH)),
        ("right", _short(failure.right, TITLE_WIDTH)),
        (
            "its rank",
            f"{found.rank:,}; by codes alone {found.code_rank:,}, by words alone {found.word_rank:,}",
        ),
    ):
        facts.add_row(Text(name, style="dim"), escape(text))
    return Group(Text(failure.question, style="bold"), Padding(facts, (0, 0, 1, 2)))


def _page(title: str, *parts: RenderableType) -> RenderableType:
    return Group(Rule(Text(title, style="bold"), align="left"), *parts, Text(""))


def _compact(table: Table) -> Table:
    """A table of another module as these pages show theirs: no frame, no title, and 80 columns are enough."""
    table.box, table.title, table.padding, table.header_style = None, None, (0, 2, 0, 0), "dim"
    for column in table.columns:
        column.no_wrap = True
        column.header = "n" if column.header == "queries" else column.header
    return table


def _table(*names: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left")
    return table


def _score(score: float) -> str:
    return f"{score:.2f}"


def _short(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"
