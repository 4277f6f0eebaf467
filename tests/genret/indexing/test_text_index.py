"""A text index end to end: build from a corpus by the command line, load, query, verify, damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_ngrams import marked_t5
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from fm_index import ShardedFMIndex
from genret.artefact import check_folder, write_manifest
from genret.cli.app import app
from genret.corpus import Passage, PassageStore
from genret.errors import ArtefactError, InputError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.indexing.text_index import KIND, VERSION
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import control_ids

WORDS = ["[UNK]", "the", "cat", "sat", "on", "mat", "dog", "ran"]
PASSAGES = [
    Passage("a", "cat", "the cat sat on the mat"),
    Passage("b", "", "the dog ran"),
    Passage("c", "dog", "the dog sat on the cat"),
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    model = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=model, unk_token="[UNK]")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = [json.dumps({"_id": p.passage_id, "title": p.title, "text": p.text}) for p in PASSAGES]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def ids(text: str) -> list[int]:
    return [WORDS.index(word) for word in text.split()]


@pytest.mark.parametrize("shard_tokens", [None, 1])
@pytest.mark.parametrize("profile", ["fast", "compact"])
def test_commands(
    corpus: Path, tokenizer: PreTrainedTokenizerFast, shard_tokens: int | None, profile: str
) -> None:
    tokenizer.save_pretrained(corpus / "tokenizer")
    folder, run = corpus / "index", CliRunner()
    options = ["--tokenizer", str(corpus / "tokenizer"), "--profile", profile]
    options += [] if shard_tokens is None else ["--shard-tokens", str(shard_tokens)]
    result = run.invoke(app, ["index", "build", str(corpus), "-o", str(folder), *options])
    assert result.exit_code == 0, result.output
    facts = json.loads(run.invoke(app, ["index", "info", str(folder), "--json"]).stdout)
    assert (facts["num_passages"], facts["num_tokens"], facts["profile"]) == (3, 17, profile)
    assert "intact" in run.invoke(app, ["index", "verify", str(folder)]).stdout
    dumped = [
        json.loads(line) for line in run.invoke(app, ["index", "dump", str(folder)]).stdout.splitlines()
    ]
    assert dumped == [
        {"passage_id": p.passage_id, "title_tokens": ids(p.title), "text_tokens": ids(p.text)}
        for p in PASSAGES
    ]
    assert len(run.invoke(app, ["index", "dump", str(folder), "--limit", "1"]).stdout.splitlines()) == 1
    loaded = TextIndex.load(folder, verify=True)
    assert loaded.index.count(ids("the cat")) == 2
    assert loaded.index.document_frequency(ids("sat on the")) == 2
    np.testing.assert_array_equal(loaded.title_lengths, [1, 0, 1])


def test_shards_are_cut_by_tokens(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    passages = [Passage(str(i), "", "the cat sat on the mat") for i in range(3000)]
    store = PassageStore.build(passages)
    build_text_index(store, tokenizer, tmp_path / "index", shard_tokens=5000)
    loaded = TextIndex.load(tmp_path / "index")
    assert isinstance(loaded.index, ShardedFMIndex)
    assert len(loaded.index.shards) == 3
    assert loaded.index.count(ids("the mat")) == 3000
    assert not list((tmp_path / "index").glob("tmp*"))


def test_damage_is_noticed(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    build_text_index(PassageStore.build(PASSAGES), tokenizer, tmp_path / "index")
    shard = next((tmp_path / "index" / "index").glob("shard-*"))
    content = bytearray(shard.read_bytes())
    content[-40] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(ArtefactError, match="checksum differs"):
        TextIndex.load(tmp_path / "index", verify=True)


def test_refusals(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(InputError, match="no passages"):
        build_text_index(PassageStore.build([]), tokenizer, tmp_path / "index")
    build_text_index(PassageStore.build(PASSAGES), tokenizer, tmp_path / "index")
    with pytest.raises(InputError, match="exists already"):
        build_text_index(PassageStore.build(PASSAGES), tokenizer, tmp_path / "index")
    with pytest.raises(InputError, match="another tokenizer"):
        TextIndex.load(tmp_path / "index").check_tokenizer("0" * 32)
    with pytest.raises(InputError, match="no tokenizer there"):
        load_tokenizer(str(tmp_path / "nothing"))


@pytest.mark.parametrize("marked", [False, True])
def test_no_passage_stores_a_control_token(tmp_path: Path, marked: bool) -> None:
    """Whatever its title, its text and its pseudo-queries spell."""
    tokenizer = marked_t5().tokenizer
    passages = [
        Passage("a", "</s>", "one <pad> two"),
        Passage("b", "<query>", "</s>"),
        Passage("c", "x", "y"),
    ]
    layout = Layout.of(tokenizer) if marked else None
    asked = [["</s><pad>"], ["<query>"], []] if marked else None
    build_text_index(
        PassageStore.build(passages), tokenizer, tmp_path / "i", layout=layout, pseudo_queries=asked
    )
    loaded = TextIndex.load(tmp_path / "i")
    counts = {token: loaded.index.count([token]) for token in control_ids(tokenizer)}
    marks = {} if layout is None else {layout.query_mark: 2}
    assert counts == {token: marks.get(token, 0) for token in counts}
    assert set(counts) >= {tokenizer.eos_token_id, tokenizer.pad_token_id}


@pytest.mark.parametrize("change", ["taken out", "of other tokens"])
def test_a_layout_that_is_not_the_index_s_own_is_refused(tmp_path: Path, change: str) -> None:
    """Whoever alters the manifest can make its sums anew."""
    tokenizer = marked_t5().tokenizer
    folder = tmp_path / "i"
    build_text_index(PassageStore.build(PASSAGES), tokenizer, folder, layout=Layout.of(tokenizer))
    meta = check_folder(folder, kind=KIND, version=VERSION)
    marks = meta.pop("layout")
    if change == "of other tokens":
        meta["layout"] = {**marks, "query_mark": 0}
    write_manifest(folder, kind=KIND, version=VERSION, meta=meta)
    for verify in (True, False):
        with pytest.raises(ArtefactError, match="its layout is not the one that its titles end by"):
            TextIndex.load(folder, verify=verify)
