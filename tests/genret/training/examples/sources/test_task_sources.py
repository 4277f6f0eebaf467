"""CorpusBrain's tasks, the embedding tasks and representative words: what they draw, and how often."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from floats import DOUBLE, assert_close
from scipy import stats
from tiny_corpus import CITIES, RIVERS, links, material, passages, synthetic
from tiny_sentence_encoder import write_encoder

from genret.corpus import Passage, PassageStore
from genret.errors import InputError
from genret.training.examples.sources import SOURCES, Material, make_source, preview
from genret.training.examples.sources.corpusbrain import (
    ANCHOR_WEIGHTS,
    HyperlinkIdentifiers,
    InnerSentences,
    LeadParagraphs,
)
from genret.training.examples.sources.embedding_tasks import BodyFirstSelection, InverseCloze, WikiLinks
from genret.training.examples.sources.links import UNKNOWN, Links
from genret.training.examples.sources.passage_pages import Pages
from genret.training.examples.sources.representative_words import (
    RepresentativeWords,
    Unigrams,
    attended_words,
    words,
)

GOLDEN = Path(__file__).parent / "golden_previews.json"
DRAWS = 4000


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_previews_have_not_changed(name, tmp_path, monkeypatch):
    """Twenty examples of every source."""
    monkeypatch.chdir(tmp_path)
    options: dict[str, object] = {}
    if name in ("iss", "lps", "hip", "wlp"):
        options["path"] = str(links(tmp_path / "links.jsonl"))
    if name in ("iss", "lps"):
        options["per_page"] = 2
    if name in ("d2q", "pseudo_query_ngrams"):
        options["path"] = str(synthetic(tmp_path / "queries.jsonl"))
    found = [list(pair) for pair in preview(make_source(name, options), material(), 20)]
    assert len(found) == 20
    assert json.loads(json.dumps(found)) == json.loads(GOLDEN.read_text())[name]


@pytest.mark.parametrize("task", [InnerSentences, LeadParagraphs])
def test_numbers_of_anchors_follow_the_papers_weights(task, tmp_path):
    """Every page has five links in its table, so that no draw is cut short; chi-square over 4,000 draws."""
    source = task(per_page=DRAWS // 10, path=str(links(tmp_path / "links.jsonl")))
    counts = Counter(len(pair.documents) - 1 for pair in source.open(material(seed=1)))
    observed = [counts[number] for number in range(5)]
    assert sum(observed) == DRAWS
    assert stats.chisquare(observed, np.array(ANCHOR_WEIGHTS) * DRAWS).pvalue > 0.01


def test_contexts_are_one_or_three_paragraphs_alike():
    leads = LeadParagraphs(per_page=DRAWS // 10).open(material(seed=2))
    three = sum("Floods in" in pair.text for pair in leads)
    assert stats.binomtest(three, DRAWS, 0.5).pvalue > 0.01
    whole = {" ".join(one.text for one in passages()[row : row + 3]) for row in range(0, 30, 3)}
    ones = {passages()[row].text for row in range(0, 30, 3)}
    assert {pair.text for pair in leads} == whole | ones


def test_inner_sentences_come_from_the_whole_page_and_lead_to_its_first_passage():
    pairs = InnerSentences(per_page=40).open(material())
    for page, river in enumerate(RIVERS):
        texts = {pair.text for pair in pairs[page * 40 : (page + 1) * 40]}
        assert f"The {river} is a river of Europe." in texts
        assert any(CITIES[page] in text for text in texts)
        assert {pair.documents for pair in pairs[page * 40 : (page + 1) * 40]} == {(3 * page,)}


def test_anchors_of_a_context_are_those_of_its_paragraphs(tmp_path):
    """KILT's pages say in which paragraph an anchor is."""
    path = tmp_path / "kilt.jsonl"
    anchors = [{"href": other, "paragraph_id": place} for place, other in enumerate(["Loire", "Rhine", "No"])]
    texts = ["Title", "Section::::Course.", "BULLET::::- Floods"]
    page = {"wikipedia_id": "1", "wikipedia_title": "Seine", "text": texts, "anchors": anchors}
    path.write_text(json.dumps(page) + "\n")
    found = Links(str(path), material())
    assert len(found) == 2
    assert found[1] == (0, 1, 9, "Course.", "Title Course. - Floods")
    assert found.of_page(0).tolist() == [3, 9]
    assert found.of_page(0, 1, 2).tolist() == [9]
    assert found.of_page(1).tolist() == []


def test_hyperlinks_are_drawn_with_narrow_and_wide_contexts(tmp_path):
    pairs = HyperlinkIdentifiers(path=str(links(tmp_path / "links.jsonl"))).open(material())
    assert len(pairs) == 50
    narrow, wide = "Loire ; Distance : 100 km", "Seine . Neighbours . River . Loire ; Distance : 100 km"
    assert pairs[0].text in (narrow, wide)
    assert pairs[0].documents == (3,)
    assert stats.binomtest(sum(" . " in pair.text for pair in pairs), 50, 0.5).pvalue > 0.01


def test_tasks_of_some_titles_are_those_of_all_whose_page_has_one(tmp_path):
    """The same draws: a page's examples do not depend on which others there are."""
    path, titles = str(links(tmp_path / "links.jsonl")), tmp_path / "titles.txt"
    titles.write_text("Rhône\nSeine\nAmazon\n")
    for kind, options in (
        (InnerSentences, {"per_page": 3}),
        (LeadParagraphs, {}),
        (HyperlinkIdentifiers, {}),
    ):
        every = kind(path=path, **options).open(material())
        some = kind(path=path, titles=str(titles), **options).open(material())
        assert list(some) == [pair for pair in every if pair.documents[0] in (0, 6)]


def test_titles_of_no_page_are_named(tmp_path):
    (tmp_path / "titles.txt").write_text("Amazon\n")
    for name, message in (("titles.txt", "no page of the corpus"), ("none.txt", "cannot be read")):
        with pytest.raises(InputError, match=message):
            InnerSentences(titles=str(tmp_path / name)).open(material())


def test_a_link_of_an_unknown_page_still_teaches_its_target(tmp_path):
    path = tmp_path / "links.jsonl"
    path.write_text('{"title": "Danube", "mention": "the Seine", "positive": "seine-0"}\n')
    assert Links(str(path), material())[0][:3] == (UNKNOWN, UNKNOWN, 0)
    assert [tuple(pair[:2]) for pair in HyperlinkIdentifiers(str(path)).open(material())] in (
        [("the Seine", (0,))],
        [("Danube . the Seine", (0,))],
    )
    assert len(WikiLinks(str(path)).open(material())) == 0
    path.write_text('{"title": "Danube", "mention": "Volga", "positive": "volga-0"}\n')
    with pytest.raises(InputError, match="none of its links leads to a passage"):
        Links(str(path), material())
    with pytest.raises(InputError, match="needs `path`"):
        Links("", material())


def test_inverse_cloze_draws_all_long_sentences_alike():
    pairs = InverseCloze(per_passage=DRAWS).open(Material(PassageStore.build(passages()[1:2])))
    counts = Counter(pair.text for pair in pairs)
    assert set(counts) == {
        "The largest city on the Seine is Paris.",
        "Barges carry gravel, wheat and wine to Paris every day.",
    }
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
    short = InverseCloze().open(Material(PassageStore.build([Passage("a", "", "Too short.")])))
    assert short[0].text == "Too short."


def test_body_first_selection_leads_from_the_first_passage_to_the_others():
    pairs = BodyFirstSelection().open(material())
    assert [pair.documents[0] for pair in pairs] == [row for row in range(30) if row % 3]
    assert all(pair.text in passages()[row - row % 3].text for pair in pairs for row in pair.documents)


def test_wiki_links_lead_from_the_linked_page_to_the_linking_passage(tmp_path):
    pairs = WikiLinks(path=str(links(tmp_path / "links.jsonl"))).open(material())
    assert pairs[0].documents == (0,)
    assert pairs[0].text in passages()[3].text


def test_pages_are_passages_of_one_title():
    pages = Pages(["b", "", "a", "b", "", "a", "b"])
    assert len(pages) == 4
    assert [pages.rows(page).tolist() for page in range(4)] == [[0, 3, 6], [1], [2, 5], [4]]
    assert pages.page_of.tolist() == [0, 1, 2, 0, 3, 2, 0]
    assert (pages.find("a"), pages.find("c"), pages.find("")) == (2, None, None)
    assert len(Pages([])) == 0
    assert Pages([]).find("a") is None


def test_unigram_probabilities_are_the_formulas():
    unigrams = Unigrams.of(["red red blue", "blue green"], prior=10)
    found, weights = unigrams.passage("red red blue")
    assert found == ["red", "blue"]
    assert_close(weights, [(2 + 10 * 2 / 5) / 13, (1 + 10 * 2 / 5) / 13], relative=DOUBLE)
    found, weights = unigrams.contrast({"red": 0.5, "green": 1.5})
    assert_close(weights, [-0.25 * math.log2(2 / 6), -0.75 * math.log2(1 / 6)], relative=DOUBLE)
    assert words("The Seine, and the SEA.") == ["seine", "sea"]


def test_likelier_words_are_drawn_more_often_and_sizes_are_poisson():
    text = " ".join(["apple"] * 8 + ["pear"] * 3 + [f"nut{n}" for n in range(20)])
    store = PassageStore.build([Passage("a", "", text)])
    pairs = RepresentativeWords(per_passage=DRAWS, prior=0.0).open(Material(store, seed=3))
    drawn = [pair.text.split() for pair in pairs]
    sizes = np.bincount([len(one) for one in drawn], minlength=8)[1:8]
    expected = stats.poisson.pmf(np.arange(1, 8), 3.0)
    expected[0] += stats.poisson.pmf(0, 3.0)
    kept = sizes.sum()
    assert stats.chisquare(sizes, expected / expected.sum() * kept).pvalue > 0.01
    counts = Counter(word for one in drawn for word in one)
    assert counts["apple"] > counts["pear"] > max(counts[f"nut{n}"] for n in range(20))
    singles = Counter(one[0] for one in drawn if len(one) == 1)
    chance = 1 - (23 / 31) ** 2  # one of two draws is "apple"
    assert stats.binomtest(singles["apple"], singles.total(), chance).pvalue > 0.01


def test_a_passage_of_common_words_gives_itself():
    store = PassageStore.build([Passage("a", "", "The of and.")])
    assert RepresentativeWords().open(Material(store))[0].text == "The of and."


def test_attention_weighs_words(tmp_path):
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    folder = write_encoder(tmp_path / "encoder")
    encoder = SentenceEncoder.load(folder)
    encoder.model.set_attn_implementation("eager")
    weights = attended_words(encoder, "The quick brown foxes jump")
    assert list(weights) == ["quick", "brown", "foxes", "jump"]
    assert 0 < sum(weights.values()) < 1
    store = PassageStore.build([Passage("a", "", "The quick brown foxes jump over a lazy dog.")])
    pairs = RepresentativeWords(per_passage=5, encoder=str(folder)).open(Material(store))
    drawn = [set(pair.text.split()) for pair in pairs]
    assert len(drawn) == 5
    assert set() < set.union(*drawn) <= {"quick", "brown", "foxes", "jump", "lazy", "dog", "over"}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("iss", {"per_page": 0}, "per_page: expected at least 1"),
        ("lps", {"anchor_weights": [0.0, 0.0]}, "anchor_weights: expected one or more above 0"),
        ("ict", {"per_passage": 0}, "per_passage: expected at least 1"),
        ("words", {"prior": -1}, "prior: expected at least 0, found -1"),
    ],
)
def test_impossible_options_are_named(name, options, message):
    with pytest.raises(InputError, match=message):
        make_source(name, options)
