"""Sets by name: model folders, indexes of text and tries, conditions on passages, and folders that change meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from changing import docid_model
from tiny_ngrams import marked_t5, text_index
from transformers import AutoTokenizer

from docid import DocidTrie
from genret.constraint import NgramAutomaton, PrefixStates, TrieAutomaton
from genret.corpus import PassageStore
from genret.engines.asked_constraint import Asked
from genret.engines.constrained_rows import Rows
from genret.engines.named_sets import Sets
from genret.engines.served_model import ServedModel
from genret.errors import InputError
from genret.retrieval import GenerativeRetriever

COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose passages have fields."""
    made, place = docid_model(COUNT), tmp_path_factory.mktemp("sets") / "model"
    store = PassageStore.build(
        one._replace(metadata={"n": row, "lang": "en" if row % 3 else "fr"})
        for row, one in enumerate(made.passages)
    )
    GenerativeRetriever(
        made.backbone, made.table, store, words=made.words, fitted=made.fitted, options=made.options
    ).save_pretrained(place)
    return place


def sequences(sets: Sets, asked: Asked) -> set[tuple[int, ...]]:
    """Every docid that a request may emit, with its end, by taking each legal token in turn."""
    rows = Rows(sets, 1 << 16, None, pytest.fail)
    row, found, open_ = rows.begin(asked, []), set[tuple[int, ...]](), [()]
    while open_:
        prefix = open_.pop()
        rows.again([row], [prefix])
        for legal in rows.allowed([row]):
            for token in legal.lists.values.tolist():
                whole = (*prefix, token)
                (found.add if token == row.group.automaton.eos else open_.append)(whole)
    return found


def test_a_model_folder_with_and_without_a_condition(folder: Path) -> None:
    retriever, sets = GenerativeRetriever.from_pretrained(folder), Sets({"model": str(folder)})
    for where, rows in [
        (None, range(COUNT)),
        ('lang = "fr"', range(0, COUNT, 3)),
        ('n >= 20 and lang != "fr"', [20, 22, 23]),
    ]:
        expected = {tuple(retriever.sequence(f"p{row}")) for row in rows}
        assert sequences(sets, Asked("model", where)) == expected


def test_one_automaton_a_condition_is_shared_by_requests(folder: Path) -> None:
    sets = Sets()
    first = sets.automaton(Asked(str(folder), "n < 9"), None)
    assert sets.automaton(Asked(str(folder), "n < 9", prefix=1), 5) is not None
    assert sets.automaton(Asked(str(folder), "n < 9"), None) is first
    assert isinstance(first, TrieAutomaton)
    assert not first.trie.tokens.flags.writeable


def test_a_folder_that_changes_is_found_again(folder: Path, tmp_path: Path) -> None:
    place, sets = tmp_path / "model", Sets()
    shutil.copytree(folder, place)
    before, asked = sequences(sets, Asked(str(place))), Asked(str(place))
    rows = Rows(sets, 1 << 16, None, pytest.fail)
    running = rows.begin(asked, [])
    gone = [f"p{row}" for row in range(12)]
    retriever = GenerativeRetriever.from_pretrained(place)
    retriever.remove(gone).publish()
    left = {tuple(retriever.sequence(f"p{row}")) for row in range(12, COUNT)}
    assert sequences(sets, asked) == left < before
    # What has begun goes on with what it began with.
    assert len(next(iter(rows.allowed([running]))).lists.values) == len({one[0] for one in before})


def test_an_index_of_text_and_a_trie(tmp_path: Path) -> None:
    index = text_index(tmp_path / "index", marked_t5().tokenizer).index
    trie = DocidTrie.build([[5, 6], [5, 7]], eos=1)
    trie.save(tmp_path / "titles.trie")
    sets = Sets({"text": str(tmp_path / "index"), "titles": str(tmp_path / "titles.trie")})
    sets.open_all()
    ngrams = sets.automaton(Asked("text"), 1)
    assert isinstance(ngrams, NgramAutomaton)
    states = PrefixStates(ngrams, 1 << 16)
    states.add([0])
    first, last = index.range([])
    assert states.allowed([0]).values.tolist() == index.successors([first], [last])[1].tolist()
    assert sequences(sets, Asked("titles")) == {(5, 6, 1), (5, 7, 1)}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked("modle"), "did you mean 'model'"),
        (Asked("elsewhere"), "there are model, text, titles"),
        (Asked("model", "m > 3"), "no field"),
        (Asked("model", "n >"), "where|expected"),
        (Asked("model", "n > 99"), "lets no passage of 'model' through"),
        (Asked("text", "n > 3"), "leave `where` out"),
        (Asked("titles", "n > 3"), "without passages"),
    ],
)
def test_what_cannot_be_served_is_refused_in_a_sentence(
    asked: Asked, sentence: str, folder: Path, tmp_path: Path
) -> None:
    text_index(tmp_path / "index", marked_t5().tokenizer)
    DocidTrie.build([[5]], eos=1).save(tmp_path / "titles.trie")
    named = {"model": folder, "text": tmp_path / "index", "titles": tmp_path / "titles.trie"}
    with pytest.raises(InputError, match=sentence):
        Sets({name: str(path) for name, path in named.items()}).check(asked)


def tokenizer_folder(place: Path, texts: list[str]) -> Path:
    """Bytes, and some tokens besides."""
    tokenizer = marked_t5().tokenizer
    tokenizer.add_tokens(texts)
    tokenizer.save_pretrained(place)
    return place


def test_a_set_of_another_model_is_refused(tmp_path: Path) -> None:
    DocidTrie.build([[5, 60], [6]], eos=1).save(tmp_path / "titles.trie")
    text_index(tmp_path / "index", marked_t5().tokenizer)
    sets = Sets({"titles": str(tmp_path / "titles.trie"), "text": str(tmp_path / "index")})
    same, other = (
        tokenizer_folder(tmp_path / name, texts) for name, texts in [("a", []), ("b", ["x y", "z"])]
    )
    # More tokens than the set's are no fault: a model may have been given some since.
    for place in (same, other, None):
        model = ServedModel.of(1 << 16, [1], None if place is None else str(place))
        sets.open_all(model)
    with pytest.raises(InputError, match="'titles' has token 60, and the served model's vocabulary has 60"):
        sets.check(Asked("titles"), ServedModel(60))
    with pytest.raises(
        InputError, match=r"closes its docids with token 1, .* ends with 2, 7; .* stop_token_ids"
    ):
        sets.check(Asked("titles"), ServedModel(99, frozenset([7, 2])))
    sets.check(Asked("titles"), ServedModel(99, frozenset([7, 2])), stops=[1])
    text_index(tmp_path / "later", AutoTokenizer.from_pretrained(other))
    with pytest.raises(InputError, match="another tokenizer than the served model's: 'x y' is token"):
        Sets().check(Asked(str(tmp_path / "later")), ServedModel.of(1 << 16, [1], str(same)))


def test_docids_that_would_be_cut_off_are_refused(tmp_path: Path) -> None:
    DocidTrie.build([[5, 6, 7], [5, 8], [9]], eos=1).save(tmp_path / "titles.trie")
    text_index(tmp_path / "index", marked_t5().tokenizer)
    sets = Sets({"titles": str(tmp_path / "titles.trie"), "text": str(tmp_path / "index")})
    with pytest.raises(
        InputError, match=r"max_tokens=3 would cut a docid off: .* takes 4 tokens with its end"
    ):
        sets.check(Asked("titles"), max_tokens=3)
    sets.check(Asked("titles"), max_tokens=4)
    sets.check(Asked("titles", prefix=1), max_tokens=3)
    sets.check(Asked("text"), max_tokens=1)


def test_nothing_there_and_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of a model or an index"):
        Sets().check(Asked(str(tmp_path / "none")))
    (tmp_path / "genret.json").write_text('{"kind": "study"}')
    with pytest.raises(InputError, match="holds a study"):
        Sets().check(Asked(str(tmp_path)))


def test_names_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRET_CONSTRAINTS", "a=/x/y; b = /z=1;")
    assert Sets.of_environment().named == {"a": "/x/y", "b": "/z=1"}
    monkeypatch.setenv("GENRET_CONSTRAINTS", "a")
    with pytest.raises(InputError, match="NAME=PATH"):
        Sets.of_environment()
    monkeypatch.delenv("GENRET_CONSTRAINTS")
    assert Sets.of_environment().named is None


def test_a_set_that_is_gone_ends_its_request_and_no_other(tmp_path: Path) -> None:
    path, told = tmp_path / "titles.trie", list[str]()
    DocidTrie.build([[5, 6]], eos=1).save(path)
    rows = Rows(Sets(), 9, 1, told.append)
    first = rows.begin(Asked(str(path)), [5])
    path.unlink()
    second = rows.begin(Asked(str(path)), [])
    found = {int(legal.places[0]): legal.lists.values.tolist() for legal in rows.allowed([first, second])}
    assert found == {0: [6], 1: [1]}
    assert len(told) == 1
    DocidTrie.build([[50, 6]], eos=1).save(path)
    rows.begin(Asked(str(path)), [])
    assert "outside the vocabulary of 9" in told[1]
