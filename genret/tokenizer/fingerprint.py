"""One short text that changes whenever a tokenizer would turn any text into other ids.

Knows tokenizers of transformers; knows no model.
"""

from __future__ import annotations

import json
from typing import Any

import xxhash

from genret.tokenizer.interface import Tokenizer, backend_of

__all__ = ["tokenizer_fingerprint"]

# What a fast tokenizer's own description holds besides its vocabulary; padding and truncation are the caller's.
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model")


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """XXH3-128 (hexadecimal) of vocabulary, merges, added tokens, special ids and text preparation.

    The same for a tokenizer and its saved and loaded copy, in every process; padding side, truncation and
    model limits do not count, because every caller sets them.
    """
    digest = xxhash.xxh3_128(b"genret.tokenizer.1")
    for part in (_vocabulary(tokenizer), _added(tokenizer), _special(tokenizer), _preparation(tokenizer)):
        digest.update(json.dumps(part, sort_keys=True, ensure_ascii=True).encode("ascii") + b"\n")
    return digest.hexdigest()


def _vocabulary(tokenizer: Tokenizer) -> list[tuple[str, int]]:
    return sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))


def _added(tokenizer: Tokenizer) -> list[list[Any]]:
    flags = ("content", "special", "lstrip", "rstrip", "single_word", "normalized")
    decoder = tokenizer.added_tokens_decoder
    return [[token_id, *(getattr(decoder[token_id], flag) for flag in flags)] for token_id in sorted(decoder)]


def _special(tokenizer: Tokenizer) -> dict[str, int | None]:
    names = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
    return {name: getattr(tokenizer, f"{name}_token_id", None) for name in names}


def _preparation(tokenizer: Tokenizer) -> object:
    """How text becomes pieces: the fast tokenizer's parts, else the class and, where there is one, its pieces."""
    backend = backend_of(tokenizer)
    if backend is not None:
        described = json.loads(backend.to_str())
        return {name: _without_vocabulary(described.get(name)) for name in _PARTS}
    pieces = getattr(tokenizer, "sp_model", None)
    proto = b"" if pieces is None else pieces.serialized_model_proto()
    return [type(tokenizer).__name__, xxhash.xxh3_128_hexdigest(proto)]


def _without_vocabulary(part: object) -> object:
    """The vocabulary is hashed from `get_vocab`; scores of a unigram model stay."""
    if isinstance(part, dict) and isinstance(part.get("vocab"), dict):
        return {name: value for name, value in part.items() if name != "vocab"}
    return part
