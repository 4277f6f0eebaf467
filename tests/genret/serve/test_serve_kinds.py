"""Other kinds of models are served, too: n-grams, and one that is changed as `genret remove` changes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tiny_ngrams
from answering import QUERIES, answering, model, numbers, of_library, search, wait_until

from genret.retrieval.docids import GenerativeRetriever


def test_ngrams(tmp_path: Path) -> None:
    library = tiny_ngrams.retriever(tmp_path / "index")
    library.save_pretrained(tmp_path / "model")
    with answering(tmp_path / "model") as client, ThreadPoolExecutor(4) as pool:
        assert not client.get("/health").json()["batches"]
        asked = [
            pool.submit(search, client, query=query, k=3, matches=True) for query in tiny_ngrams.QUERIES * 4
        ]
        for query, one in zip(tiny_ngrams.QUERIES * 4, asked, strict=True):
            hits: Any = library.search(query, 3)
            found = one.result()["results"][0]["hits"]
            assert [(hit["passage_id"], hit["score"]) for hit in found] == [
                (hit.passage_id, hit.score) for hit in hits
            ]
            assert [len(hit["matches"]) for hit in found] == [len(hit.matches) for hit in hits]
            assert ["".join(piece["text"] for piece in hit["pieces"]) for hit in found] == [
                "".join(piece.text for piece in library.pieces(hit)) for hit in hits
            ]
        page = client.get("/", params={"q": tiny_ngrams.QUERIES[0]})
        assert page.status_code == 200
        assert "<mark" in page.text
        for asked_more in ({"mode": "plan"}, {"mode": "beam"}):
            refused = client.post("/search", json={"query": "river", **asked_more})
            assert refused.status_code == 422
            assert "n-grams" in refused.json()["error"]
        lost = client.get("/", params={"q": "river", "trace": "rome"})
        assert lost.status_code == 422
        assert "n-grams" in lost.text


def test_a_model_that_is_changed_where_it_stands(tmp_path: Path) -> None:
    place = tmp_path / "model"
    model().save_pretrained(place)
    with answering(place) as client:
        before = search(client, queries=QUERIES, k=3)
        GenerativeRetriever.from_pretrained(place).remove(["p0", "p1"]).publish()
        wait_until(lambda: client.get("/health").json()["number"] == 2)
        assert client.get("/passages/p0").status_code == 404
        assert client.get("/passages/p2").json()["metadata"] == {"even": True, "number": 2}
        after = search(client, queries=QUERIES, k=3)
        assert after["generation"] != before["generation"]
        library = GenerativeRetriever.from_pretrained(place)
        for query, result in zip(QUERIES, after["results"], strict=True):
            assert numbers(result["hits"]) == of_library(library.search(query, 3))
