"""Every kind of stored artefact, as small as it can be: how one is made, and what a reader gets out of it.

`KINDS` maps a name to a `Kind`. The golden files were written by `make`, the soak damages what it writes, and both
ask `answer`, which is JSON-able and depends on every part of the artefact.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from docid import DocidTable, DocidTrie
from docid.ragged import as_ragged
from docid.strategies import STRATEGIES, DocumentFields, Residual, Strategy, Title, WordsAlone, load_strategy
from docid.strategies.rqvae import RqVae
from docid.words import WordSets
from fm_index import FMIndex, ShardedFMIndex
from fm_index.weights import ScoringOptions
from genret.batch import BatchOptions, Output, batch_run, make_plan
from genret.corpus import (
    MetadataValue,
    Passage,
    PassageStore,
    Question,
    read_judgements,
    read_passages,
    read_queries,
)
from genret.docids.fitted import FittedStrategy
from genret.importing import import_model
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.jobs.job import Here
from genret.jobs.shards import Shard
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.word_backbone import WordBackbone
from genret.queries.parts import Sources, TextJob
from genret.queries.sampler import Sampling
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.ngrams import NgramOptions, NgramRetriever, View
from genret.retrieval.search_options import SearchOptions
from genret.study import Collection, Size, Study
from genret.study.samples import Union, ensure_sample, sample_paths
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.examples.packed import PackedExamples
from genret.training.examples.preparation import prepare_examples
from genret.training.linear_index.state_cache import StateCache
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import TrainingOptions
from genret.vectors import embed_texts, read_vectors, write_vectors
from genret.words import WordOptions, Words, choose_words

DOCUMENTS = [[3, 1, 2, 1], [], [1, 2, 1, 2, 1, 2, 4], [5] * 9, [1, 2], [4, 4, 1], [2]]
PASSAGES = [
    Passage("seine", "Seine", "The Seine is a river in France."),
    Passage("röme", "Rome", "The city of Rome lies on a river."),
    Passage("alps", "", "The Alps are mountains; Mont Blanc is in France."),
    Passage("last", "Zebra", "A zebra has stripes."),
]
QUERIES = ["which river lies in france", "stripes of the zebra"]
STRINGS = ["0-1", "0-2", "1-1", "0-1"]
SEQUENCES = [[-1, -3], [-1, -4], [-2, -3], [-1, -3]]
NEW_TOKENS = ["<a_0>", "<a_1>", "<b_1>", "<b_2>"]
TEXTS = ["bb", "a", "dddd", "ccc", "a"]


def strings_of(passages: Iterable[Passage]) -> list[list[str]]:
    """As the first version kept them."""
    return [list(one[:3]) for one in passages]


# Which of two builds of the same kind and sizes the makers write: "good", or "other", of other content.
variant = "good"


def turned(rows: Sequence[Any]) -> list[Any]:
    """The rows; those of the other build are in another order."""
    return list(rows) if variant == "good" else [*rows[1:], rows[0]]


class Kind(NamedTuple):
    """How an artefact is written at a path (a file or a folder), and what is read from there."""

    make: Callable[[Path], object]
    answer: Callable[[Path], object]


# ---- docids -----------------------------------------------------------------------------------------------


def table(bound: bool = True) -> DocidTable:
    unbound = DocidTable.build(turned(STRINGS), turned(SEQUENCES), NEW_TOKENS).without([2])
    return unbound.bind([259, 260, 261, 262]) if bound else unbound


def table_answer(path: Path) -> object:
    return described(DocidTable.load(path))


def described(found: DocidTable) -> object:
    rows = range(found.num_documents)
    return {
        "docids": found.docids(rows),
        "sequences": [found.sequence(row).tolist() for row in rows],
        "documents": [found.documents(docid).tolist() for docid in sorted({*found.docids(rows), "none"})],
        "tokens": [found.new_tokens, found.arrays.new_token_ids.tolist(), found.arrays.removed.tolist()],
    }


def make_trie(path: Path) -> None:
    sequences = [[5, 6, 7], [5, 6], [5, 8, 9, 9], [4], [5, 6, 7], [6, 6, 6, 6], [5, 8, 9, 3]]
    DocidTrie.build(turned(sequences), 1).save(path)


def trie_answer(path: Path) -> object:
    trie = DocidTrie.load(path, verify="full")
    found, stack = [], [list[int]()]
    while stack:
        prefix = stack.pop()
        found.append([prefix, trie.documents_below(prefix).tolist(), trie.documents(prefix)])
        stack += [[*prefix, token] for token in trie.allowed(prefix)]
    return [found, trie.eos]


def make_words(path: Path) -> None:
    tokens, vocabulary = as_ragged(turned(DOCUMENTS)), max(map(max, filter(None, DOCUMENTS))) + 1
    words = WordSets.choose(tokens, vocabulary, limit=2)
    words = words.extended(as_ragged([[4, 1], [3]])).without(np.array([2]))
    replace(words, vocabulary="numbers", title_weight=2).save(path)


def words_answer(path: Path) -> object:
    words = WordSets.load(path)
    statistics = words.statistics
    chosen_with = [words.vocabulary, words.title_weight]
    return {
        "sets": held(words),
        "statistics": [statistics.frequencies.tolist(), statistics.documents, statistics.mean_length],
        "later": words.extended(as_ragged([[1, 2, 3, 4, 4]])).sets().values.tolist(),
        # What the first version did not say.
        **({"chosen with": chosen_with} if any(one is not None for one in chosen_with) else {}),
    }


def held(words: WordSets) -> object:
    sets = words.sets()
    return [sets.values.tolist(), sets.offsets.tolist(), words.limit]


def chosen_words(tokenizer: Any) -> Words:
    """Words of the passages, and what each is worth, as if it had been learned."""
    words = choose_words(turned(PASSAGES), tokenizer, WordOptions(6, 2))
    factors = np.linspace(0.5, 1.5, len(tokenizer), dtype=np.float32)
    return replace(words, weight=0.25 if variant == "good" else 0.5, factors=factors)


def make_word_values(folder: Path) -> None:
    folder.mkdir()
    chosen_words(byte_tokenizer()).save(folder)


def word_values_answer(folder: Path) -> object:
    words = Words.load(folder, byte_tokenizer())
    weighted = words.weighted(QUERIES)
    worth = [weighted.tokens.tolist(), [round(value, 3) for value in weighted.weights.tolist()]]
    return [held(words.sets), words.title_weight, words.weight, worth]


def fields(count: int) -> DocumentFields:
    words = ["river", "city", "mountain", "paris", "rome", "walk"]
    texts = [f"{words[n % 6]} {words[n % 5]} {words[n % 4]}" for n in range(count)]
    vectors = np.random.default_rng(3 if variant == "good" else 4).normal(size=(count, 4)).astype(np.float32)
    return DocumentFields(count, texts, texts, [f"https://a.org/{text}" for text in texts], vectors)


def spell(texts: list[str]) -> list[list[int]]:
    return [list(text.encode()) for text in texts]


OPTIONS: dict[str, dict[str, Any]] = {
    "semantic": {"branching": 2, "leaf_size": 3},
    "residual": {"levels": 2, "codes": 4, "collisions": "ordinal", "balanced": True},
    "product": {"levels": 2, "codes": 4, "collisions": "next"},
    "rqvae": {"levels": 2, "codes": 4},
}


def make_strategy(name: str, path: Path) -> None:
    strategy = STRATEGIES[name](**OPTIONS.get(name, {}))
    if isinstance(strategy, RqVae):
        rng = np.random.default_rng(4 if variant == "good" else 5)
        layers = [
            (rng.normal(size=(3, 4)), rng.normal(size=3)),
            (rng.normal(size=(2, 3)), rng.normal(size=2)),
        ]
        single = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers]
        strategy.take(single, rng.normal(size=(2, 4, 2)).astype(np.float32))
    else:
        strategy.fit(fields(12))
    strategy.save(path)


def strategy_answer(path: Path) -> object:
    strategy = load_strategy(path)
    if strategy.index == "fm-index":
        return strategy.name
    return [strategy.name, described(strategy.assign(fields(14), spell))]


# ---- full-text indexes ------------------------------------------------------------------------------------


MOST_TOKENS = 1000


def index_answer(path: Path) -> object:
    return queried(FMIndex.load(path, verify="full"))


def queried(index: FMIndex) -> object:
    rows = np.arange(index.num_rows)
    lo = np.concatenate([rows, rows])
    hi = np.concatenate([rows + 1, np.minimum(rows + 7, index.num_rows)])
    answers = [
        index.successors(lo, hi),
        index.documents(lo, hi),
        index.extract_many(range(index.num_documents)),
    ]
    # A vocabulary of two thousand million is one too, where nothing but its size was changed.
    tokens = range(min(index.vocab_size, MOST_TOKENS))
    answers += [index.step(lo, hi, np.full(len(lo), token)) for token in tokens]
    parts = [[part.tolist() for part in answer] for answer in answers]
    unasked = [index.vocab_size] if index.vocab_size > MOST_TOKENS else []
    return [*parts, index.locate(rows).tolist(), *unasked]


def make_shards(folder: Path) -> None:
    index = ShardedFMIndex([FMIndex.from_documents(turned(DOCUMENTS)[:3], vocab_size=6)])
    index.add(DOCUMENTS[3:5])
    index.add(DOCUMENTS[5:])
    index.remove([4])
    index.save(folder)


def shards_answer(folder: Path) -> object:
    index = ShardedFMIndex.load(folder, verify="full")
    documents = [index.extract(number).tolist() for number in range(index.num_documents)]
    counts = [index.document_frequency([token]) for token in range(index.vocab_size)]
    return [documents, counts, index.removed.tolist(), [queried(shard) for shard in index.shards]]


def byte_tokenizer() -> Any:
    tokenizer = ByT5Tokenizer(extra_ids=0)
    tokenizer.add_tokens(["<query>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<query>"]})
    return tokenizer


def make_text_index(folder: Path) -> None:
    tokenizer = byte_tokenizer()
    pseudo = [["what river"], [], ["how high"], []]
    store, layout = PassageStore.build(turned(PASSAGES)), Layout.of(tokenizer)
    build_text_index(store, tokenizer, folder, layout=layout, pseudo_queries=pseudo, shard_tokens=60)


def text_index_answer(folder: Path) -> object:
    return indexed(TextIndex.load(folder, verify=True))


def indexed(found: TextIndex) -> object:
    index = found.index
    texts = [index.extract(number).tolist() for number in range(index.num_documents)]
    shards = index.shards if isinstance(index, ShardedFMIndex) else [index]
    steps = [shard.successors([0], [shard.num_rows])[2].tolist() for shard in shards]
    layout = None if found.layout is None else found.layout.values()
    return [texts, steps, strings_of(found.passages), found.title_lengths.tolist(), layout]


# ---- corpora, vectors, caches -----------------------------------------------------------------------------


def passages_answer(path: Path) -> object:
    store = PassageStore.load(path)
    rows = [store.row(one.passage_id) for one in PASSAGES if one.passage_id in store]
    return [strings_of(store), rows]


def make_metadata(path: Path) -> None:
    """A column of every type, fields that are absent, and one that some other build has otherwise."""
    fields: list[dict[str, MetadataValue]] = [
        {"lang": "fr", "year": 2020, "rank": 1, "open": True, "no.te": variant},
        {},
        {"lang": "", "year": -5, "rank": 0.5},
        {"lang": "fr", "open": False},
    ]
    rows = [one._replace(metadata=own) for one, own in zip(PASSAGES, fields, strict=True)]
    PassageStore.build(turned(rows)).save(path)


def metadata_answer(path: Path) -> object:
    store = PassageStore.load(path)
    types = {name: column.type for name, column in store.columns().items()}
    return [passages_answer(path), [store.metadata(row) for row in range(len(store))], types]


class Letters:
    """An encoder of letters: the same vectors and states whenever they are asked for."""

    dimension, fingerprint = 2, "letters"

    def token_counts(self, texts: Sequence[str], max_length: int) -> list[int]:
        return [len(text[:max_length]) for text in texts]

    def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> Any:
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)

    def states(self, texts: Sequence[str], max_length: int) -> Any:
        width = max(len(text[:max_length]) for text in texts)
        states, mask = torch.zeros(len(texts), width, 2), torch.zeros(len(texts), width, dtype=torch.bool)
        for row, text in enumerate(texts):
            for place, letter in enumerate(text[:max_length]):
                states[row, place], mask[row, place] = torch.tensor([float(ord(letter)), place]), True
        return states, mask, states.sum(1)


def embeddings(folder: Path) -> object:
    return embed_texts(Letters(), TEXTS, cache=folder).tolist()


def states(folder: Path) -> object:
    cache = StateCache.build(folder, Letters(), TEXTS, max_length=6, keep=3)
    return [part.tolist() for part in cache.batch(sorted(set(TEXTS)))]


def make_vectors(path: Path) -> None:
    write_vectors(path, np.array(turned(range(24)), np.float32).reshape(6, 4))


# ---- models -----------------------------------------------------------------------------------------------


def backbone() -> EncoderDecoderBackbone:
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 264}
    with torch.random.fork_rng():
        torch.manual_seed(1 if variant == "good" else 2)
        model = T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0)).eval()
    return EncoderDecoderBackbone(model, byte_tokenizer())


def make_retriever(folder: Path) -> None:
    model = backbone()
    bound = DocidTable.build(turned(STRINGS), turned(SEQUENCES), NEW_TOKENS).bind(
        model.extend_vocabulary(NEW_TOKENS)
    )
    GenerativeRetriever(model, bound, PassageStore.build(turned(PASSAGES))).save_pretrained(folder)


LATER = [
    Passage("loire", "Loire", "The longest river of France.", {"year": 2024}),
    Passage("n", "", "a walk"),
]


def make_changed_retriever(folder: Path) -> None:
    """A second generation: some files are of the first."""
    model, title, store = backbone(), Title(), PassageStore.build(turned(PASSAGES))
    docids = title.assign(DocumentFields(4, titles=store.titles), spell)
    first = GenerativeRetriever(model, docids, store, fitted=FittedStrategy(title))
    first.save_pretrained(folder)
    changed = GenerativeRetriever.from_pretrained(folder, device="cpu").add(LATER).remove(["alps"])
    changed.publish()


def make_changed_ngrams(folder: Path) -> None:
    make_ngrams(folder)
    NgramRetriever.from_pretrained(folder, device="cpu").add(LATER).publish()


def retriever_answer(folder: Path) -> object:
    found = GenerativeRetriever.from_pretrained(folder, device="cpu")
    hits = found.batch_search(QUERIES, 4, with_text=True)
    ranked = [[[hit.passage_id, hit.docid, hit.text] for hit in one] for one in hits]
    return [ranked, described(found.table), strings_of(found.passages), found.options.num_beams]


def make_retriever_with_words(folder: Path) -> None:
    """Words beside codes, and the strategy that gave them."""
    strategy = Residual(levels=2, codes=4)
    save_with_words(folder, backbone(), strategy, SearchOptions(num_beams=3, mode="plan"))


def make_words_alone(folder: Path) -> None:
    save_with_words(folder, WordBackbone(byte_tokenizer()), WordsAlone(6, 2))


def save_with_words(
    folder: Path, model: Backbone, strategy: Strategy, options: SearchOptions | None = None
) -> None:
    unbound = strategy.assign(fields(len(PASSAGES)))
    bound = unbound.bind(model.extend_vocabulary(unbound.new_tokens))
    parts = {"words": chosen_words(model.source_tokenizer), "fitted": FittedStrategy(strategy)}
    passages = PassageStore.build(turned(PASSAGES))
    GenerativeRetriever(model, bound, passages, options=options, **parts).save_pretrained(folder)  # type: ignore[arg-type]


def words_retriever_answer(folder: Path) -> object:
    """What is in the folder, whatever words weigh beside codes and however both rank."""
    found = GenerativeRetriever.from_pretrained(folder, device="cpu")
    hits = [sorted(one, key=lambda hit: hit.passage_id) for one in found.batch_search(QUERIES, len(PASSAGES))]
    codes = [[round(hit.code_score, 3) for hit in one] for one in hits]
    shared = [[[hit.passage_id, sorted(word.text for word in hit.words)] for hit in one] for one in hits]
    sets = None if found.words is None else held(found.words.sets)
    return [shared, codes, found.options.mode, sets, described(found.table), strings_of(found.passages)]


VIEWS = {"body": View(length=5), "unigrams": View(keys="unigrams", count=20)}


def make_ngrams(folder: Path) -> None:
    scratch = folder.with_name("scratch-index")
    make_text_index(scratch)
    options = NgramOptions(views=VIEWS, num_beams=3, batch_size=2, scoring=ScoringOptions(lm_only=True))
    NgramRetriever(backbone(), TextIndex.load(scratch), options).save_pretrained(folder)
    shutil.rmtree(scratch)


def ngrams_answer(folder: Path) -> object:
    found = NgramRetriever.from_pretrained(folder, device="cpu")
    ranked = [[hit.passage_id for hit in hits] for hits in found.batch_search(QUERIES, 4)]
    return [ranked, indexed(found.text_index), sorted(found.options.views), found.options.num_beams]


def make_imported(folder: Path) -> None:
    staged = folder.with_name("scratch-model")
    backbone().save_pretrained(staged)
    import_model(staged, folder)
    shutil.rmtree(staged)


def imported_answer(folder: Path) -> object:
    found = load_backbone(folder)
    with torch.inference_mode():
        logits = found.target_logits(found.encode(["a river"]), torch.tensor([[70, 71, 1]]))
    return [logits.argmax(-1).tolist(), [round(value, 3) for value in logits[0, :, 70].tolist()]]


# ---- training ---------------------------------------------------------------------------------------------


def trainer(folder: Path) -> Trainer:
    options = TrainingOptions(max_steps=4, batch_size=4, save_steps=2, learning_rate=1e-2)
    model = backbone()
    torch.manual_seed(3)  # dropout: a run that begins anew is the same run
    sources = {"index": [Example(f"text {n}", (70 + n, 1), "index", 1.0, n) for n in range(8)]}
    feed = ExampleFeed(sources, {"index": 1.0}, options, pad_token_id=0)
    return Trainer(
        TorchEngine(TrainingModule(model, CrossEntropy()), options.optimizer), feed, options, folder=folder
    )


def make_checkpoint(folder: Path) -> None:
    trainer(folder).train({"kind": "provenance"})


def checkpoint_answer(folder: Path) -> object:
    """Resumed at its end: every parameter, the optimizer's state, and how far the run is."""
    run = trainer(folder)
    result = run.train({"kind": "provenance"}, resume=True)
    state = torch.cat([parameter.detach().reshape(-1) for parameter in run.engine.module.parameters()])
    return [result.steps, [round(value, 3) for value in state[::37].tolist()]]


def make_packed(folder: Path) -> None:
    rng = np.random.default_rng(2 if variant == "good" else 3)
    sources = {
        name: [
            Example("x" * int(rng.integers(1, 9)), (7, row, 1), name, 1.0, row % 4 - 1)
            for row in range(count)
        ]
        for name, count in (("titles", 5), ("questions", 7))
    }
    prepare_examples(sources, spell, table(), folder, {"tokenizer": "x"}, shard_examples=3)


def packed_answer(folder: Path) -> object:
    packed = PackedExamples.load(folder)
    found = [
        [part.tolist() if isinstance(part, np.ndarray) else part for part in packed.example(name, row)]
        for name, size in packed.sizes.items()
        for row in range(size)
    ]
    return [found, described(packed.table), packed.meta["tokenizer"]]


def study(folder: Path) -> Study:
    names = {"corpus": "corpus", "judgements": "corpus/train.tsv", "evaluation": "corpus/dev.tsv"}
    collection = Collection(**names, vectors="corpus/vectors.npy")
    return Study(str(folder), "recipe.yaml", collection, {"small": Size(4)}, {"labelled": {}})


class Everything(Union):
    """A collection in memory, so that a sample can be written anywhere."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, 0)
        self.own = PASSAGES  # type: ignore[misc]
        self.queries = {"q1": QUERIES[0], "q2": QUERIES[1]}  # type: ignore[misc]
        self.train = {"q1": {"seine": 1}}  # type: ignore[misc]
        self.evaluation = {"q2": {"last": 1}}  # type: ignore[misc]

    def vectors(self, rows: Any) -> Any:
        return np.arange(16, dtype=np.float32).reshape(4, 4)[rows]


def make_sample(folder: Path) -> None:
    ensure_sample(study(folder), "small", Everything(study(folder).collection))


def sample_answer(folder: Path) -> object:
    settings = study(folder)
    paths = ensure_sample(settings, "small", Everything(settings.collection))
    assert paths == sample_paths(settings, "small")
    judged = [read_judgements(path) for path in (paths.train, paths.evaluation)]
    rows = strings_of(read_passages(paths.folder))
    asked = [list(query) for query in read_queries(paths.folder)]
    return [rows, asked, judged, read_vectors(paths.vectors).tolist(), paths.num_passages()]


# ---- jobs -------------------------------------------------------------------------------------------------


class Echo:
    """Finds the query's own words."""

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Any = None,
        where: str | None = None,
    ) -> Any:
        for query in queries:
            yield [_EchoHit(word, 1.0 / (place + 1), "d") for place, word in enumerate(query.split()[:k])]


class _EchoHit(NamedTuple):
    passage_id: str
    score: float
    docid: str


def _batch(folder: Path, shard: Shard) -> Output:
    output = Output(folder / "found")
    asked = [Question(f"q{n}", f"{QUERIES[n % 2]} {n}", ["a"] * (n % 2)) for n in range(5)]
    plan = make_plan(asked, BatchOptions(k=3, chunk=2), "model")

    def no_passages() -> PassageStore:
        raise AssertionError("nothing asked for texts")

    batch_run(Echo, lambda: asked, no_passages, output, plan, Here(shard), resume=True)  # type: ignore[arg-type]
    return output


def make_batch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _batch(folder, Shard(0, 2))


def batch_answer(folder: Path) -> object:
    """The other shard's work, the merged output, and its plan."""
    if not (folder / "found").exists():
        output = _batch(folder, Shard(1, 2))
        if output.parts.exists():
            output.finish(lambda: PassageStore.build([]))
    lines = (folder / "found").read_text(encoding="utf-8").splitlines()
    return list(map(json.loads, lines))


class _Job(TextJob):
    id_field, doing, unit = "passage_id", "writing", "passages"


def _text_job(folder: Path) -> _Job:
    plan = {"model": "none"}
    sources = Sources(["a", "b", "c"], ["x", "y", "z"])
    return _Job(folder, lambda: sources, plan, sampling=Sampling(), part_size=2, seed=1)


def make_text_job(folder: Path) -> None:
    job = _text_job(folder)
    for part in job.missing:
        texts = [{"passage_id": job.ids[row], "text": f"query {row}"} for row in job.ledger.parts.rows(part)]
        job.ledger.write(part, "".join(json.dumps(one) + "\n" for one in texts).encode())


def text_job_answer(folder: Path) -> object:
    return list(map(list, _text_job(folder).texts()))


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
    "embeddings": Kind(embeddings, embeddings),
    "token-states": Kind(states, states),
    "vectors": Kind(make_vectors, lambda path: read_vectors(path).tolist()),
    "retriever": Kind(make_retriever, retriever_answer),
    "retriever-words": Kind(make_retriever_with_words, words_retriever_answer),
    "retriever-words-alone": Kind(make_words_alone, words_retriever_answer),
    "n-gram-retriever": Kind(make_ngrams, ngrams_answer),
    "changed-retriever": Kind(make_changed_retriever, retriever_answer),
    "changed-n-gram-retriever": Kind(make_changed_ngrams, ngrams_answer),
    "imported-model": Kind(make_imported, imported_answer),
    "checkpoint": Kind(make_checkpoint, checkpoint_answer),
    "packed-examples": Kind(make_packed, packed_answer),
    "study-sample": Kind(make_sample, sample_answer),
    "batch-parts": Kind(make_batch, batch_answer),
    "text-job": Kind(make_text_job, text_job_answer),
}
