"""Runs to look at: the page's elements, its filters in a real browser where there is one, and the local server."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsers import browser
from command_line import genret
from hypothesis import given
from hypothesis import strategies as st

from genret.browse import load_results, make_server, page, results_page
from genret.browse.results import Results, marked
from genret.corpus import Passage, PassageStore
from genret.corpus.formats.found import FoundMatch

VOID = {"meta", "input"}
PASSAGES = [
    Passage("1#0", "Ada & Co", "She wrote <b>the first program</b>."),
    Passage("1#1", "Ada & Co", "Born in London."),
    Passage("2#0", "Bob", "He did not; the first program was hers."),
]
FULL = [
    {"query_id": "q1", "query": "who wrote <it>?", "hits": [
        {"passage_id": "2#0", "score": 2.0, "matches": [{"text": " the first", "score": 1.5}, {"text": "was", "score": 0.5}]},
        {"passage_id": "1#1", "score": 1.0, "docid": "ada <2>"},
    ]},
    {"query_id": "q2", "query": "where was she born", "hits": [{"passage_id": "2#0", "score": 1.0}]},
    {"query_id": "q3", "query": "unjudged", "hits": []},
]  # fmt: skip
OTHER = "q1 Q0 1#0 1 3.5 t\nq2 Q0 9#9 1 2.5 t\n"
JUDGED = {"q1": {"1": 1}, "q2": {"1#1": 1, "2#0": 0}}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "full.jsonl").write_text("".join(json.dumps(row) + "\n" for row in FULL))
    (tmp_path / "other.run").write_text(OTHER)
    return tmp_path


@pytest.fixture
def both(world: Path) -> Results:
    store = PassageStore.build(PASSAGES)
    return load_results([world / "full.jsonl", world / "other.run"], {}, JUDGED, store)


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def all(self, tag: str) -> list[Element]:
        own = [child for child in self.children if isinstance(child, Element)]
        return [*(one for one in own if one.tag == tag), *(found for one in own for found in one.all(tag))]


class Tree(HTMLParser):
    """Builds elements, and refuses markup that does not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack = [Element("", {})]
        self.feed(text)
        self.close()
        assert [one.tag for one in self.stack] == [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].children.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def tree(text: str) -> Element:
    return Tree(text).stack[0]


def test_queries_passages_docids_ngrams_and_right_ones(both: Results) -> None:
    articles = tree(results_page(both)).all("article")
    assert [one.attributes["data-query"] for one in articles] == ["q1", "q2", "q3"]
    assert [one.classes for one in articles] == [
        {"query", "hit", "differs"},
        {"query", "missed"},
        {"query"},
    ]
    first = articles[0]
    assert "at 2, at 1 who wrote <it>? q1" in " ".join(first.all("summary")[0].text.split())
    left, right = first.all("section")
    assert [one.all("h2")[0].text for one in (left, right)] == ["full.jsonl", "other.run"]
    items = left.all("li")
    assert [item.attributes["data-passage"] for item in items] == ["2#0", "1#1"]
    assert ["gold" in item.classes for item in items] == [False, True]
    assert [mark.text for mark in items[0].all("mark")] == ["the first", "was"]
    assert "He did not; the first program was hers." in items[0].text
    assert "found by the first 1.50, was 0.50" in items[0].text
    assert items[1].all("code")[0].text == "ada <2>"
    assert "She wrote <b>the first program</b>." in right.all("li")[0].text
    assert "missed, missed" in articles[1].text
    assert articles[1].all("section")[1].all("li")[0].attributes["data-passage"] == "9#9"
    assert "no passage" in articles[2].text


def test_the_file_asks_for_nothing_from_outside(both: Results) -> None:
    text = results_page(both)
    assert not tree(text).all("script")
    assert not re.search(r"(src|href|url)\s*[=(]", text)


def test_texts_cannot_become_markup(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    row = {"query_id": "q", "query": evil, "hits": [{"passage_id": "p", "score": 1, "docid": evil}]}
    (tmp_path / "<i>.run").write_text(json.dumps(row))
    store = PassageStore.build([Passage("p", evil, evil)])
    found = tree(results_page(load_results([tmp_path / "<i>.run"], {}, None, store)))
    assert not found.all("script")
    assert not found.all("i")
    assert found.text.count(evil) == 4


def test_without_judgements_nothing_is_flagged_or_filtered(world: Path) -> None:
    found = tree(results_page(load_results([world / "other.run"], {"q1": "who?"})))
    assert [one.attributes["id"] for one in found.all("input")] == ["filter-all"]
    assert {name for one in found.all("article") for name in one.classes} == {"query"}
    assert "who?" in found.text


def test_more_queries_than_a_page_holds_are_said_so(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_QUERIES", 2)
    text = results_page(load_results([world / "full.jsonl"], {}))
    assert len(tree(text).all("article")) == 2
    assert "The first 2 of 3" in text


@given(
    st.text("ab ", max_size=12), st.lists(st.tuples(st.text("ab ", max_size=3), st.floats(0, 9)), max_size=4)
)
def test_marks_cover_the_text_and_every_ngram_in_it(text: str, ngrams: list[tuple[str, float]]) -> None:
    pieces = marked(text, [FoundMatch(*ngram) for ngram in ngrams])
    assert "".join(piece for piece, _ in pieces) == text
    covered = "".join(("x" if match else ".") * len(piece) for piece, match in pieces)
    for ngram, _ in ngrams:
        place = text.find(ngram.strip())
        if ngram.strip() and place >= 0:
            assert set(covered[place : place + len(ngram.strip())]) == {"x"}


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


DRIVER = """<!doctype html><body><iframe src="page.html" width="1200" height="800"></iframe><script>
document.querySelector("iframe").onload = ({target: {contentDocument: page}}) => {
  const shown = () => [...page.querySelectorAll("article")]
    .filter(one => page.defaultView.getComputedStyle(one).display !== "none").map(one => one.dataset.query);
  const seen = {all: shown()};
  for (const name of ["missed", "differ", "all"]) {
    page.querySelector("#filter-" + name).click();
    seen[name + " clicked"] = shown();
  }
  const item = page.querySelector("li");
  seen.folded = !item.checkVisibility();
  page.querySelector("summary").click();
  seen.unfolded = item.checkVisibility();
  const [left, right] = [...page.querySelectorAll("section")].map(one => one.getBoundingClientRect());
  seen.beside = left.top === right.top && left.right <= right.left;
  document.body.textContent = JSON.stringify(seen);
};
</script>"""


def test_filters_and_folding_in_a_real_browser(both: Results, tmp_path: Path) -> None:
    program = browser()
    (tmp_path / "page.html").write_text(results_page(both))
    (tmp_path / "driver.html").write_text(DRIVER)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    with serving(server) as port:
        done = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom",
             f"--user-data-dir={tmp_path / 'profile'}", f"http://127.0.0.1:{port}/driver.html"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    seen = json.loads(re.search(r"<body>(\{.*\})</body>", done.stdout)[1].replace("&amp;", "&"))  # type: ignore[index]
    assert seen == {
        "all": ["q1", "q2", "q3"],
        "missed clicked": ["q2"],
        "differ clicked": ["q1"],
        "all clicked": ["q1", "q2", "q3"],
        "folded": True,
        "unfolded": True,
        "beside": True,
    }


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_the_server_pages_filters_and_answers_this_machine_only(
    both: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genret.browse import server as module

    monkeypatch.setattr(module, "PER_PAGE", 2)

    def shown(path: str) -> list[str]:
        status, text = get(port, path)
        assert status == 200
        return [one.attributes["data-query"] for one in tree(text).all("article")]

    server = make_server(both)
    assert server.server_address[0] == "127.0.0.1"
    with serving(server) as port:
        assert shown("/") == ["q1", "q2"]
        assert shown("/?page=2") == ["q3"]
        assert shown("/?filter=missed") == ["q2"]
        assert shown("/?filter=differ") == ["q1"]
        assert shown("/?text=BORN") == ["q2"]
        assert shown("/?page=99") == shown("/?text=zzz") == []
        assert shown("/?page=-1&filter=%00") == ["q1", "q2"]
        asked = tree(get(port, "/?text=%22%3E%3Cscript%3E")[1])
        assert [one.attributes.get("value") for one in asked.all("input")] == ['"><script>']
        assert not asked.all("script")
        links = [one.attributes["href"] for one in tree(get(port, "/?filter=all")[1]).all("a")]
        assert [shown(link) for link in links] == [["q3"]]
        assert get(port, "/etc/passwd")[0] == 404
        assert get(port, "/", host="evil.example")[0] == 404


def test_the_command_writes_a_file(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (world / "qrels.tsv").write_text("q1\t1#1\t1\n")
    (world / "corpus.jsonl").write_text('{"_id": "1#1", "title": "T", "text": "Born in London."}\n')
    (world / "queries.jsonl").write_text('{"_id": "q2", "text": "asked so"}\n')
    files = (
        "-j",
        world / "qrels.tsv",
        "--corpus",
        world / "corpus.jsonl",
        "--queries",
        world / "queries.jsonl",
    )
    runs = (world / "full.jsonl", world / "other.run")
    assert genret(monkeypatch, "browse", *runs, *files, "-k", 1, "-o", world / "page.html") == 0
    articles = tree((world / "page.html").read_text()).all("article")
    assert "missed" in articles[0].classes
    assert "asked so" in articles[1].text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{full}", "{full}", "{full}", "-o", "{out}"], 2, "one or two"),
        (["{none}", "-o", "{out}"], 3, "no such file"),
        (["{full}", "-o", "{full}"], 3, "exists already"),
        (["{full}", "--port", "{taken}"], 2, "cannot be used"),
    ],
)
def test_mistakes_end_in_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    world: Path,
    both: Results,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with make_server(both) as server:
        names = {"full": world / "full.jsonl", "none": world / "none", "out": world / "out.html"}
        filled = [one.format(taken=server.server_port, **names) for one in arguments]
        assert genret(monkeypatch, "browse", *filled) == code
    assert message in capsys.readouterr().err
