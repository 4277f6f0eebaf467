"""Reading a corpus, queries, judgements or a run, whatever form they come in.

Where a corpus may be, `genret.corpus.sources` knows. Elsewhere a place is a folder in BEIR's layout (`corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`, each plain, `.gz` or
`.zst`), a folder of BoolQ's own files, a zip archive of either, one file of any known format, or an identifier of the package ir_datasets with `irds:` before it.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genret.corpus.corpus_options import AS_IS, WHOLE, CorpusOptions
from genret.corpus.documents.folder import HIDDEN, LeftOut
from genret.corpus.documents.judged import documents_of
from genret.corpus.documents.pieces import DOCUMENT, in_pieces
from genret.corpus.formats import boolq, dpr, irds, kilt, registry
from genret.corpus.formats import runs as trec
from genret.corpus.formats.datafile import (
    Blanks,
    DataFile,
    EmptyFileError,
    data_file,
    find_file,
    list_files,
    show,
)
from genret.corpus.formats.dpr import Question
from genret.corpus.formats.judgements import judgements
from genret.corpus.formats.kilt_inputs import KiltInputs
from genret.corpus.formats.records import NOWHERE, Unique
from genret.corpus.formats.runs import Ties, check_ids, check_query_id
from genret.corpus.sources import BOOLQ, IRDS, Place, Source, find_sources, no_file, shown
from genret.corpus.store import PassageStore
from genret.corpus.types import Judgements, Passage, Query, Run
from genret.errors import InputError, UsageError

__all__ = [
    "in_corpus",
    "judged_splits",
    "of_source",
    "read_judged",
    "read_judgements",
    "read_passages",
    "read_queries",
    "read_questions",
    "read_run",
    "read_store",
    "source_passages",
    "tell_blanks",
    "tell_left_out",
]

_log = logging.getLogger(__name__)


# So many files that are left out are named.
LEFT_NAMED = 5
# Whose reader checks ids itself, and names the line.
COLUMNS = ("beir-judgements", "trec-judgements")


def read_passages(place: Place, options: CorpusOptions = AS_IS) -> Iterator[Passage]:
    """The passages of a corpus, whatever form it comes in, as a stream.

    A place may be a folder of documents (Markdown, text, reStructuredText, HTML) or of records, one in BEIR's layout,
    BoolQ's files, one that `datasets` saved; a zip archive of any (a wheel is one); one file of any corpus format,
    compressed or not; `-` for standard input; or several of these. A passage has a title, a text, or both.

    Raises:
        InputError: nothing there can be read as passages, or a line is wrong; raised when the stream gets there.
    """
    blanks = Blanks() if options.skip_empty else None
    yield from _passages(place, options, blanks)
    tell_blanks(place, blanks)


def read_store(place: Place, options: CorpusOptions = AS_IS, *, one_word: bool = False) -> PassageStore:
    """The passages of `read_passages` as a store, which knows what was left out and how texts were split.

    With `one_word`, an id that cannot stand in TREC's columns is refused, where it stands.

    Raises:
        InputError: as `read_passages`.
    """
    blanks = Blanks() if options.skip_empty else None
    reached: deque[str] = deque(maxlen=1)
    store = PassageStore.build(_passages(place, options, blanks, one_word, reached), reached)
    for passage_id in store.passage_ids if one_word else ():
        check_ids(passage_id)
    tell_blanks(place, blanks)
    store.left_out = frozenset(blanks.passage_ids if blanks is not None else ())
    # What came in pieces already, somebody else has split.
    store.split = options.split or (None if DOCUMENT in store.columns() else WHOLE)
    return store


def tell_blanks(place: Place, blanks: Blanks | None) -> None:
    """Say in the log which passages were left out, if any were."""
    if blanks is not None and blanks.passage_ids:
        _log.warning(blanks.told(shown(place)))


def _passages(
    place: Place,
    options: CorpusOptions,
    blanks: Blanks | None,
    one_word: bool = False,
    reached: deque[str] | None = None,
) -> Iterator[Passage]:
    like = DataFile(Path(), blanks=blanks, one_word=one_word, options=options, reached=reached)
    sources = find_sources(place, like)
    left = list(sources.left_out)
    yield from source_passages(sources.found, left)
    tell_left_out(shown(place), left)


def source_passages(sources: Sequence[Source], left: list[LeftOut]) -> Iterator[Passage]:
    """The passages of all sources; of several, files without text are added to `left`.

    Raises:
        InputError: as `read_passages`, or passages of two sources have one id, or none has any text.
    """
    apart = _Apart(sources) if len(sources) > 1 else None
    count, empty = 0, None
    for number, source in enumerate(sources):
        try:
            for passage in of_source(source):
                if apart is not None:
                    apart.add(NOWHERE, number, "id", passage.passage_id)
                yield passage
                count += 1
        except EmptyFileError as error:
            if apart is None:
                raise
            left.append(LeftOut(source.file.label, "empty"))
            empty = empty or error
    if apart is not None:
        apart.finish(NOWHERE)
    if not count and empty is not None:
        raise empty


def tell_left_out(label: str, left: Sequence[LeftOut]) -> None:
    """Say in the log which files were left out, if any that are not hidden were."""
    told = [one for one in left if one.reason != HIDDEN]
    if told:
        more = ", ..." if len(told) > LEFT_NAMED else "."
        named = ", ".join(f"{one.place} ({one.reason})" for one in told[:LEFT_NAMED])
        _log.warning(f"{label}: left out {len(told):,} file{'s' * (len(told) > 1)}: {named}{more}")


def of_source(source: Source) -> Any:
    """What a source holds: passages or queries as a stream, judgements, or a run.

    Raises:
        InputError: a line is wrong; of a stream, when it gets there.
    """
    file, splitting = source.file, source.file.options.splitting
    file.reach()
    if source.form == IRDS:
        return in_pieces(irds.passages(file.path, file.blanks), splitting)
    if source.form == BOOLQ:
        return in_pieces(boolq.passages(file.path), splitting)
    return registry.find_format(source.form).read(file)


class _Apart(Unique):
    """Refuses an id that a passage of another source has, and names both; a source's number stands for a line's."""

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__("passage")
        self._labels = [source.file.label for source in sources]

    def _repeated(self, file: DataFile, line: int, what: str, first: int) -> InputError:
        return InputError(
            f"{self._labels[line]}{what} is an id in {self._labels[first]} already; every passage needs an id of its own."
        )


def read_queries(path: str | os.PathLike[str], *, one_word: bool = False) -> Iterator[Query]:
    """The queries of a BEIR folder, of BoolQ's files, or of one file of any queries format, as a stream.

    With `one_word`, an id that cannot stand in TREC's columns is refused, where it stands.

    Raises:
        InputError: as `read_passages`.
    """
    for query in _queries(path, one_word):
        if one_word:
            check_query_id(query.query_id)
        yield query


def _queries(path: str | os.PathLike[str], one_word: bool) -> Iterator[Query]:
    if irds.is_identifier(path):
        yield from irds.queries(path)
        return
    file = data_file(path) or find_file(Path(path), "queries.jsonl")
    if file is not None:
        yield from registry.read(replace(file, one_word=one_word), "queries")
    elif boolq.holds(Path(path)):
        yield from boolq.queries(Path(path))
    else:
        raise no_file(Path(path), "queries.jsonl")


def read_questions(
    path: str | os.PathLike[str], inputs: KiltInputs | None = None, *, one_word: bool = False
) -> Iterator[Question]:
    """Queries with the answers that count as right: DPR's question files and KILT's task files have them.

    From any other queries, questions without answers. `inputs` says how a KILT task's inputs become queries;
    `one_word` as in `read_queries`.

    Raises:
        InputError: as `read_queries`. UsageError: `inputs` is given and the file is no KILT task.
    """
    for question in _questions(path, inputs, one_word):
        if one_word:
            check_query_id(question.query_id)
        yield question


def _questions(path: str | os.PathLike[str], inputs: KiltInputs | None, one_word: bool) -> Iterator[Question]:
    file = None if irds.is_identifier(path) else data_file(path)
    file = file and replace(file, one_word=one_word)
    name = None if file is None else registry.format_of(file, "queries")
    if file is not None and name == "kilt-queries":
        for line in kilt.task_lines(file):
            yield Question(line.line_id, (inputs or KiltInputs()).text(line), line.answers)
    elif inputs is not None:
        raise UsageError(f"{path}: is no KILT task file; templates and windows are for its inputs.")
    elif file is not None and name == "dpr-queries":
        yield from dpr.questions(file)
    else:
        yield from (Question(query.query_id, query.text, []) for query in _queries(path, one_word))


def read_judgements(
    path: str | os.PathLike[str],
    split: str | None = None,
    *,
    query_ids: Container[str] | None = None,
    passage_ids: Container[str] | None = None,
) -> Judgements:
    """query_id -> passage_id -> grade, from a BEIR folder, BoolQ's files, or a file of any judgements format.

    A folder or an archive has `qrels/<split>.tsv`; `split` may be left out where there is one only. With
    `query_ids` or `passage_ids`, a judgement for any other query or passage is refused.

    Raises:
        InputError: nothing there can be read as judgements, or a line is wrong.
    """
    if irds.is_identifier(path):
        return irds.judgements(path)
    file = data_file(path)
    if file is None:
        splits = _splits(Path(path))
        split = _choose(Path(path), splits, split)
        file = splits[split]
        if file is None:
            return boolq.judgements(Path(path), split)
    name = registry.format_of(file, "judgements")
    if name in COLUMNS:
        return judgements(file, query_ids=query_ids, passage_ids=passage_ids)
    judged: Judgements = registry.read(file, "judgements")
    _check_known(file, "query", judged, query_ids)
    _check_known(file, "passage", {one for grades in judged.values() for one in grades}, passage_ids)
    return judged


def read_judged(
    path: str | os.PathLike[str], query_ids: Container[str], passages: PassageStore, split: str | None = None
) -> Judgements:
    """The judgements of a corpus that was read: of its passages, of the documents that these are pieces of, and of what
    was left out as empty.

    Raises:
        InputError: as `read_judgements`.
    """
    known = frozenset(passages.passage_ids) | passages.left_out | frozenset(documents_of(passages).values())
    return read_judgements(path, split, query_ids=query_ids, passage_ids=known)


def in_corpus(judged: Judgements, passages: PassageStore) -> Judgements:
    """`judged` without what was left out as empty, and without queries for which nothing else was judged."""
    kept = {
        query_id: {one: grade for one, grade in grades.items() if one not in passages.left_out}
        for query_id, grades in judged.items()
    }
    return {query_id: grades for query_id, grades in kept.items() if grades or not judged[query_id]}


def judged_splits(path: str | os.PathLike[str]) -> list[str]:
    """The splits that a folder or an archive has judgements for, sorted; none for any other place.

    Raises:
        InputError: there is nothing.
    """
    if irds.is_identifier(path) or data_file(path) is not None:
        return []
    return sorted(_splits(Path(path)))


def read_run(path: str | os.PathLike[str], ties: Ties = "trec") -> Run:
    """Each query's hits, best first, from a file of any run format.

    Of TREC's format, whose lines have no order of their own, the scores decide and the ranks are ignored. Of equal
    scores the greater passage id comes first, as in trec_eval, or with `ties` "file" the earlier line.

    Raises:
        InputError: the file cannot be read as a run, or a line is wrong.
    """
    file = data_file(path)
    if file is None:
        raise InputError(f"{path}: expected a run file, found a folder or an archive.")
    if registry.format_of(file, "run") == "trec-run":
        return trec.run(file, ties)
    run: Run = registry.read(file, "run")
    return run


def _check_known(file: DataFile, what: str, judged: Iterable[str], ids: Container[str] | None) -> None:
    unknown = next((one for one in judged if ids is not None and one not in ids), None)
    if unknown is not None:
        raise InputError(f"{file.label}: {what} {show(unknown)} is judged, but there is no such {what}.")


def _splits(place: Path) -> dict[str, DataFile | None]:
    """The splits that have judgements, with their files; BoolQ's splits are in its own files (None)."""
    splits: dict[str, DataFile | None] = {}
    for name in list_files(place):
        parts = name.split("/")
        if len(parts) > 1 and parts[-2] == "qrels" and ".tsv" in parts[-1]:
            split = parts[-1].split(".tsv")[0]
            splits[split] = find_file(place, f"qrels/{split}.tsv")
    if not splits and boolq.holds(place):
        return dict.fromkeys(boolq.SPLITS)
    return splits


def _choose(place: Path, splits: dict[str, DataFile | None], split: str | None) -> str:
    if not splits:
        raise InputError(
            f"{place}: no judgements; expected qrels/<split>.tsv in it, or give a judgement file."
        )
    listed = ", ".join(sorted(splits))
    if split is None and len(splits) > 1:
        raise InputError(f"{place}: has judgements for several splits ({listed}); name one.")
    if split is not None and split not in splits:
        raise InputError(f"{place}: no judgements for the split {show(split)}; it has {listed}.")
    return next(iter(splits)) if split is None else split
