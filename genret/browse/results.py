"""What is shown of one or two runs: for every query its passages, which of them are right, and whether it was missed.

Knows runs, judgements and passages; knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from genret.corpus import Judgements, PassageStore, Question, read_run
from genret.corpus.formats import registry
from genret.corpus.formats.found import FoundMatch, FoundPassage, FoundQuery, found_queries
from genret.corpus.formats.kilt import page_of
from genret.corpus.metadata import told_fields

__all__ = ["FILTERS", "Filter", "Results", "ShownPassage", "ShownQuery", "load_results", "marked"]

Filter = Literal["all", "missed", "differ"]
FILTERS: tuple[Filter, ...] = ("all", "missed", "differ")


@dataclass(frozen=True)
class ShownPassage:
    """One hit with its texts; `gold` where a judgement has the passage or its page; `fields` as a line."""

    rank: int
    found: FoundPassage
    title: str
    text: str
    gold: bool
    fields: str = ""


@dataclass(frozen=True)
class ShownQuery:
    """One query with the passages of each run, in the order of the runs.

    Attributes:
        judged: whether there are judgements for it.
    """

    query_id: str
    text: str
    judged: bool
    runs: tuple[tuple[ShownPassage, ...], ...]

    @property
    def gold_ranks(self) -> tuple[int | None, ...]:
        """The rank of the first right passage in each run; None where it is not among those shown."""
        return tuple(next((one.rank for one in passages if one.gold), None) for passages in self.runs)

    @property
    def missed(self) -> bool:
        """Whether the first run has no right passage among those shown."""
        return self.judged and self.gold_ranks[0] is None

    @property
    def differs(self) -> bool:
        """Whether the runs have the first right passage at different ranks."""
        return self.judged and len(set(self.gold_ranks)) > 1

    def passes(self, chosen: Filter, text: str = "") -> bool:
        """Whether the query is shown under a filter, and holds a text, whatever its case."""
        kept = chosen == "all" or (self.missed if chosen == "missed" else self.differs)
        return kept and text.casefold() in f"{self.query_id} {self.text}".casefold()


@dataclass(frozen=True)
class Results:
    """One or two runs on the same queries.

    Attributes:
        names: of the runs.
        found: query_id -> the query's hits, for each run.
        texts: query_id -> the query, in the order in which queries are shown.
        judgements: query_id -> passage or page -> grade; None where nothing was judged.
        passages: the corpus; None where only ids are known.
        depth: hits shown of a query.
    """

    names: tuple[str, ...]
    found: tuple[dict[str, FoundQuery], ...]
    texts: dict[str, str]
    judgements: Judgements | None = None
    passages: PassageStore | None = None
    depth: int = 10

    def queries(self, chosen: Filter = "all", text: str = "") -> Iterator[ShownQuery]:
        """The queries that pass a filter, one after the other."""
        shown = map(self._query, self.texts)
        return (query for query in shown if query.passes(chosen, text))

    def _query(self, query_id: str) -> ShownQuery:
        grades = (self.judgements or {}).get(query_id, {})
        gold = {passage_id for passage_id, grade in grades.items() if grade > 0}
        runs = tuple(
            tuple(
                self._passage(rank, one, gold)
                for rank, one in enumerate(islice(_passages(run, query_id), self.depth), 1)
            )
            for run in self.found
        )
        return ShownQuery(query_id, self.texts[query_id], bool(gold), runs)

    def _passage(self, rank: int, found: FoundPassage, gold: set[str]) -> ShownPassage:
        right = found.passage_id in gold or page_of(found.passage_id) in gold
        passage_id: object = found.passage_id
        if self.passages is None or passage_id not in self.passages:
            return ShownPassage(rank, found, "", "", right, told_fields(found.metadata))
        passage = self.passages[self.passages.row(found.passage_id)]
        fields = told_fields(found.metadata or passage.metadata)
        return ShownPassage(rank, found, passage.title, passage.text, right, fields)


def load_results(
    runs: Sequence[Path],
    texts: dict[str, str],
    judgements: Judgements | None = None,
    passages: PassageStore | None = None,
    depth: int = 10,
) -> Results:
    """Read one or two runs of any format; one that `genret batch` wrote has texts and docids or n-grams itself.

    Raises:
        InputError: a file is no run.
    """
    found = tuple(map(_read, runs))
    known: dict[str, str] = {}
    for query_id, one in ((query_id, one) for run in found for query_id, one in run.items()):
        known[query_id] = known.get(query_id) or texts.get(query_id) or one.question.text
    return Results(tuple(path.name for path in runs), found, known, judgements, passages, depth)


def marked(text: str, matches: Sequence[FoundMatch]) -> list[tuple[str, FoundMatch | None]]:
    """A text cut where n-grams occur in it; where two overlap, the one that adds more marks the place."""
    owner: list[FoundMatch | None] = [None] * len(text)
    for match in sorted(matches, key=lambda one: one.score):
        ngram = match.text.strip()
        begin = text.find(ngram) if ngram else -1
        while begin >= 0:
            owner[begin : begin + len(ngram)] = [match] * len(ngram)
            begin = text.find(ngram, begin + len(ngram))
    pieces: list[tuple[str, FoundMatch | None]] = []
    begin = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or owner[place] is not owner[begin]:
            pieces.append((text[begin:place], owner[begin]))
            begin = place
    return pieces


def _read(path: Path) -> dict[str, FoundQuery]:
    file = registry.open_file(path)
    if "genret-run" in registry.fitting(file):
        return {found.question.query_id: found for found in found_queries(file)}
    return {
        query_id: FoundQuery(
            Question(query_id, "", []), [FoundPassage(passage_id, score) for passage_id, score in hits]
        )
        for query_id, hits in read_run(path).items()
    }


def _passages(run: dict[str, FoundQuery], query_id: str) -> Sequence[FoundPassage]:
    return run[query_id].passages if query_id in run else ()
