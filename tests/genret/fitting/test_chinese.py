"""A set in a script without spaces, from texts to answers: nothing on the way asks for spaces, ASCII or English words.

The sentences were written for this test.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from backbones import byte_tokenizer
from command_line import genret
from tiny_ngrams import LM_ONLY, marked_t5

from genret.corpus import Passage, PassageStore, Query, read_store
from genret.corpus.split import sentences, split_paragraphs
from genret.evaluation import BM25_PLAIN, BM25_TUNED, bm25_run
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout, encode_field
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramOptions, NgramRetriever, View
from genret.retrieval.ngrams.query_ngrams import query_ngrams
from genret.training.examples.sources import Material, make_source

PAGES = {
    "茶園": "山上的茶園每年春天採茶。茶農清早出門，中午把茶葉曬乾。晚上他們一起喝新茶。",
    "漁港": "漁港的船夜裡出海。漁夫用燈光吸引魷魚，天亮才回到港口。魚市場早上六點開門。",
    "鐵路": "這條鐵路穿過二十座隧道。火車從平原開到高山，只要兩個小時。車站賣有名的便當。",
    "圖書館": "圖書館在河邊，有三層樓。學生可以借十本書，看四個星期。星期一不開門。",
    "夜市": "夜市有很多小吃。最有名的是臭豆腐和珍珠奶茶。週末人特別多，攤位開到半夜。",
    "博物館": "博物館收藏古代的銅器。最老的鼎有三千年的歷史。參觀的人不可以用閃光燈拍照。",
    "溫泉": "溫泉的水是白色的。冬天泡溫泉的客人最多！水溫大約四十度，對皮膚很好。",
    "燈塔": "燈塔站在島的最北邊。它的光可以照到三十公里外的船。守燈塔的人每晚記錄天氣。",
    "稻田": "稻田一年收成兩次。農夫用水牛耕田，現在多半用機器。秋天的稻田是金色的。",
    "寺廟": "寺廟的屋頂有彩色的龍。每月初一居民來拜拜。廟口的老樹已經五百歲了。",
    "Wi-Fi": "咖啡店提供免費 Wi-Fi，密碼寫在 menu 上。店裡有20個座位。",
    "動物園": "動物園養了兩隻熊貓。熊貓每天吃三十公斤竹子。孩子們最喜歡看企鵝散步。",
}
QUESTIONS = {
    "茶園": "茶農什麼時候把茶葉曬乾？",
    "漁港": "漁夫用什麼吸引魷魚？",
    "鐵路": "鐵路穿過幾座隧道？",
    "圖書館": "學生可以借幾本書？",
    "夜市": "夜市最有名的小吃是什麼？",
    "博物館": "最老的鼎有多少年的歷史？",
    "溫泉": "溫泉的水溫大約幾度？",
    "燈塔": "燈塔的光可以照到多遠的船？",
    "稻田": "農夫用什麼動物耕田？",
    "寺廟": "廟口的老樹幾歲了？",
    "Wi-Fi": "咖啡店的密碼寫在哪裡？",
    "動物園": "熊貓每天吃多少竹子？",
}


@pytest.fixture
def corpus(tmp_path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "qrels").mkdir(parents=True)
    passages = [
        {"_id": f"p{row}", "title": title, "text": text} for row, (title, text) in enumerate(PAGES.items())
    ]
    queries = [{"_id": f"q{row}", "text": text} for row, text in enumerate(QUESTIONS.values())]
    for name, rows in (("corpus", passages), ("queries", queries)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    judged = "".join(f"q{row}\tp{row}\t1\n" for row in range(len(PAGES)))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


def test_sentences_end_at_full_width_stops():
    assert sentences(PAGES["溫泉"]) == [
        "溫泉的水是白色的。",
        "冬天泡溫泉的客人最多！",
        "水溫大約四十度，對皮膚很好。",
    ]
    assert sentences("他說：「好。」然後走了。") == ["他說：「好。」", "然後走了。"]


def test_pieces_count_characters_and_add_no_spaces():
    text = PAGES["茶園"]
    pieces = split_paragraphs([text], 10)
    assert "".join(piece.text for piece in pieces) == text
    assert len(pieces) == 4
    whole = split_paragraphs([text, PAGES["Wi-Fi"]], 20, by="sentences", across_paragraphs=False)
    assert [piece.text for piece in whole][-1] == "店裡有20個座位。"
    assert " ".join(piece.text for piece in whole if piece.first == 1) == PAGES["Wi-Fi"].replace(
        "。店", "。 店"
    )


@pytest.mark.parametrize("settings", [BM25_PLAIN, BM25_TUNED])
def test_bm25_finds_by_pairs_of_characters(corpus, settings):
    queries = [Query(f"q{row}", text) for row, text in enumerate(QUESTIONS.values())]
    run = bm25_run(read_store(corpus), queries, 3, settings)
    assert [run[f"q{row}"][0][0] for row in range(len(PAGES))] == [f"p{row}" for row in range(len(PAGES))]


def test_ngrams_of_a_text_are_ngrams_of_its_passage(tmp_path):
    """Whatever stands within a passage is written with the same tokens by itself."""
    tokenizer = byte_tokenizer()
    text = PAGES["燈塔"]
    (whole,), (inner,) = encode_field(tokenizer, [text]), encode_field(tokenizer, [text[5:12]])
    assert any(whole[at : at + len(inner)] == inner for at in range(len(whole)))
    backbone = marked_t5()
    store = PassageStore.build(Passage(f"p{row}", *page) for row, page in enumerate(PAGES.items()))
    build_text_index(
        store, backbone.tokenizer, tmp_path / "index", layout=Layout.of(backbone.tokenizer), overwrite=True
    )
    index = TextIndex.load(tmp_path / "index")
    found = query_ngrams(QUESTIONS["燈塔"], index.index, backbone.tokenizer, 3)
    texts = [backbone.tokenizer.decode(one) for one in found]
    assert {"燈塔", "可以照", "的船"} <= set(texts)
    views = {"query": View(keys="query", length=3), "body": View(length=6)}
    retriever = NgramRetriever(backbone, index, NgramOptions(views=views, num_beams=2, scoring=LM_ONLY))
    hits = retriever.search(QUESTIONS["燈塔"], 12)
    assert "p7" in [hit.passage_id for hit in hits]


@pytest.mark.parametrize("name", ["query_ngrams", "span_ngrams", "daq", "sentences"])
def test_sources_cut_spans_of_characters(corpus, name):
    store = read_store(corpus)
    judged = {f"q{row}": {f"p{row}": 1} for row in range(len(PAGES))}
    queries = {f"q{row}": text for row, text in enumerate(QUESTIONS.values())}
    tokenizer = marked_t5().tokenizer
    pairs = make_source(name, {}).open(Material(store, queries, judged, tokenizer=tokenizer))
    for pair in pairs[:40]:
        text = tokenizer.decode(pair.tokens).strip("\n") if pair.tokens is not None else pair.text
        (row,) = pair.documents
        # A title may be followed by a span of its passage.
        assert all(line.strip() in store[row].full_text for line in text.split("\n"))
        assert len(text) <= 60


def test_a_model_of_words_from_its_own_vocabulary_answers(corpus, tmp_path, monkeypatch):
    """A sentencepiece vocabulary of the corpus, its pieces as the words of docids; from the command line, without a warning."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            genret(monkeypatch, "tokenizer", "train", corpus, "-o", tmp_path / "pieces", "--vocab-size", 260)
            == 0
        )
        config = tmp_path / "words.yaml"
        config.write_text(f"""
output: {tmp_path / "run"}
data: {{corpus: {corpus}}}
docids: {{strategy: words, options: {{limit: 64}}}}
model: {{kind: words, name: {tmp_path / "pieces"}}}
search: {{mode: plan}}
""")
        assert genret(monkeypatch, "train", config) == 0
        retriever = load_retriever(tmp_path / "run" / "model")
        found = [hits[0].passage_id for hits in retriever.batch_search(list(QUESTIONS.values()))]
    assert sum(one == f"p{row}" for row, one in enumerate(found)) >= 10
