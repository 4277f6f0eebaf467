"""A T5 tokenizer trained on texts: a unigram model by sentencepiece, docid tokens reserved from the start.

Knows texts and sentencepiece; knows no passages and no model. Texts are read once, as a stream, and a sample of
bounded size is drawn from them, so memory does not grow with the corpus. A sample that was finished is kept until the
tokenizer is: what was killed after reading does not read again. sentencepiece's own training cannot be continued; it
begins anew.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xxhash

from fm_index.container import atomic_writer
from genret.artefact import check_folder, folder_kind, publish_folder, refuse_existing
from genret.errors import InputError
from genret.hub import open_pretrained
from genret.jobs.progress import progress
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.load import load_tokenizer

__all__ = ["train_tokenizer"]

KIND, VERSION = "tokenizer", 1
MODEL = "spiece.model"
# T5's ids (Raffel et al., JMLR 2020): padding, end, unknown, and no beginning.
SPECIAL: dict[str, Any] = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
_log = logging.getLogger(__name__)
# sentencepiece leaves out longer texts without a word.
MAX_CHARACTERS = 2000


def train_tokenizer(
    texts: Iterable[str],
    output: str | os.PathLike[str],
    *,
    vocab_size: int = 32_000,
    reserved: Sequence[str] = (),
    sample: int = 1_000_000,
    character_coverage: float = 0.9995,
    seed: int = 0,
    source: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Tokenizer:
    """Train on a sample of `texts` and write a folder that transformers reads; return the tokenizer.

    Args:
        vocab_size: pieces, the special ones included and `reserved` not.
        reserved: tokens that are never split, after the pieces: docid tokens.
        sample: at most so many texts, each as likely; a part beyond 2,000 characters counts as a text of its own.
        source: what `texts` are, JSON-able; a sample or a tokenizer made of the same is used again. None: nothing is.
        character_coverage: rarer characters become unknown; 0.9995 for languages with many characters, 1 for few.

    Raises:
        InputError: there are no texts, or too few for so many pieces, or `output` exists and was made otherwise.
    """
    place, drawn = Path(output), {"source": source, "sample": sample, "seed": seed}
    options = {"vocab_size": vocab_size, "character_coverage": character_coverage, "reserved": list(reserved)}
    if source is not None and not overwrite and _is_made(place, drawn | options):
        _log.warning("%s is there already, made of the same texts with the same options.", output)
        return load_tokenizer(place)
    refuse_existing(place, overwrite)
    kept = place.absolute().with_name(f".{place.name}.sample")
    chosen = _sample(_parts(texts), drawn, kept)
    meta = {"made": _digest(drawn | options), "texts": len(chosen), "vocab_size": vocab_size}
    content = _train(chosen, vocab_size, character_coverage)
    with publish_folder(output, kind=KIND, version=VERSION, meta=meta, overwrite=overwrite) as folder:
        tokenizer = _wrap(content, folder)
        extend_tokenizer(tokenizer, reserved)
        tokenizer.save_pretrained(folder)
    kept.unlink(missing_ok=True)
    return tokenizer


def _is_made(place: Path, made: Mapping[str, Any]) -> bool:
    """Whether a folder holds the tokenizer that would be made."""
    if folder_kind(place) != KIND:
        return False
    return check_folder(place, kind=KIND, version=VERSION).get("made") == _digest(made)


def _digest(content: Mapping[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def _sample(texts: Iterable[str], drawn: Mapping[str, Any], kept: Path) -> list[str]:
    """The sample that `drawn` describes: the one in the file `kept`, or a new one, which is written there.

    Raises:
        InputError: there are no texts.
    """
    first = json.dumps(drawn, sort_keys=True)
    if drawn["source"] is not None and kept.is_file():
        with kept.open(encoding="utf-8") as file:
            if file.readline().rstrip("\n") == first:
                _log.warning("%s: a finished sample of the same texts; it is used again.", kept)
                return [json.loads(line) for line in file]
    chosen = _sampled(texts, drawn["sample"], drawn["seed"])
    if not chosen:
        raise InputError("the corpus holds no text; there is nothing to train a tokenizer on.")
    if drawn["source"] is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(kept) as written:
            written.write(first.encode() + b"\n")
            written.writelines(json.dumps(text).encode() + b"\n" for text in chosen)
    return chosen


def _parts(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for begin in range(0, len(text), MAX_CHARACTERS):
            if part := text[begin : begin + MAX_CHARACTERS].strip():
                yield part


def _sampled(texts: Iterable[str], size: int, seed: int) -> list[str]:
    """`size` texts, each subset as likely (reservoir sampling: Vitter 1985, algorithm R)."""
    rng = random.Random(seed)
    stream = iter(texts)
    with progress(None, "reading texts", "texts") as report:
        kept = list(itertools.islice(stream, size))
        report.advance(len(kept))
        for number, text in enumerate(stream, len(kept)):
            if (place := rng.randrange(number + 1)) < size:
                kept[place] = text
            report.advance()
    return kept


def _train(texts: Sequence[str], vocab_size: int, character_coverage: float) -> bytes:
    import sentencepiece

    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocab_size,
            character_coverage=character_coverage,
            max_sentence_length=4 * MAX_CHARACTERS,  # bytes
            num_threads=os.cpu_count() or 1,
            minloglevel=2,
            **SPECIAL,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(f"vocab_size {vocab_size}: {_reason(str(error))}") from error
    return written.getvalue()


def _reason(complaint: str) -> str:
    """What sentencepiece says, without the place in its source."""
    most = re.search(r"value <= ([0-9]+)", complaint)
    if most is not None:
        return f"these texts give no more than {most[1]} pieces; ask for so many or fewer."
    return f"sentencepiece gives up: {complaint.splitlines()[0].rpartition('] ')[2]}"


def _wrap(content: bytes, folder: Path) -> Tokenizer:
    """The model as transformers' tokenizer of T5, without its hundred sentinel tokens."""
    from transformers import T5Tokenizer

    (folder / MODEL).write_bytes(content)
    settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "additional_special_tokens": []}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    tokenizer: Tokenizer = open_pretrained(T5Tokenizer, folder, "tokenizer")
    return tokenizer
