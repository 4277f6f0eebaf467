"""Model folders, as small as they can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import sample_kinds
import torch
from docid_samples import chosen_words, described, fields, held, spell
from sample_kinds import NEW_TOKENS, PASSAGES, QUERIES, SEQUENCES, STRINGS, strings_of, turned
from text_samples import byte_tokenizer, indexed, make_text_index
from transformers import T5Config, T5ForConditionalGeneration

from docid import DocidTable
from docid.strategies import DocumentFields, Residual, Strategy, Title, WordsAlone
from fm_index.weights import ScoringOptions
from genret.corpus import Passage, PassageStore
from genret.docids.fitted import FittedStrategy
from genret.importing import import_model
from genret.indexing import TextIndex
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.word_backbone import WordBackbone
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.ngrams import NgramOptions, NgramRetriever, View
from genret.retrieval.search_options import SearchOptions
from genret.words import WordOptions


def backbone() -> EncoderDecoderBackbone:
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 264}
    with torch.random.fork_rng():
        torch.manual_seed(1 if sample_kinds.variant == "good" else 2)
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


def make_ngrams_with_words(folder: Path) -> None:
    """Words beside n-grams."""
    make_ngrams(folder, WordOptions())


def make_ngrams(folder: Path, words: WordOptions | None = None) -> None:
    scratch = folder.with_name("scratch-index")
    make_text_index(scratch)
    scoring = ScoringOptions(lm_only=True)
    options = NgramOptions(views=VIEWS, num_beams=3, batch_size=2, scoring=scoring, words=words)
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
