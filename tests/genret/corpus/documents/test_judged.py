"""Judgements of documents over a corpus in pieces, against slow twins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from genret.corpus import Judgements, Passage, PassageStore, Run
from genret.corpus.documents.judged import Counting, counting, documents_of, onto_pieces

# Three documents in pieces, one in one piece, and a passage that is of none.
PIECES = {"a#1": "a", "a#2": "a", "a#3": "a", "b#x": "b", "b#y": "b", "c": "c"}
STORE = PassageStore.build(
    [
        *(Passage(name, "", "text", {"document": document}) for name, document in PIECES.items()),
        Passage("d", "", "text"),
    ]
)
IDS = [*PIECES, "d"]
JUDGED = st.dictionaries(
    st.sampled_from(["q", "r"]),
    st.dictionaries(st.sampled_from([*IDS, "a", "b"]), st.integers(-1, 2), max_size=5),
)
RUNS = st.dictionaries(st.sampled_from(["q", "r"]), st.permutations(IDS).map(lambda ids: ids[:5]))


def document(name: str) -> str:
    return PIECES.get(name, name)


@given(JUDGED, RUNS, st.booleans())
def test_documents_count_once_at_their_best_piece(
    judged: Judgements, found: dict[str, list[str]], as_list: bool
) -> None:
    run: Run = {
        query_id: [(one, float(-place)) for place, one in enumerate(ids)] for query_id, ids in found.items()
    }
    made = counting(judged, list(STORE) if as_list else STORE)
    if not any(one in ("a", "b") for grades in judged.values() for one in grades):
        assert made == Counting(judged)
        assert made.counted(run) == run
        return
    for query_id, grades in judged.items():
        expected: dict[str, int] = {}
        for name in {document(one) for one in grades}:
            expected[name] = max(grade for one, grade in grades.items() if document(one) == name)
        assert made.judgements[query_id] == expected
    for query_id, hits in made.counted(run).items():
        names = [document(one) for one in found[query_id]]
        first = [names.index(name) for name in dict.fromkeys(names)]
        assert hits == [(names[place], float(-place)) for place in first]


@given(st.permutations(IDS), st.integers(1, 4))
def test_it_is_deep_enough_for_k_documents(ids: list[str], k: int) -> None:
    made = counting({"q": {"a": 1}}, STORE)
    hits = [(one, 0.0) for one in ids[: made.depth(k)]]
    assert len(made.counted({"q": hits})["q"]) >= min(k, 4)
    assert Counting({}).depth(k) == k


@given(JUDGED)
def test_a_judged_document_means_its_pieces(judged: Judgements) -> None:
    for query_id, grades in onto_pieces(judged, STORE).items():
        given = judged[query_id]
        for one in IDS:
            expected = given.get(one, given.get(document(one)) if document(one) in ("a", "b") else None)
            assert grades.get(one) == expected
        assert set(grades) <= set(IDS)


def test_a_corpus_that_was_not_split_is_left_alone() -> None:
    whole = [Passage("a", "", "text"), Passage("b", "", "text", {"document": 7})]
    assert documents_of(whole) == {}
    judged = {"q": {"a": 1, "elsewhere": 1}}
    assert onto_pieces(judged, whole) is judged
    assert counting(judged, whole) == Counting(judged)
