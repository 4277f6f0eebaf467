"""Labels of passages from a file: their order, and complaints that name the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from genret.corpus.labels import read_labels
from genret.errors import InputError


def test_labels_come_in_the_order_of_the_passages(tmp_path: Path) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text("b\tgreen or\tblue\n\na\t\nb\tgreen or\tblue\n")
    assert read_labels(file, ["a", "b"]) == ["", "green or\tblue"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a red\n", "line 1: expected passage_id, tab, label, found 'a red'"),
        ("a\tred\nz\tred\n", "line 2: passage 'z' is not in the corpus"),
        ("a\tred\na\tblue\n", "line 2: passage 'a' was 'red' before; keep one label"),
        ("a\tred\n", "no label for passage 'b'; every passage needs one"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text(content)
    with pytest.raises(InputError, match=re.escape(message)):
        read_labels(file, ["a", "b"])


def test_a_folder_holds_no_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a file; expected lines of passage_id, tab, label"):
        read_labels(tmp_path, ["a"])
