"""A tiny docid model whose passages can be changed, and what one built of the same passages finds: by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from backbones import sentence_encoder

from docid import DocidTable
from docid.strategies import DocumentFields, Residual
from docid.words import WordSets
from genret.corpus import Passage, PassageStore
from genret.docids.fitted import FittedStrategy
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.training.linear_index.codebook import CodebookModel, DocidPaths, start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher
from genret.words import Words, choose_words
from genret.words.words import WordOptions, passage_words

NAMES = ["river", "city", "mountain", "paris", "rome", "run", "walk", "read"]
QUERIES = ["where lies paris", "who run near rome", "mountain"]
LEVELS, CODES, LIMIT = 4, 4, 2

Codes = dict[str, npt.NDArray[Any]]


def passages(count: int) -> list[Passage]:
    return [
        Passage(f"p{n}", NAMES[n // 8 % 8] if n % 3 else "", f"{NAMES[n % 8]} near {NAMES[n // 8 % 8]}")
        for n in range(count)
    ]


def alone(encoder: Any, texts: Sequence[str], **others: Any) -> npt.NDArray[np.float16]:
    """In place of `embed_texts`: every text by itself, so that its vector does not depend on the texts beside it."""
    rows = [encoder.embed([text])[0] for text in texts]
    return np.array(rows, np.float32).reshape(len(rows), encoder.dimension).astype(np.float16)


def docid_model(count: int = 24) -> GenerativeRetriever:
    """Residual codes that may be shared, and words; a decoder that is a linear index. Of `passages(count)`."""
    encoder, corpus = sentence_encoder(), passages(count)
    shape = {"decoder_layers": 1, "decoder_heads": 4, "decoder_ffn_dim": 64, "max_docid_tokens": 8}
    backbone = FrozenEncoderBackbone.build(encoder, d_model=48, tie_word_embeddings=False, **shape)
    vectors = alone(encoder, [passage.full_text for passage in corpus])
    strategy = Residual(levels=LEVELS, codes=CODES)
    unbound = strategy.assign(DocumentFields(count, embeddings=vectors))
    table = unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))
    teacher = DenseTeacher(
        ["passage"], vectors[:1].astype(np.float32), vectors.astype(np.float32), gold_share={}
    )
    start_from_codebooks(backbone, CodebookModel(teacher, DocidPaths(table)))
    store = PassageStore.build(corpus)
    words = choose_words(store, encoder.tokenizer, WordOptions(LIMIT))
    fitted = FittedStrategy(strategy, encoder.fingerprint)
    options = SearchOptions(50, "raw", mode="plan")
    return GenerativeRetriever(backbone, table, store, words=words, fitted=fitted, options=options)


class Rebuilt:
    """Builds the model of any passages anew, with the quantiser and the words' statistics of the first.

    Docids are what the quantiser gives: those of the first passages as they were at fit, those of others as later
    ones'. Everything else is made of the passages at hand.
    """

    def __init__(self, first: GenerativeRetriever) -> None:
        self.first = first
        self.at_fit = dict(zip(_texts(first.passages), self._first_codes(), strict=True))

    def _first_codes(self) -> list[npt.NDArray[Any]]:
        strings = self.first.table.docids(range(self.first.table.num_documents))
        return [np.array(string.split("-"), int) for string in strings]

    def of(self, corpus: Sequence[Passage], stayed: Callable[[Passage], bool]) -> GenerativeRetriever:
        first = self.first
        assert first.fitted is not None
        assert first.words is not None
        strategy: Any = first.fitted.strategy
        encoder: Any = first.backbone
        rows = []
        for passage in corpus:
            if stayed(passage):
                rows.append(self.at_fit[passage[:3]])
            else:
                rows.append(strategy.encode_later(alone(encoder.sentence_encoder, [passage.full_text]))[0])
        ids = first.table.arrays.new_token_ids
        sequences = [[int(ids[level * CODES + code]) for level, code in enumerate(row)] for row in rows]
        strings = ["-".join(map(str, row.tolist())) for row in rows]
        table = DocidTable.build(strings, sequences, first.table.new_tokens)
        table = DocidTable(table.arrays._replace(new_token_ids=ids), table._keys, table.new_tokens)
        tokens = passage_words(corpus, first.words.reader, first.words.title_weight)
        sets = WordSets.none(first.words.sets.statistics, limit=LIMIT).extended(tokens)
        words = Words(sets, first.words.tokenizer, first.words.title_weight, first.words.weight)
        return GenerativeRetriever(
            first.backbone, table, PassageStore.build(corpus), words=words, options=first.options
        )


def _texts(store: PassageStore) -> list[tuple[str, str, str]]:
    return [passage[:3] for passage in store]


def found(retriever: Any, queries: Sequence[str] = QUERIES, k: int = 50) -> list[list[tuple[str, float]]]:
    """Everything that is found for every query, and what it scores."""
    return [
        [(hit.passage_id, hit.score) for hit in hits] for hits in retriever.batch_search(list(queries), k)
    ]
