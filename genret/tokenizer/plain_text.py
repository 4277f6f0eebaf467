"""Text as token ids, every character of it an ordinary one: `</s>` in a title is four characters, not an end.

Knows tokenizers of transformers and of `tokenizers`; knows no model. What a model's own template means by its
special tokens is for the model to say; nothing that comes from a corpus or a query goes any other way than this.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer, backend_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

__all__ = ["control_ids", "is_unknown", "prompt_ids", "text_ids", "text_offsets", "text_spans"]

# Texts that are read together, and those whose places are held at a time.
BATCH, BLOCK = 1 << 16, 1 << 10
# What control tokens are called where text is read: no text can hold what was drawn for this process alone.
_NAME = secrets.token_hex(16)
# Of each tokenizer a backend that reads control tokens as characters, and the size that it was made for.
_plain: WeakKeyDictionary[Tokenizer, tuple[int, Backend]] = WeakKeyDictionary()
# Where a reader cuts is its own state: another thread must not set it while one reads.
_reading = Lock()


def text_ids(
    tokenizer: Tokenizer, texts: Sequence[str], *, special_tokens: bool = False, max_length: int | None = None
) -> list[list[int]]:
    """The token ids of texts, as many lists; the spelling of a control token in a text is read as characters.

    Control tokens are the tokenizer's special ones and added ones in brackets (docid tokens: `<c1_7>`). Text
    without such a spelling gets the ids that the tokenizer itself gives.

    Args:
        special_tokens: put the tokenizer's beginning and end around each text.
        max_length: cut to so many ids, special ones included.

    Raises:
        InputError: the tokenizer has no other ids for a text than control tokens.
    """
    if not texts:
        return []
    backend = backend_of(tokenizer)
    if backend is None:
        return _by_python(tokenizer, texts, special_tokens, max_length)
    with _reading:
        reader = _reader(tokenizer, backend, max_length)
        # What it says beside the ids takes a kilobyte a text; the titles of millions of pages come in one call.
        parts = (list(texts[begin : begin + BATCH]) for begin in range(0, len(texts), BATCH))
        return [
            one.ids
            for part in parts
            for one in reader.encode_batch_fast(part, add_special_tokens=special_tokens)
        ]


def text_offsets(tokenizer: Tokenizer, text: str, max_length: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The ids of a text with the tokenizer's beginning and end, as `text_ids` gives them, and where each is in it.

    Offsets are in characters; an id that no character stands behind has (0, 0).

    Raises:
        InputError: the tokenizer is one in Python, which does not say where.
    """
    backend = _spoken(tokenizer)
    with _reading:
        encoding = _reader(tokenizer, backend, max_length).encode(text)
    return encoding.ids, encoding.offsets


def text_spans(
    tokenizer: Tokenizer, texts: Sequence[str]
) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
    """The ids of each text, as `text_ids` gives them, and where each is in it, as in `text_offsets`.

    Raises:
        InputError: the tokenizer is one in Python, which does not say where.
    """
    backend = _spoken(tokenizer)
    for begin in range(0, len(texts), BLOCK):
        block = list(texts[begin : begin + BLOCK])
        with _reading:
            encodings = _reader(tokenizer, backend, None).encode_batch(block, add_special_tokens=False)
        for encoding in encodings:
            yield encoding.ids, encoding.offsets


def _spoken(tokenizer: Tokenizer) -> Backend:
    backend = backend_of(tokenizer)
    if backend is None:
        raise InputError(
            f"{type(tokenizer).__name__} does not say where in a text its tokens are; expected a fast tokenizer, with a "
            "tokenizer.json."
        )
    return backend


def prompt_ids(tokenizer: Tokenizer, before: str, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text behind the template's part `before`, whose control tokens are meant; those of texts are not.

    No special tokens are put around them.
    """
    control = control_ids(tokenizer)
    spellings = [str(tokenizer.added_tokens_decoder[number]) for number in control]
    # Where the last control token of `before` ends; what follows it and the text are read together, as words may join.
    meant = max((before.rindex(s) + len(s) for s in spellings if s in before), default=0)
    plain = text_ids(tokenizer, [before[meant:] + text for text in texts])
    if not meant or not texts:
        return plain
    whole = tokenizer([before[:meant], *(before + text for text in texts)], add_special_tokens=False)[
        "input_ids"
    ]
    head = whole[0]
    held = sum(map(control.__contains__, head))
    # Some tokenizers read a text's beginning in a way of its own: texts without control tokens are not cut.
    return [
        ids if sum(map(control.__contains__, ids)) == held else [*head, *own]
        for ids, own in zip(whole[1:], plain, strict=True)
    ]


def is_unknown(tokenizer: Tokenizer, text: str) -> bool:
    """Whether the vocabulary has no token for anything in a text: emojis, or a script that the model never saw."""
    (ids,) = text_ids(tokenizer, [text])
    return all(one == tokenizer.unk_token_id for one in ids)


def control_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids that no text may have. The unknown token is not among them: it stands for text."""
    decoder: Mapping[int, Any] = tokenizer.added_tokens_decoder
    unknown = tokenizer.unk_token_id
    return frozenset(
        number
        for number, token in decoder.items()
        if number != unknown and _is_control(str(token), token.special)
    )


def _is_control(content: str, special: bool) -> bool:
    return special or (content[:1], content[-1:]) in {("<", ">"), ("[", "]")}


def _by_python(
    tokenizer: Tokenizer, texts: Sequence[str], special_tokens: bool, max_length: int | None
) -> list[list[int]]:
    """Of a tokenizer without a backend; one that finds a control token in its vocabulary all the same is refused."""
    options = {"split_special_tokens": True, "truncation": max_length is not None, "max_length": max_length}
    control = control_ids(tokenizer)
    for text, ids in zip(
        texts, tokenizer(list(texts), add_special_tokens=False, **options)["input_ids"], strict=True
    ):
        if not control.isdisjoint(ids):
            raise InputError(
                f"{text!r:.200}: {type(tokenizer).__name__} has no ids for this text but control tokens; take the "
                "spelling out of the text, or choose another tokenizer."
            )
    encoded: list[list[int]] = tokenizer(list(texts), add_special_tokens=special_tokens, **options)[
        "input_ids"
    ]
    return encoded


def _reader(tokenizer: Tokenizer, backend: Backend, max_length: int | None) -> Backend:
    """The backend with its control tokens under names that no text has; ids and everything else are the same."""
    size = backend.get_vocab_size(with_added_tokens=True)
    known = _plain.get(tokenizer)
    if known is None or known[0] != size:
        known = size, _renamed(backend)
        _plain[tokenizer] = known
    reader = known[1]
    if max_length is None:
        reader.no_truncation()
    else:
        reader.enable_truncation(max_length, direction=tokenizer.truncation_side)
    return reader


def _renamed(backend: Backend) -> Backend:
    described = json.loads(backend.to_str())
    described.update(truncation=None, padding=None)
    names = {
        token["content"]: f"{_NAME}{token['id']}"
        for token in described["added_tokens"]
        if _is_control(token["content"], token["special"])
    }
    for token in described["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    _rename(described["model"], names)
    return type(backend).from_str(json.dumps(described))


def _rename(model: dict[str, Any], names: dict[str, str]) -> None:
    """Names in a model's vocabulary, in place: a list of pieces (unigram), or a mapping with merges or without."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
        return
    model["vocab"] = {names.get(piece, piece): number for piece, number in vocabulary.items()}
    if model.get("unk_token") is not None:
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
        model["merges"] = [pair for pair in pairs if names.keys().isdisjoint({*pair, "".join(pair)})]
