"""The page for people: what is on it, and that it works in a real browser, on a phone and in the dark."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from answering import answering, model
from browsers import browser

from genret.retrieval.docids import GenerativeRetriever

QUESTION = "who lies <near> rome"


@pytest.fixture(scope="module")
def served() -> GenerativeRetriever:
    return model("<p&")


@pytest.fixture(scope="module")
def client(served: GenerativeRetriever, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    place = tmp_path_factory.mktemp("page") / "model"
    served.save_pretrained(place)
    with answering(place) as found:
        yield found


def test_an_empty_page_asks(client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "<ol>" not in page.text
    assert 'name="q"' in page.text
    assert "even = …" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script|https?://|@import|url\(|\son\w+=", page.text)


def test_hits_matches_parts_and_the_way_of_one(client: httpx2.Client, served: GenerativeRetriever) -> None:
    asked = {"q": QUESTION, "k": "3", "where": "number < 60"}
    hits = served.search(QUESTION, 3, where="number < 60")
    page = client.get("/", params=asked).text
    assert re.findall(r'data-passage="([^"]*)"', page) == [
        hit.passage_id.replace("&", "&amp;").replace("<", "&lt;") for hit in hits
    ]
    assert "who lies &lt;near&gt; rome" in page
    assert "<near>" not in page
    assert set(re.findall(r"<mark[^>]*>([^<]*)</mark>", page)) == {
        word.text for hit in hits for word in hit.words
    }
    assert all(f"score {hit.score:.3f} · codes {hit.code_score:.3f}" in page for hit in hits)
    assert 'id="way"' not in page
    explained = client.get("/", params={**asked, "trace": hits[1].passage_id}).text
    assert explained.count('id="way"') == 1
    way = explained.split('id="way"')[1].split("</section>")[0]
    assert served.trace(QUESTION, where="number < 60").fate(served.sequence(hits[1].passage_id))[1] in way
    gold = re.findall(r'<text class="gold"[^>]*>([^ <]+)', way)
    names = served.backbone.tokenizer.convert_ids_to_tokens(served.sequence(hits[1].passage_id))
    assert gold == [name.replace("<", "&lt;").replace(">", "&gt;") for name in names]
    # A few rivals a level, where the search had a hundred beams.
    assert way.count("<text") <= len(names) * 10


DRIVER = """<!doctype html><body><iframe src="/?q=" width="WIDTH" height="700"></iframe><script>
const frame = document.querySelector("iframe"), seen = {}, shown = page => ({
  passages: [...page.querySelectorAll("li")].map(one => one.dataset.passage),
  marks: page.querySelectorAll("mark").length,
  fits: page.documentElement.scrollWidth <= frame.contentWindow.innerWidth,
});
const steps = [
  page => {
    seen.focused = page.querySelector("[name=q]").autofocus;
    seen.order = [...page.querySelectorAll("a, input, button, summary, [tabindex]")].map(one => one.name || one.localName);
    const style = page.defaultView.getComputedStyle(page.documentElement);
    page.body.style.color = "CanvasText";
    seen.ink = page.defaultView.getComputedStyle(page.body).color;
    page.querySelector("[name=q]").value = "QUESTION";
    page.querySelector("[name=k]").value = "3";
    page.querySelector("[name=where]").value = "number < 60";
    page.querySelector("button").click();
  },
  page => { seen.answered = shown(page); page.querySelectorAll("li a")[1].click(); },
  page => {
    seen.explained = shown(page);
    const way = page.querySelector("#way");
    seen.way = way.parentElement.dataset.passage;
    seen.table = way.querySelector("pre").checkVisibility();
    way.querySelector("summary").click();
    seen.unfolded = way.querySelector("pre").checkVisibility();
    seen.picture = way.querySelectorAll("svg text.gold").length > 1;
    document.body.textContent = JSON.stringify(seen);
  },
];
frame.onload = () => steps.shift()(frame.contentDocument);
</script>"""


@contextmanager
def beside(client: httpx2.Client, driver: str) -> Iterator[int]:
    """The service, and beside it, of one origin with it, what drives a browser through it."""

    class Beside(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/driver":
                body, headers = driver.encode(), {"Content-Type": "text/html"}
            else:
                answer = client.get(self.path)
                body = answer.content
                headers = {name: answer.headers[name] for name in ("content-type", "content-security-policy")}
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Beside) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("width", "dark"), [(1000, False), (360, True)])
def test_in_a_real_browser(
    client: httpx2.Client, served: GenerativeRetriever, tmp_path: Path, width: int, dark: bool
) -> None:
    program = browser()
    hits = [hit.passage_id for hit in served.search(QUESTION, 3, where="number < 60")]
    driver = DRIVER.replace("WIDTH", str(width)).replace("QUESTION", QUESTION)
    with beside(client, driver) as port:
        done = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom",
             f"--blink-settings=preferredColorScheme={0 if dark else 1}",
             f"--user-data-dir={tmp_path / 'profile'}", f"http://127.0.0.1:{port}/driver"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    found = re.search(r"<body>(\{.*\})</body>", done.stdout)
    assert found is not None, done.stdout[-2000:]
    seen = json.loads(found[1].replace("&lt;", "<").replace("&amp;", "&"))
    assert seen["focused"]
    assert seen["order"] == ["q", "where", "k", "button"]
    assert seen["ink"] == ("rgb(255, 255, 255)" if dark else "rgb(0, 0, 0)")
    assert seen["answered"]["passages"] == seen["explained"]["passages"] == hits
    assert seen["answered"]["marks"] > 0
    assert seen["answered"]["fits"]
    assert seen["explained"]["fits"]
    assert seen["way"] == hits[1]
    assert (seen["table"], seen["unfolded"], seen["picture"]) == (False, True, True)
