"""Markdown, HTML, reStructuredText and plain text as titles and sections."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, read_passages
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.documents import html, markdown, rst
from genret.corpus.documents.document import Outline, Section

MARKDOWN = """Badge ![logo](x.png)

Setext *Title*
==============
Hello [world](http://x.example).
Second &amp; line<br>third.

- a
- b
  - c

1. one

   more

| h | i |
|---|---|
| 1 | 2 |

```sh
# no heading

ls
```

    # no heading either

> # quoted
> text

## Install {#install .x}
<div align="center"><b>bold</b> block<script>alert(1)</script></div>

### Linux
~~~
Set
===
~~~

Use
---
"""


def parts(outline: Outline) -> list[tuple[str, str]]:
    return [(section.path, section.text) for section in outline.sections()]


def test_markdown() -> None:
    found = markdown.outline(MARKDOWN, "a.md")
    assert found.title == "Setext Title"
    lead = (
        "Badge logo\n\nHello world. Second & line\nthird.\na\nb\nc\n\none\n\nmore\nh | i\n1 | 2\n\n# no heading\n\nls\n\n"
        "# no heading either\n\nquoted\n\ntext"
    )
    assert parts(found) == [
        ("", lead),
        ("Install", "bold block"),
        ("Install > Linux", "Set\n==="),
        ("Use", ""),
    ]


@pytest.mark.parametrize(
    ("text", "fields", "rest"),
    [
        ("---\ntitle: T\ntags: [a]\n---\nx\n", {"title": "T", "tags": ["a"]}, "x\n"),
        ("---\ntitle: T\n...\nx", {"title": "T"}, "x"),
        ("---\n---\nx", {}, "x"),
        ("---\n# A heading between two rules\n---\nx", {}, None),
        ('+++\ntitle = "T"\n[by]\nname = "A"\n+++\nx', {"title": "T", "by": {"name": "A"}}, "x"),
        ("---\n\nA text between two rules. Two: more.\n\n---\n", {}, None),
        ("---\nx\n", {}, None),
        ("x\n---\na: b\n---\n", {}, None),
    ],
)
def test_front_matter(text: str, fields: dict[str, object], rest: str | None) -> None:
    assert markdown.front_matter(text, "a.md") == (fields, text if rest is None else rest)


def test_fields_of_front_matter_are_metadata_and_its_title_is_the_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "---\ntitle: T\ndate: 2024-01-05\nby: {name: Ada}\nyear: 1815\ndraft: false\n---\n# H\n\nx\n"
    )
    (tmp_path / "b.md").write_text("---\ntitle: T\n---\n# T\n\nx\n")
    (tmp_path / "c.md").write_text("---\nyear: 1\n---\n")
    assert list(read_passages(tmp_path)) == [
        Passage(
            "a.md", "T", "H\n\nx", {"date": "2024-01-05", "by.name": "Ada", "year": 1815, "draft": False}
        ),
        Passage("b.md", "T", "x"),
    ]


PAGE = """<!DOCTYPE html><html><head><title>Site | Page</title><style>p {}</style></head>
<body><header>Banner</header><nav>Menu <h1>No</h1></nav><main>
<h1>The <em>page</em></h1><p>One <b>two</b>three
four&nbsp;five</p><ul><li>a</li><li>b<ul><li>c</ul></li></ul>
<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>
<pre> code
   x</pre><script>alert("<p>1</p>")</script><!-- no --><template>no</template><p hidden>no</p>
<h2>Sub<a class="headerlink" href="#sub">\u00b6</a></h2>text<br>more <img src=x alt="a picture"><h3></h3><aside>no</aside></main><footer>no</footer></body></html>"""


def test_html() -> None:
    found = html.outline(PAGE)
    assert found.title == "The page"
    assert parts(found) == [
        ("", "One twothree four five\na\nb\nc\nA | B\n1 | 2\n\n code\n   x"),
        ("Sub", "text\nmore a picture"),
    ]


def test_a_page_without_headings_has_the_title_of_its_head() -> None:
    found = html.outline("<title>T\n t</title><p>x")
    assert (found.title, parts(found)) == ("T t", [("", "x")])
    assert html.outline("<p>x").title == ""


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "shift_jis", "gb18030"])
def test_a_page_is_read_in_the_encoding_that_it_declares(encoding: str, tmp_path: Path) -> None:
    text = "caf\xe9" if encoding in ("utf-8", "windows-1252") else "\u65e5\u672c"
    page = f'<html><meta charset="{encoding}"><h1>{text}</h1><p>x'
    (tmp_path / "a.html").write_bytes(page.encode(encoding))
    assert list(read_passages(tmp_path / "a.html")) == [Passage("a.html", text, "x")]


RST = """
=====
Title
=====

See :ref:`that <target>`, :func:`~a.b.c`, ``code`` and *this*.

.. toctree::

   a

.. versionadded:: 3.1
   It is *new*.

.. note:: Mind.

.. contents::

.. code-block:: python
   :emphasize-lines: 1

   # no heading
   x = 1

.. include:: /etc/hostname

.. raw:: html

   <b>no</b>

.. no comment is read

Section
-------

* one
* two

===== =====
A     B
===== =====
1     2
===== =====

Deep
~~~~

literal::

    x

Other
-----

.. function:: foo(a)

   Does it.
"""


def test_rst() -> None:
    found = rst.outline(RST)
    assert found.title == "Title"
    assert parts(found) == [
        ("", "See that, a.b.c, code and this.\n\n3.1\n\nIt is new.\n\nMind.\n\n# no heading\nx = 1"),
        ("Section", "one\ntwo\n\nA | B\n\n1 | 2"),
        ("Section > Deep", "literal:\n\nx"),
        ("Other", "foo(a)\n\nDoes it."),
    ]


def test_nothing_is_printed_and_nothing_lost_of_what_docutils_cannot_read(
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = rst.outline(
        "A\n=\n\n* x\ny\n\n=== ==\na   b\n=\n\n|none| `open\n\nB\n--\n\nC\n===\n\nD\n~~~\n\nz\n"
    )
    text = "".join(section.whole for section in found.sections())
    assert all(word in text for word in ("x", "y", "a   b", "none", "open", "B", "C", "D", "z"))
    assert capfd.readouterr() == ("", "")


MARKS = st.lists(
    st.sampled_from(
        ["# ", "## ", "\n", "\n\n", "---\n", "```\n", "> ", "- ", "<p>", "</p>", "<pre>", "<", "|", "*", "`", "a", "b c", "=\n",
         ".. ", "::", "_", "[", "](x)", "&amp;", "\t", "   ", "<h1>", "</h2>", "<main>", "\u2028", "\x0c", "~~~\n"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@settings(max_examples=60)
@given(MARKS)
def test_any_text_is_read(text: str) -> None:
    for found in (markdown.outline(text, "a"), html.outline(text), rst.outline(text)):
        assert all(isinstance(section, Section) for section in found.sections())


# Long enough that a line below is an adornment.
WORDS = st.text(st.sampled_from("abcdefgh"), min_size=4, max_size=6)


@given(st.lists(st.tuples(st.integers(1, 3), WORDS, st.lists(WORDS, max_size=3)), min_size=1, max_size=5))
def test_every_markup_of_one_outline_says_the_same(outlined: list[tuple[int, str, list[str]]]) -> None:
    """Headings of a level and paragraphs, written in each markup."""
    levels = [1, *(level for level, _, _ in outlined[1:])]
    # No level is left out on the way down, which reStructuredText has no words for.
    for place in range(1, len(levels)):
        levels[place] = min(levels[place], levels[place - 1] + 1)
    rows = [(level, heading, texts) for level, (_, heading, texts) in zip(levels, outlined, strict=True)]
    written = {
        "md": "\n\n".join(
            "\n\n".join([f"{'#' * level} {heading}", *texts]) for level, heading, texts in rows
        ),
        "html": "".join(
            f"<h{n}>{h}</h{n}>" + "".join(f"<p>{text}" for text in texts) for n, h, texts in rows
        ),
        "rst": "\n\n".join("\n\n".join([f"{h}\n{'=-~'[n - 1] * len(h)}", *texts]) for n, h, texts in rows),
    }
    found = [markdown.outline(written["md"], "a"), html.outline(written["html"]), rst.outline(written["rst"])]
    assert all((one.title, one.sections()) == (found[0].title, found[0].sections()) for one in found)
    told = [found[0].title, *(part for one in found[0].sections() for part in (*one.headings[-1:], one.text))]
    assert " ".join(told).split() == [word for _, heading, texts in rows for word in (heading, *texts)]


def test_no_split_and_split_say_the_same_words(tmp_path: Path) -> None:
    for name, text in (("a.md", MARKDOWN), ("b.html", PAGE), ("c.rst", RST)):
        (tmp_path / name).write_text(text)
    whole = {one.passage_id: one for one in read_passages(tmp_path)}
    pieces: dict[str, list[str]] = {}
    for one in read_passages(tmp_path, CorpusOptions(split="sections")):
        heading = str(one.metadata.get("section", "")).split(" > ")[-1]
        pieces.setdefault(str(one.metadata["document"]), []).append(f"{heading} {one.text}")
    assert {name: " ".join(texts).split() for name, texts in pieces.items()} == {
        name: one.text.split() for name, one in whole.items()
    }
