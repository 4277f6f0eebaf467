"""Every kind of stored artefact, as small as it can be: how one is made, and what a reader gets out of it.

`KINDS` maps a name to a `Kind`. The golden files were written by `make`, the soak damages what it writes, and both
ask `answer`, which is JSON-able and depends on every part of the artefact.
"""

from __future__ import annotations

from docid_samples import (
    make_strategy,
    make_trie,
    make_word_values,
    make_words,
    strategy_answer,
    table,
    table_answer,
    trie_answer,
    word_values_answer,
    words_answer,
)
from model_samples import (
    imported_answer,
    make_changed_ngrams,
    make_changed_retriever,
    make_imported,
    make_ngrams,
    make_ngrams_with_words,
    make_retriever,
    make_retriever_with_words,
    make_words_alone,
    ngrams_answer,
    retriever_answer,
    words_retriever_answer,
)
from sample_kinds import DOCUMENTS, PASSAGES, Kind, turned
from text_samples import (
    embeddings,
    index_answer,
    make_metadata,
    make_shards,
    make_split,
    make_text_index,
    make_vectors,
    metadata_answer,
    passages_answer,
    shards_answer,
    split_answer,
    states,
    text_index_answer,
)
from training_samples import (
    batch_answer,
    checkpoint_answer,
    make_batch,
    make_checkpoint,
    make_packed,
    make_sample,
    make_text_job,
    packed_answer,
    sample_answer,
    text_job_answer,
)

from docid.strategies import STRATEGIES
from fm_index import FMIndex
from genret.corpus import PassageStore
from genret.vectors import read_vectors

KINDS: dict[str, Kind] = {
    "docid-trie": Kind(make_trie, trie_answer),
    "docid-table": Kind(lambda path: table().save(path), table_answer),
    "docid-words": Kind(make_words, words_answer),
    "word-values": Kind(make_word_values, word_values_answer),
    "docid-table-unbound": Kind(lambda path: table(bound=False).save(path), table_answer),
    **{
        f"strategy-{name}": Kind(lambda path, name=name: make_strategy(name, path), strategy_answer)  # type: ignore[misc]
        for name in STRATEGIES
    },
    "fm-index-fast": Kind(lambda path: FMIndex.from_documents(turned(DOCUMENTS)).save(path), index_answer),
    "fm-index-compact": Kind(
        lambda path: FMIndex.from_documents(turned(DOCUMENTS), profile="compact").save(path), index_answer
    ),
    "fm-index-shards": Kind(make_shards, shards_answer),
    "text-index": Kind(make_text_index, text_index_answer),
    "passages": Kind(lambda path: PassageStore.build(turned(PASSAGES)).save(path), passages_answer),
    "passages-metadata": Kind(make_metadata, metadata_answer),
    "passages-split": Kind(make_split, split_answer),
    "embeddings": Kind(embeddings, embeddings),
    "token-states": Kind(states, states),
    "vectors": Kind(make_vectors, lambda path: read_vectors(path).tolist()),
    "retriever": Kind(make_retriever, retriever_answer),
    "retriever-words": Kind(make_retriever_with_words, words_retriever_answer),
    "retriever-words-alone": Kind(make_words_alone, words_retriever_answer),
    "n-gram-retriever": Kind(make_ngrams, ngrams_answer),
    "n-gram-retriever-words": Kind(make_ngrams_with_words, ngrams_answer),
    "changed-retriever": Kind(make_changed_retriever, retriever_answer),
    "changed-n-gram-retriever": Kind(make_changed_ngrams, ngrams_answer),
    "imported-model": Kind(make_imported, imported_answer),
    "checkpoint": Kind(make_checkpoint, checkpoint_answer),
    "packed-examples": Kind(make_packed, packed_answer),
    "study-sample": Kind(make_sample, sample_answer),
    "batch-parts": Kind(make_batch, batch_answer),
    "text-job": Kind(make_text_job, text_job_answer),
}
