"""The three forms of a result table show the same numbers."""

from __future__ import annotations

import io
import json

import numpy as np
from rich.console import Console

from genret.evaluation import Evaluation, result_table


def make(values: list[float]) -> Evaluation:
    ids = tuple(str(i) for i in range(len(values)))
    return Evaluation(("hit@1", "MRR@10"), ids, np.array([values, values[::-1]]).T)


def test_markdown_json_and_terminal() -> None:
    table = result_table({"ours|new": make([1.0, 0.0, 1.0, 1.0]), "all right": make([1.0] * 1200)}, "Dev")
    text = table.markdown()
    assert text.startswith("**Dev**\n\n|  | queries | hit@1 | MRR@10 |\n| --- | ---: | ---: | ---: |\n")
    assert "| ours\\|new | 4 | .750 [" in text
    assert "| all right | 1,200 | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] |" in text
    content = json.loads(json.dumps(table.json()))
    assert content["rows"][0]["name"] == "ours|new"
    assert content["rows"][0]["metrics"]["hit@1"]["mean"] == 0.75
    assert content["rows"][0]["metrics"]["hit@1"]["low"] <= 0.75
    stream = io.StringIO()
    Console(file=stream, width=120).print(table.rich())
    assert "Dev" in stream.getvalue()
    assert ".750 [" in stream.getvalue()


def test_no_title_and_no_rows() -> None:
    assert result_table({}).markdown() == "|  | queries |\n| --- | ---: |\n"
    assert result_table({}).json() == {"title": "", "rows": []}
