"""The sets of docids and n-grams that requests name: opened once a process, found again when their folder changes.

Knows folders and files; knows no engine, no model and no torch. Arrays are memory-mapped: all processes of a machine
share them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docid.trie import DocidTrie
from fm_index.files import read_json
from genret.artefact import MANIFEST, folder_kind
from genret.constraint.ngram_automaton import NgramAutomaton
from genret.constraint.prefix_states import Automaton, TrieAutomaton
from genret.constraint.subset import build_subset
from genret.engines.asked_constraint import Asked
from genret.engines.served_model import ServedModel
from genret.errors import ArtefactError, InputError
from genret.generations import read_whole

if TYPE_CHECKING:
    from fm_index import FMIndex, ShardedFMIndex
    from genret.corpus.store import PassageStore

__all__ = ["VARIABLE", "Sets", "sets_here"]

# NAME=PATH, several with ";" between them. Where it is set, requests may name these alone.
VARIABLE = "GENRET_CONSTRAINTS"
# So many conditions of a set are remembered, with their ways through the trie.
CONDITIONS = 32


class Sets:
    """Sets by the names that requests give.

    Args:
        named: the sets that may be named; None: any path may.
    """

    def __init__(self, named: Mapping[str, str] | None = None) -> None:
        self.named = None if named is None else dict(named)
        self._opened: dict[str, tuple[tuple[int, ...], _Set]] = {}

    @classmethod
    def of_environment(cls) -> Sets:
        """Those that the variable GENRET_CONSTRAINTS names.

        Raises:
            InputError: it cannot be read.
        """
        text = os.environ.get(VARIABLE)
        if not text:
            return cls()
        pairs = [part.partition("=") for part in text.split(";") if part.strip()]
        for name, sign, path in pairs:
            if not (name.strip() and sign and path.strip()):
                raise InputError(
                    f"{VARIABLE}: expected NAME=PATH, several with ; between them; found {name!r:.80}."
                )
        return cls({name.strip(): path.strip() for name, _, path in pairs})

    def open_all(self, model: ServedModel | None = None) -> None:
        """Open what has a name, to be told of faults before any request comes.

        Raises:
            InputError, ArtefactError: as `check`.
        """
        for name in self.named or {}:
            self.check(Asked(name), model)

    def check(
        self,
        asked: Asked,
        model: ServedModel | None = None,
        *,
        stops: Collection[int] = (),
        max_tokens: int | None = None,
    ) -> None:
        """Whether a request can be served.

        Args:
            model: the served one; None where it is not known here.
            stops: the tokens that end the request besides the model's own.
            max_tokens: after so many the engine cuts its output off.

        Raises:
            InputError: no set has this name, it cannot be filtered, the condition does not fit its passages or lets
                none through, the set is another model's, or a docid would be cut off.
            ArtefactError: its files are damaged, or hold something else.
        """
        found = self._set(asked.constraint)
        rows = found.rows(asked.where)
        if rows is not None and len(rows) == 0:
            raise InputError(f"where: {asked.where!r:.200} lets no passage of {asked.constraint!r} through.")
        if model is not None:
            automaton = found.automaton(None, min(model.ends, default=0))
            model.check_tokens(asked.constraint, automaton.largest_token, automaton.eos, stops)
            found.tokenizer_fits(model)
        needed = found.longest - asked.prefix
        if max_tokens is not None and max_tokens < needed:
            raise InputError(
                f"max_tokens={max_tokens} would cut a docid off: the longest of {asked.constraint!r} takes {needed} tokens "
                f"with its end; ask with max_tokens={needed} or more."
            )

    def automaton(self, asked: Asked, eos: int | None) -> Automaton:
        """What the request may emit; the same object for the same set and condition, until the folder changes.

        `eos` is the model's end token, for sets that do not hold their own.

        Raises:
            InputError, ArtefactError: as `check`; or nobody knows the end token.
        """
        return self._set(asked.constraint).automaton(asked.where, eos)

    def _set(self, name: str) -> _Set:
        path = self._path(name)
        identity = _identity(Path(path))
        if path not in self._opened or self._opened[path][0] != identity:
            # Requests that have begun keep what they began with.
            self._opened[path] = identity, _opened(name, Path(path))
        return self._opened[path][1]

    def _path(self, name: str) -> str:
        if self.named is None:
            return name
        if name in self.named:
            return self.named[name]
        near = get_close_matches(name, self.named, n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self.named)) or 'none'}."
        )
        raise InputError(f"constraint: this server has none called {name!r:.80}; {hint}")


@cache
def sets_here() -> Sets:
    """Those of this process, opened once for all that name them.

    Raises:
        InputError: see `Sets.of_environment`.
    """
    return Sets.of_environment()


@dataclass(frozen=True)
class _Set:
    """An opened set: docids with their passages where these are known, or n-grams.

    Attributes:
        name: for messages.
        tokenizer: the folder of the one that it was made with; None where its files do not say.
        eos: of the model that it was made for; None where its files do not say.
        load: gives the passages that conditions are about; None where there are none.
    """

    name: str
    docids: DocidTrie | None
    ngrams: FMIndex | ShardedFMIndex | None
    eos: int | None
    load: Callable[[], PassageStore] | None
    tokenizer: Path | None = None

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest docid, its end among them; 0 for n-grams, which may end anywhere."""
        return 0 if self.docids is None else self.docids.longest()

    @cached_property
    def tokenizer_fits(self) -> Callable[[ServedModel], None]:
        """See `ServedModel.check_tokenizer`; looked at once for a model.

        Raises:
            InputError: it does not.
        """
        return cache(lambda model: model.check_tokenizer(self.name, self.tokenizer))

    @cached_property
    def passages(self) -> PassageStore | None:
        return None if self.load is None else self.load()

    @cached_property
    def rows(self) -> Callable[[str | None], np.ndarray[tuple[int], np.dtype[np.int64]] | None]:
        """The rows of the passages that a condition lets through; None: all.

        Raises:
            InputError: see `Sets.check`.
        """
        return lru_cache(CONDITIONS)(self._rows)

    def _rows(self, where: str | None) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
        if where is None:
            return None
        if self.docids is None:
            raise InputError(
                f"where: {self.name!r} is an index of n-grams, which are of the whole corpus; leave `where` out."
            )
        if self.passages is None:
            raise InputError(
                f"where: {self.name!r} is a trie without passages, and has no fields; name a model folder."
            )
        from genret.corpus.where import matching_rows

        return np.flatnonzero(matching_rows(self.passages, where))

    @cached_property
    def automaton(self) -> Callable[[str | None, int | None], Automaton]:
        """See `Sets.automaton`."""
        return lru_cache(CONDITIONS)(self._automaton)

    def _automaton(self, where: str | None, eos: int | None) -> Automaton:
        rows = self.rows(where)
        if self.docids is not None:
            return TrieAutomaton(self.docids, None if rows is None else build_subset(self.docids, rows))
        assert self.ngrams is not None
        end = eos if self.eos is None else self.eos
        if end is None:
            raise InputError(
                f"{self.name!r}: an index of n-grams has no end token, and neither has the model."
            )
        return NgramAutomaton(self.ngrams, end)


def _identity(path: Path) -> tuple[int, ...]:
    """What tells one generation of a folder, or one content of a file, from the next.

    Raises:
        InputError: there is no such thing.
    """
    marked = path / MANIFEST if path.is_dir() else path
    try:
        stat = marked.stat()
    except OSError as error:
        raise InputError(
            f"constraint: {str(path)!r:.200} is no folder of a model or an index, and no trie ({error.strerror})."
        ) from error
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


def _opened(name: str, path: Path) -> _Set:
    """Every byte is checked, once a process and generation.

    Raises:
        InputError: it is nothing that can be named. ArtefactError: it is damaged.
    """
    if not path.is_dir():
        return _Set(name, DocidTrie.load(path), None, None, None)
    return read_whole(path, lambda: _of_folder(name, path))


def _of_folder(name: str, folder: Path) -> _Set:
    from genret.indexing.text_index import KIND, TOKENIZER, TextIndex
    from genret.retrieval import DOCIDS, NGRAMS

    kind = folder_kind(folder)
    if kind == DOCIDS:
        from genret.retrieval.docids import TRIE_FILE
        from genret.retrieval.from_folder import load_passages

        trie, passages = DocidTrie.load(folder / TRIE_FILE), load_passages(folder, verify="header")
        if trie.document_end > len(passages):
            raise ArtefactError(f"{folder}: altered: its docids are of more passages than it holds.")
        return _Set(name, trie, None, trie.eos, lambda: passages, folder)
    if kind == NGRAMS:
        from genret.retrieval.ngrams.ngram_retriever import INDEX_FOLDER

        eos = read_json(folder / "config.json").get("eos_token_id")
        index = TextIndex.load(folder / INDEX_FOLDER).index
        return _Set(name, None, index, eos if isinstance(eos, int) else None, None, folder)
    if kind == KIND:
        return _Set(name, None, TextIndex.load(folder).index, None, None, folder / TOKENIZER)
    found = "no manifest" if kind is None else f"a {kind}"
    raise InputError(f"constraint: {str(folder)!r:.200} holds {found}; expected a model or an index of text.")
