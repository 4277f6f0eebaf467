"""Any sequence of changes: what is found is what one built of the final passages finds, to the last bit.

Docids are those of the same quantiser, and words are weighed by the same statistics; of passages that were there at
fit, and have not changed since, docids are what they were then.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from changing import NAMES, Rebuilt, alone, docid_model, found
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from genret.corpus import Passage, PassageStore
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramRetriever
from genret.retrieval.retriever import Retriever

WORDS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(" ".join)
PASSAGE = st.builds(
    Passage,
    st.integers(0, 40).map("p{}".format),
    st.sampled_from(["", "rome", "a city"]),
    WORDS,
    st.dictionaries(st.just("year"), st.integers(1990, 1993), max_size=1),
)
SEVERAL = st.lists(PASSAGE, max_size=4, unique_by=lambda passage: passage.passage_id)


class Changes(RuleBasedStateMachine):
    """A retriever beside the plain list of passages that it should hold."""

    retriever: Retriever[Any, Any]
    corpus: list[Passage]
    # Ids of passages that are as they were at fit.
    stayed: set[str]

    def begin(self, retriever: Retriever[Any, Any]) -> None:
        self.retriever, self.corpus = retriever, list(retriever.passages)
        self.stayed = {passage.passage_id for passage in self.corpus}

    def ids(self) -> list[str]:
        return [passage.passage_id for passage in self.corpus]

    @rule(given=SEVERAL)
    def add(self, given: list[Passage]) -> None:
        fresh = [passage for passage in given if passage.passage_id not in self.ids()]
        self.retriever = self.retriever.add(fresh)
        self.corpus += fresh
        self.check()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = set(data.draw(st.lists(st.sampled_from(self.ids()), max_size=len(self.ids()) - 1)))
        self.retriever = self.retriever.remove(gone)
        self.corpus = [passage for passage in self.corpus if passage.passage_id not in gone]
        self.stayed -= gone
        self.check()

    @rule(given=SEVERAL, data=st.data())
    def update(self, given: list[Passage], data: st.DataObject) -> None:
        """Some stay, some get the texts or fields of others, some come, in any order."""
        before = {passage.passage_id: passage for passage in self.corpus}
        stay = data.draw(st.sets(st.sampled_from(self.ids()), min_size=1))
        wanted = {name: before[name] for name in stay} | {passage.passage_id: passage for passage in given}
        order = data.draw(st.permutations(list(wanted.values())))
        self.retriever = self.retriever.update(order)
        same = [name for name in before if name in wanted and wanted[name][:3] == before[name][:3]]
        fresh = [passage for passage in order if passage.passage_id not in same]
        self.corpus = [wanted[name] for name in same] + fresh
        self.stayed &= set(same)
        self.check()

    @rule()
    def compact(self) -> None:
        self.retriever = self.retriever.compacted()
        self.check()

    @rule()
    def save_and_load(self) -> None:
        """Into a new folder, or over the one that it came from."""
        if self.retriever.source is None:
            self.retriever.save_pretrained(Path(self.scratch()) / "model")
        else:
            self.retriever.publish()
        self.retriever = load_retriever(Path(self.scratch()) / "model", device="cpu")
        self.check()

    def scratch(self) -> str:
        if not hasattr(self, "_scratch"):
            self._scratch = tempfile.TemporaryDirectory()
        return self._scratch.name

    def teardown(self) -> None:
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()

    def check(self) -> None:
        assert list(self.retriever.passages) == self.corpus
        assert found(self.retriever) == found(self.rebuilt())

    def rebuilt(self) -> Retriever[Any, Any]:
        raise NotImplementedError


class DocidChanges(Changes):
    first = None

    @initialize(mode=st.sampled_from(["plan", "beam", "both"]))
    def start(self, mode: str) -> None:
        cls = type(self)
        cls.first = cls.first or docid_model(12)
        first = cls.first.with_options(mode=mode)
        self.anew = Rebuilt(first)
        self.begin(first)

    def rebuilt(self) -> Retriever[Any, Any]:
        return self.anew.of(self.corpus, lambda passage: passage.passage_id in self.stayed)

    @precondition(lambda self: not self.retriever.source)
    @rule(k=st.integers(1, 3))
    def best(self, k: int) -> None:
        assert found(self.retriever, k=k) == found(self.rebuilt(), k=k)


class NgramChanges(Changes):
    first = None

    @initialize()
    def start(self) -> None:
        from tiny_ngrams import marked_t5, retriever

        cls = type(self)
        if cls.first is None:
            cls.home = tempfile.TemporaryDirectory()
            cls.first = retriever(Path(cls.home.name) / "index")
            assert marked_t5
        self.begin(
            NgramRetriever(cls.first.backbone, self.index(list(cls.first.passages)), cls.first.options)
        )

    def index(self, corpus: list[Passage]) -> TextIndex:
        folder, tokenizer = Path(self.scratch()) / "rebuilt", type(self).first.backbone.tokenizer
        store = PassageStore.build(corpus)
        build_text_index(store, tokenizer, folder, layout=Layout.of(tokenizer), overwrite=True)
        return TextIndex.load(folder)

    def rebuilt(self) -> Retriever[Any, Any]:
        first = type(self).first
        return NgramRetriever(first.backbone, self.index(self.corpus), first.options)


@pytest.fixture(autouse=True, scope="module")
def vectors_alone() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genret.docids.fitted.embed_texts", alone)
        yield


FEW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class TestDocids(DocidChanges.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=8, stateful_step_count=6, **FEW)


class TestNgrams(NgramChanges.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=5, stateful_step_count=5, **FEW)


@pytest.mark.soak
class TestDocidsInLong(DocidChanges.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=200, stateful_step_count=20, **FEW)


@pytest.mark.soak
class TestNgramsInLong(NgramChanges.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=20, stateful_step_count=12, **FEW)
