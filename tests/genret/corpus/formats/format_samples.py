"""A small file of every format, and what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from genret.corpus import Passage, Query
from genret.corpus.formats import registry
from genret.corpus.formats.datafile import DataFile

KILT_TASK = [
    {
        "id": "f1",
        "input": "Ada wrote the first program.",
        "output": [
            {
                "answer": "SUPPORTS",
                "provenance": [
                    {"wikipedia_id": "10", "title": "Ada", "start_paragraph_id": 2, "end_paragraph_id": 3},
                    {
                        "wikipedia_id": 11,
                        "start_paragraph_id": "1",
                        "end_paragraph_id": "1",
                        "bleu_score": 0.5,
                    },
                ],
            },
            {"answer": " SUPPORTS "},
            {"provenance": [{"wikipedia_id": "12"}]},
        ],
        "meta": {"claim_id": 7},
    },
    {"id": 2, "input": "leopards live in [START_ENT] Africa [END_ENT] ."},
]
SAMPLES: dict[str, tuple[Any, Any]] = {
    "arrow-corpus": ({"_id": ["a"], "title": ["T"], "text": ["x y"]}, [Passage("a", "T", "x y")]),
    "beir-corpus": ('{"_id": "a", "title": "T", "text": "x y"}\n', [Passage("a", "T", "x y")]),
    "dpr-corpus": (
        'id\ttext\ttitle\n1\t"a ""quoted"" word"\tT\n2\tplain, text\t"""Q"""\n',
        [Passage("1", "T", 'a "quoted" word'), Passage("2", '"Q"', "plain, text")],
    ),
    "msmarco-corpus": ("7\tsome text\n", [Passage("7", "", "some text")]),
    "kilt-corpus": (
        json.dumps({"wikipedia_id": 5, "wikipedia_title": "Five", "text": ["Five\n", " ", "A number.\n"]}),
        [Passage("5#0", "Five", "Five"), Passage("5#2", "Five", "A number.")],
    ),
    "jsonl-corpus": (
        '{"docid": 7, "body": "x y", "year": 1999, "by": {"name": "Ada"}}\n',
        [Passage("7", "", "x y", {"year": 1999, "by.name": "Ada"})],
    ),
    "json-corpus": (
        '{"a": {"title": "T", "text": "x y"},\n "b": {"text": "z"}}',
        [Passage("a", "T", "x y"), Passage("b", "", "z")],
    ),
    "csv-corpus": (
        'id,title,text,year\n1,"T, ""U""","x\n\ny",1999\n2,,z,\n',
        [Passage("1", 'T, "U"', "x\n\ny", {"year": 1999}), Passage("2", "", "z")],
    ),
    "tsv-corpus": (
        'id\ttext\tlang\n1\tx y\ten\n2\tsaid "so"\tde\n',
        [Passage("1", "", "x y", {"lang": "en"}), Passage("2", "", 'said "so"', {"lang": "de"})],
    ),
    "markdown-corpus": (
        "---\nlang: en\n---\n# T\n\nx *y*\n\n## U\n\n```\n# z\n```\n",
        [Passage("markdown-corpus.md", "T", "x y\n\nU\n\n# z", {"lang": "en"})],
    ),
    "rst-corpus": ("T\n=\n\nx *y*\n", [Passage("rst-corpus.rst", "T", "x y")]),
    "html-corpus": (
        "<!doctype html><nav>n</nav><h1>T</h1><p>x <b>y</b><script>1</script>",
        [Passage("html-corpus.html", "T", "x y")],
    ),
    "text-corpus": ("x\n\ny\n", [Passage("text-corpus.txt", "text-corpus", "x\n\ny")]),
    "beir-queries": ('{"_id": "q", "text": "why?"}\n', [Query("q", "why?")]),
    "dpr-queries": (
        'who?\t[\'a\', "b\'s"]\nwhen?\t["1999"]\n',
        [Query("0", "who?"), Query("1", "when?")],
    ),
    "msmarco-queries": ("3\twhy?\n", [Query("3", "why?")]),
    "kilt-queries": (
        "".join(json.dumps(row) + "\n" for row in KILT_TASK),
        [Query("f1", KILT_TASK[0]["input"]), Query("2", KILT_TASK[1]["input"])],
    ),
    "beir-judgements": ("query-id\tcorpus-id\tscore\nq\ta\t1\n", {"q": {"a": 1}}),
    "trec-judgements": ("q\t0\ta\t2\n", {"q": {"a": 2}}),
    "mteb-judgements": (
        '{"query-id": "q", "corpus-id": "a", "score": 1.0}\n{"query-id": "q", "corpus-id": 7, "score": 0}\n',
        {"q": {"a": 1, "7": 0}},
    ),
    "kilt-judgements": (
        "".join(json.dumps(row) + "\n" for row in KILT_TASK),
        {"f1": {"10": 1, "11": 1, "12": 1}},
    ),
    "dpr-judgements": (
        json.dumps(
            [{"question": "who?", "answers": ["a"], "positive_ctxs": [{"passage_id": "4"}, {"psg_id": 5}]}]
        ),
        {"0": {"4": 1, "5": 1}},
    ),
    "trec-run": ("q Q0 a 1 2.5 t\nq Q0 b 2 1.5 t\n", {"q": [("a", 2.5), ("b", 1.5)]}),
    "msmarco-run": ("q\ta\t1\nq\tb\t2\ne\t<none>\t1\n", {"q": [("a", -1.0), ("b", -2.0)], "e": []}),
    "kilt-run": (
        '{"id": "q", "output": [{"provenance": [{"wikipedia_id": "5", "start_paragraph_id": 2,'
        ' "end_paragraph_id": 2}, {"wikipedia_id": "5", "start_paragraph_id": 2, "end_paragraph_id": 2}]}]}\n',
        {"q": [("5#2", -1.0)]},
    ),
    "kilt-page-run": (
        '{"id": "q", "output": [{"provenance": [{"wikipedia_id": "5"}, {"wikipedia_id": 6}]}]}\n'
        '{"id": "e", "output": [{"provenance": []}]}\n',
        {"q": [("5", -1.0), ("6", -2.0)], "e": []},
    ),
    "genret-run": (
        '{"query_id": "q", "query": "why?", "answers": ["so"], "hits": [{"passage_id": "5", "score": 2.5, "docid":'
        ' "a b"}, {"passage_id": "6", "score": 1, "matches": [{"text": "so it", "score": 0.5}]}]}\n'
        '{"query_id": "e", "hits": []}\n',
        {"q": [("5", 2.5), ("6", 1.0)], "e": []},
    ),
    "dpr-run": (
        json.dumps([{"question": "who?", "answers": ["a"], "ctxs": [{"id": "4", "text": "x"}, {"id": "2"}]}]),
        {"0": [("4", -1.0), ("2", -2.0)]},
    ),
    "fid-run": (
        '{"id": "q", "question": "who?", "answers": ["a"], "ctxs": [{"id": "4", "text": "x"}, {"id": "2"}]}\n'
        '{"id": "e", "question": "why?", "answers": [], "ctxs": []}\n',
        {"q": [("4", -1.0), ("2", -2.0)], "e": []},
    ),
}


# Of formats that their files' names tell.
SUFFIXES = {
    "csv-corpus": ".csv",
    "markdown-corpus": ".md",
    "rst-corpus": ".rst",
    "html-corpus": ".html",
    "json-corpus": ".json",
}


def read(name: str, path: Path) -> Any:
    content = registry.find_format(name).read(DataFile(path))
    return content if isinstance(content, dict) else list(content)


def sample(name: str, folder: Path) -> Path:
    if name == "arrow-corpus":
        parquet.write_table(pyarrow.table(SAMPLES[name][0]), folder / "corpus.parquet")
        return folder / "corpus.parquet"
    path = folder / (
        name + SUFFIXES[name]
        if name in SUFFIXES
        else name + (".json" if name.startswith("dpr") and "corpus" not in name else ".txt")
    )
    if name == "dpr-queries":
        path = folder / "questions.qa.csv"
    path.write_text(SAMPLES[name][0])
    return path
