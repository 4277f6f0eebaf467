"""A tokenizer trained here is one that transformers reads and a new T5 uses, docid tokens in place."""

from __future__ import annotations

import json
import random

import pytest
import typer
from floats import assert_close
from transformers import AutoTokenizer
from typer.testing import CliRunner

from genret.cli.corpus.tokenizer import register
from genret.errors import InputError
from genret.models.new_t5 import new_t5
from genret.tokenizer import unigram
from genret.tokenizer.unigram import _sampled, train_tokenizer

SYLLABLES = ["ka", "lo", "mi", "ren", "tas", "vu", "zel", "bor", "ni", "qua"]
DOCIDS = ["<d_0>", "<d_1>"]


def texts(count: int = 400) -> list[str]:
    """Sentences of invented words."""
    rng = random.Random(1)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(120)]
    return [" ".join(rng.choices(words, k=rng.randint(3, 12))) for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tokenizer") / "own"
    train_tokenizer(texts(), place, vocab_size=90, reserved=DOCIDS)
    return place


def test_texts_come_back_and_special_tokens_are_t5s(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    for text in texts(20):
        ids = tokenizer(text)["input_ids"]
        assert ids[-1] == 1
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
        assert len(ids) < len(text)


def test_docid_tokens_are_reserved_and_a_new_t5_has_rows_for_them(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_tokens_to_ids(DOCIDS) == [90, 91]
    assert tokenizer("kalo<d_1>")["input_ids"][-2] == 91
    config = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    backbone = new_t5(config, str(folder), seed=3)
    assert backbone.vocab_size == 92
    assert backbone.extend_vocabulary(DOCIDS) == [90, 91]
    assert backbone.vocab_size == 92


def test_an_unknown_field_of_t5_is_named(folder):
    with pytest.raises(InputError, match=r"model\.config: unknown key 'd_modle'; did you mean 'd_model'"):
        new_t5({"d_modle": 16}, str(folder))


def test_too_many_pieces_for_the_texts_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"vocab_size 5000: these texts give no more than \d+ pieces"):
        train_tokenizer(texts(20), tmp_path / "x", vocab_size=5000)
    assert not (tmp_path / "x").exists()


def test_no_texts_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no text"):
        train_tokenizer([" "], tmp_path / "x")


def test_every_text_is_as_likely_in_the_sample():
    counts = [0] * 40
    for seed in range(2000):
        for text in _sampled(map(str, range(40)), 10, seed):
            counts[int(text)] += 1
    # Each is drawn 500 times on average, with a standard deviation of 19.4.
    assert_close(counts, [500] * len(counts), within=5 * 19.4)


def test_a_sample_that_was_finished_is_not_drawn_again(tmp_path, monkeypatch, caplog):
    source = {"corpus": [1, 2]}
    with pytest.raises(InputError, match="these texts give no more than"):
        train_tokenizer(texts(60), tmp_path / "own", vocab_size=5000, source=source)
    assert (tmp_path / ".own.sample").is_file()
    again = train_tokenizer(unread(), tmp_path / "own", vocab_size=60, source=source)
    assert "a finished sample of the same texts; it is used again" in caplog.text
    assert not (tmp_path / ".own.sample").exists()
    fresh = train_tokenizer(texts(60), tmp_path / "other", vocab_size=60)
    assert again.get_vocab() == fresh.get_vocab()


def test_other_texts_are_read_anew(tmp_path):
    with pytest.raises(InputError, match="these texts give no more than"):
        train_tokenizer(texts(60), tmp_path / "own", vocab_size=5000, source={"corpus": [1, 2]})
    with pytest.raises(AssertionError, match="read"):
        train_tokenizer(unread(), tmp_path / "own", vocab_size=60, source={"corpus": [1, 3]})


def test_a_finished_tokenizer_is_never_trained_again(tmp_path, monkeypatch, caplog):
    source = {"corpus": [1, 2]}
    first = train_tokenizer(texts(60), tmp_path / "own", vocab_size=60, reserved=DOCIDS, source=source)
    monkeypatch.setattr(unigram, "_train", None)
    again = train_tokenizer(unread(), tmp_path / "own", vocab_size=60, reserved=DOCIDS, source=source)
    assert again.get_vocab() == first.get_vocab()
    assert "is there already, made of the same texts with the same options" in caplog.text
    with pytest.raises(InputError, match="exists already"):
        train_tokenizer(unread(), tmp_path / "own", vocab_size=61, reserved=DOCIDS, source=source)
    with pytest.raises(InputError, match="exists already"):
        train_tokenizer(unread(), tmp_path / "own", vocab_size=60, reserved=DOCIDS)


def unread():
    """Texts that must not be asked for."""
    raise AssertionError("read")
    yield


def test_the_command_goes_on_with_an_unchanged_corpus(tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    rows = [{"_id": f"p{n}", "title": "", "text": text} for n, text in enumerate(texts(60))]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    command = ["tokenizer", "train", str(corpus), "-o", str(tmp_path / "own"), "--vocab-size", "60"]
    for _ in range(2):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    with corpus.open("a") as file:
        file.write(json.dumps({"_id": "new", "title": "", "text": "another one"}) + "\n")
    changed = CliRunner().invoke(app, command)
    assert isinstance(changed.exception, InputError)
    assert "exists already" in str(changed.exception)
