"""The service through sockets: its answers are the library's to the bit, also while generations change."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest
from answering import QUERIES, TOKEN, answering, cores, model, numbers, of_library, search, wait_until

from genret.retrieval.from_folder import load_retriever
from genret.serve import Limits
from genret.serve.answers import Search

CLIENTS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served") / "model"
    model().save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx2.Client]:
    # Several lanes also where a test has one core.
    with cores(3), answering(folder) as found:
        yield found


@pytest.mark.parametrize("mode", ["plan", "beam"])
def test_eight_clients_get_what_the_library_finds_to_the_bit(
    client: httpx2.Client, folder: Path, mode: str
) -> None:
    library = load_retriever(folder).with_options(mode=mode)
    asked = QUERIES if mode == "plan" else QUERIES[:16]
    expected = {query: of_library(library.search(query, 5)) for query in asked}
    before = batches(client)

    def ask(number: int) -> None:
        for query in asked[number::CLIENTS]:
            (result,) = search(client, query=query, k=5, mode=mode)["results"]
            assert numbers(result["hits"]) == expected[query]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))
    count, queries = (now - then for now, then in zip(batches(client), before, strict=True))
    assert queries == len(asked)
    # In company where that changes nothing, and only there.
    together = mode == "plan" and client.get("/health").json()["batches"]
    assert count < queries if together else count == queries


def batches(client: httpx2.Client) -> tuple[float, float]:
    """How many there were, and how many queries they had."""
    lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
    return float(lines["genret_batch_queries_count"]), float(lines["genret_batch_queries_sum"])


def test_many_queries_are_answered_in_order_with_texts_matches_and_fields(
    client: httpx2.Client, folder: Path
) -> None:
    library = load_retriever(folder)
    answer = search(
        client, queries=QUERIES[:3], k=2, where="even = true and number < 20", text=True, matches=True
    )
    for query, result in zip(QUERIES, answer["results"], strict=False):
        assert result["query"] == query
        hits: Any = library.search(query, 2, where="even = true and number < 20", with_text=True)
        assert numbers(result["hits"]) == of_library(hits)
        for hit, found in zip(hits, result["hits"], strict=True):
            assert found["metadata"] == {"even": True, "number": int(hit.passage_id[1:])}
            assert found["text"] == hit.text
            assert [word["text"] for word in found["words"]] == [word.text for word in hit.words]
            pieces = library.pieces(hit)
            assert [piece["text"] for piece in found["pieces"]] == [piece.text for piece in pieces]
            marked = [piece["match"] for piece in found["pieces"] if piece["match"] is not None]
            assert [found["matches"][place]["text"] for place in marked] == [
                piece.match.text for piece in pieces if piece.match is not None
            ]


def test_a_query_of_which_the_model_knows_nothing_has_a_note(client: httpx2.Client) -> None:
    known, unknown = search(client, queries=[QUERIES[0], "\U0001f980"])["results"]
    assert known["note"] is None
    assert "vocabulary" in unknown["note"]
    assert unknown["hits"]
    assert (
        unknown["note"].split(":")[0].replace("'", "&#39;")
        in client.get("/", params={"q": "\U0001f980"}).text
    )


def test_passages_health_metrics_and_the_description(client: httpx2.Client, folder: Path) -> None:
    passage = client.get("/passages/p3").json()
    assert (passage["passage_id"], passage["metadata"]) == ("p3", {"even": False, "number": 3})
    health = client.get("/health").json()
    assert (health["status"], health["number"], health["passages"]) == ("ok", 1, 64)
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/search", "/passages/{passage_id}", "/health", "/metrics"}
    for example in described["components"]["schemas"]["SearchRequest"]["examples"]:
        assert client.post("/search", json={**example, "where": "even = true"}).status_code == 200
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for part in (
        'genret_requests_total{route="/search",status="200"}',
        'genret_request_seconds_bucket{le="0.005",route="/search"}',
        "genret_waiting_queries 0.0",
        "genret_generation 1.0",
    ):
        assert part in metrics.text


def test_a_token_is_asked_for_where_there_is_one(folder: Path) -> None:
    with answering(folder, token=TOKEN) as client:
        assert client.get("/health").status_code == 200
        for headers in (
            {},
            {"Authorization": "Bearer no"},
            {"Authorization": "Basic !"},
            {"Authorization": ""},
        ):
            refused = client.get("/passages/p3", headers=headers)
            assert refused.status_code == 401
            assert "GENRET_TOKEN" in refused.json()["error"]
        assert client.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/", auth=("anyone", TOKEN)).status_code == 200


def test_generations_change_under_load_without_a_lost_request_or_a_mixed_answer(tmp_path: Path) -> None:
    place, done, first = tmp_path / "model", Event(), model("a")
    first.save_pretrained(place)
    seen: list[tuple[str, str]] = []

    def ask(client: httpx2.Client) -> None:
        while not done.is_set():
            answer = search(client, queries=QUERIES[:4], k=3)
            names = {hit["passage_id"][0] for one in answer["results"] for hit in one["hits"]}
            assert len(names) == 1, names
            seen.append((answer["generation"], names.pop()))

    with answering(place) as client, ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, client) for _ in range(CLIENTS)]
        try:
            for name in ("b", "c"):
                model(name).save_pretrained(place, overwrite=True)
                wait_until(lambda name=name: client.get(f"/passages/{name}0").status_code == 200)
                answered = len(seen)
                wait_until(lambda answered=answered: len(seen) > answered + 2 * CLIENTS)
        finally:
            done.set()
        for one in asking:
            one.result()
        assert client.get("/health").json()["number"] == 3
    # Each generation's answers are of its own passages.
    assert len(set(seen)) == 3
    assert len({build for build, _ in seen}) == len({name for _, name in seen}) == 3


def test_a_broken_generation_is_told_of_and_the_one_before_answers(tmp_path: Path) -> None:
    place = tmp_path / "model"
    model("a").save_pretrained(place)
    with answering(place) as client:
        model("b").save_pretrained(tmp_path / "next")
        table = tmp_path / "next" / "docids.table"
        content = table.read_bytes()
        table.write_bytes(content[:-1] + bytes([content[-1] ^ 255]))
        place.rename(tmp_path / "before")
        (tmp_path / "next").rename(place)
        wait_until(lambda: client.get("/health").json()["status"] == "stale")
        health = client.get("/health").json()
        assert "docids.table" in health["fault"]
        assert health["number"] == 1
        assert search(client, query="river", k=1)["results"][0]["hits"][0]["passage_id"].startswith("a")
        assert "genret_stale 1.0" in client.get("/metrics").text
        place.rename(tmp_path / "broken")
        wait_until(lambda: "docids.table" not in client.get("/health").json()["fault"])
        (tmp_path / "before").rename(place)
        wait_until(lambda: client.get("/health").json()["status"] == "ok")
        assert client.get("/health").json()["fault"] is None


def test_too_much_at_once_is_told_to_come_again_and_too_slow_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(folder, Limits(waiting=3)) as client:
        refused = client.post("/search", json={"queries": QUERIES[:4]})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "wait" in refused.json()["error"]
        assert search(client, queries=QUERIES[:3])
    go = Event()
    with answering(folder, Limits(seconds=2)) as client:
        monkeypatch.setattr(Search, "__call__", lambda self, queries: go.wait() and [[] for _ in queries])
        late = client.post("/search", json={"query": QUERIES[0]})
        go.set()
        assert late.status_code == 504
        assert "in time" in late.json()["error"]
        assert search(client, query=QUERIES[0])["results"][0]["hits"] == []
