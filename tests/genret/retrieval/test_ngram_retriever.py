"""N-gram retrieval end to end: keys that occur, passages by hand, folders, the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from backbones import bart, llama
from floats import DOUBLE, FORWARD, LOGITS, assert_close
from tiny_ngrams import LM_ONLY, PASSAGES, PSEUDO, QUERIES, VIEWS, marked_t5, retriever, text_index
from typer.testing import CliRunner

from fm_index import FMIndex
from fm_index.scoring import score_passages
from genret.cli.app import app
from genret.constraint import FMIndexConstraint
from genret.decoding import Rescorer
from genret.errors import ArtefactError, InputError, UsageError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout, encode_field
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.matches import Match, Piece, pieces
from genret.retrieval.ngrams import NgramHit, NgramOptions, NgramRetriever, View
from genret.retrieval.ngrams.query_ngrams import query_ngrams


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> NgramRetriever:
    return retriever(tmp_path_factory.mktemp("ngrams") / "index")


def keys_by_view(made: NgramRetriever, query: str) -> dict[str, list[tuple[int, ...]]]:
    found = made.maker.keys([query])[0]
    views: dict[str, list[tuple[int, ...]]] = {name: [] for name in VIEWS}
    for place, name in enumerate(found.views):
        views[name].append(tuple(found.keys.ngram(place)))
    return views


def test_every_key_occurs_in_the_corpus(made: NgramRetriever) -> None:
    """The promise of a constrained search, over all views."""
    index = made.text_index.index
    for query in QUERIES:
        views = keys_by_view(made, query)
        assert all(views[name] for name in ("body", "query", "unigrams"))
        for ngrams in views.values():
            assert all(index.count(ngram) > 0 for ngram in ngrams)
            assert len(set(ngrams)) == len(ngrams)


def test_titles_are_whole_and_at_a_passages_start(made: NgramRetriever) -> None:
    """Pitfall 5: the title of the last passage as well."""
    tokenizer, layout = made.backbone.tokenizer, made.text_index.layout
    assert layout is not None
    wide = made.with_options(num_beams=50)
    titles = keys_by_view(wide, QUERIES[0])["title"]
    names = [passage.title for passage in PASSAGES if passage.title]
    written = {(*tokens, layout.separator) for tokens in encode_field(tokenizer, names)}
    # A passage without a title begins with its separator, which is no title.
    assert set(titles) == written


def test_marks_alone_are_no_key(made: NgramRetriever) -> None:
    """Whatever the view: an empty field would make the few passages that have one win any question."""
    layout = made.text_index.layout
    assert layout is not None
    marks = set(layout.values().values())
    found = made.with_options(num_beams=50, views={**VIEWS, "open": View(prefix="title", length=3)})
    for keys in found.maker.keys(QUERIES):
        assert all(set(map(int, keys.keys.ngram(place))) - marks for place in range(len(keys.views)))


def test_pseudo_queries_begin_behind_their_mark(made: NgramRetriever) -> None:
    """Pitfall 20: the forced prefix holds for the first step, and its probability is no part of the score."""
    tokenizer, layout = made.backbone.tokenizer, made.text_index.layout
    assert layout is not None
    wide = made.with_options(num_beams=50)
    found = keys_by_view(wide, QUERIES[0])["pseudo"]
    asked = [query for queries in PSEUDO for query in queries]
    assert set(found) == {
        (layout.query_mark, *tokens, layout.separator) for tokens in encode_field(tokenizer, asked)
    }
    keys = wide.maker.keys([QUERIES[0]])[0]
    place = keys.views.index("pseudo")
    rescorer = Rescorer(wide.backbone, wide.backbone.encode([QUERIES[0]]))
    ngram = keys.keys.ngram(place)
    whole, mark = rescorer.scores([[ngram, ngram[:1]]])[0]
    assert_close(keys.keys.log_probs[place], whole - mark, ulps=FORWARD, scale=LOGITS)
    assert keys.keys.bonuses[place] == 2.0


def test_query_ngrams_take_the_corpuss_casing(made: NgramRetriever) -> None:
    tokenizer = made.backbone.tokenizer
    found = query_ngrams("is FRANCE in rome? zzz", made.text_index.index, tokenizer, 2)
    written = {tokenizer.decode(ngram) for ngram in found}
    assert written == {" is", " France", " in", " Rome", " in rome"}


def test_unigrams_are_single_and_marked(made: NgramRetriever) -> None:
    found = made.maker.keys([QUERIES[0]])[0]
    chosen = [place for place, name in enumerate(found.views) if name == "unigrams"]
    assert len(chosen) == 20
    assert found.keys.unigrams[chosen].all()
    assert not found.keys.unigrams[[p for p in range(len(found.views)) if p not in chosen]].any()
    firsts = Rescorer(made.backbone, made.backbone.encode([QUERIES[0]])).first_tokens[0]
    assert_close(
        found.keys.log_probs[chosen],
        [float(firsts[found.keys.ngram(place)[0]]) for place in chosen],
        ulps=FORWARD,
        scale=LOGITS,
    )


def test_hits_are_the_scorers_passages_with_what_found_them(made: NgramRetriever) -> None:
    found = made.batch_search(QUERIES, k=3, with_text=True)
    keys = made.maker.keys(QUERIES)
    expected = score_passages(
        made.text_index.index, [one.keys for one in keys], made.options.scoring, num_return=3
    )
    for hits, scored in zip(found, expected, strict=True):
        assert [hit.passage_id for hit in hits] == [PASSAGES[row].passage_id for row in scored.passages]
        assert_close([hit.score for hit in hits], scored.scores.tolist(), relative=DOUBLE)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        for hit in hits:
            assert_close(sum(match.score for match in hit.matches), hit.score, relative=DOUBLE)
            check_spans(made, hit)


def check_spans(made: NgramRetriever, hit: NgramHit) -> None:
    row = made.passages.row(hit.passage_id)
    tokens = made.text_index.index.extract(row)
    for match in hit.matches:
        assert made.backbone.tokenizer.decode(tokens[match.start : match.end]) == match.text
    whole = "".join(piece.text for piece in made.pieces(hit))
    assert whole == made.backbone.tokenizer.decode(tokens)


def test_of_two_matches_on_one_token_the_better_one_has_it() -> None:
    strong, weak = Match("b c", "body", 1, 2.0, 1, 3), Match("c d", "body", 1, 1.0, 2, 4)
    expected = [Piece("a ", None), Piece("b c ", strong), Piece("d ", weak), Piece("e", None)]
    for matches in ([strong, weak], [weak, strong]):
        assert pieces(["a ", "b ", "c ", "d ", "e"], matches) == expected
    assert pieces([], []) == []


def test_a_constraint_and_beams_are_arguments(made: NgramRetriever) -> None:
    """N-grams of one passage alone under another index; a trace shows how a view's were written."""
    row = 1
    tokens = made.text_index.index.extract(row)
    one = FMIndexConstraint(FMIndex.from_documents([tokens]), made.backbone.eos_token_id, finishes=False)
    decoded = [name for name, view in made.options.views.items() if view.keys == "decoded"]
    found = made.maker.keys(QUERIES[:1], constraint=one)[0]
    of_views = [found.keys.ngram(place) for place, name in enumerate(found.views) if name in decoded]
    assert of_views
    assert all(FMIndex.from_documents([tokens]).count(ngram) for ngram in of_views)
    wide, narrow = (made.with_options(num_beams=beams).search(QUERIES[0]) for beams in (6, 2))
    assert made.search(QUERIES[0], num_beams=6) == wide
    assert made.search(QUERIES[0], num_beams=2) == narrow
    trace = made.trace(QUERIES[0], view="body")
    assert 0 < len(trace.steps) <= made.options.views["body"].length
    assert all(made.text_index.index.count(beam) for step in trace.steps for beam in step.beams if beam)
    with pytest.raises(UsageError, match="no decoded view is called 'unigrams'"):
        made.trace(QUERIES[0], view="unigrams")


def test_a_query_alone_and_in_a_batch_gives_the_same(made: NgramRetriever) -> None:
    """Pitfall 23."""
    together = made.batch_search(QUERIES, k=5)
    for query, hits in zip(QUERIES, together, strict=True):
        alone = made.search(query, k=5)
        assert [hit.passage_id for hit in alone] == [hit.passage_id for hit in hits]
        assert_close([hit.score for hit in alone], [hit.score for hit in hits], relative=1e-3)


def test_keys_without_a_view(made: NgramRetriever) -> None:
    every = made.with_options(num_beams=50).maker.keys(QUERIES[:1])[0]
    fewer = every.without(["query", "unigrams"])
    assert set(fewer.views) == set(VIEWS) - {"query", "unigrams"}
    kept = [place for place, name in enumerate(every.views) if name in fewer.views]
    assert [fewer.keys.ngram(i) for i in range(len(kept))] == [every.keys.ngram(i) for i in kept]
    np.testing.assert_array_equal(fewer.keys.at_start, every.keys.at_start[kept])


@pytest.mark.parametrize("make", [bart, llama], ids=lambda make: make.__name__)
def test_other_backbones_and_an_index_without_marks(make: object, tmp_path: Path) -> None:
    backbone = make()  # type: ignore[operator]
    store = text_index(tmp_path / "marked", marked_t5().tokenizer).passages
    build_text_index(store, backbone.tokenizer, tmp_path / "plain")
    plain = TextIndex.load(tmp_path / "plain")
    plain_views = {name: VIEWS[name] for name in ("body", "query", "unigrams")}
    made = NgramRetriever(backbone, plain, NgramOptions(plain_views, 2, scoring=LM_ONLY))
    assert all(made.batch_search(["the city of rome"], k=2))
    with pytest.raises(InputError, match="does not mark its fields"):
        NgramRetriever(backbone, plain, NgramOptions({"title": VIEWS["title"]}))


def test_refusals(made: NgramRetriever, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="query 1 is empty"):
        made.batch_search(["a", " "])
    with pytest.raises(UsageError, match="at least 1"):
        made.search("a", k=0)
    for wrong, message in (
        ({"source": "no place"}, "once"),
        ({"length": 0}, "length: expected at least 1"),
        ({"keys": "query", "prefix": "title"}, "decoded n-grams"),
    ):
        with pytest.raises(InputError, match=message):
            View(**wrong)
    with pytest.raises(InputError, match="views: expected at least one"):
        NgramOptions(views={})
    with pytest.raises(InputError, match="no two tokens"):
        Layout.of(bart().tokenizer)


@pytest.fixture(scope="module")
def folder(made: NgramRetriever, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("saved") / "model"
    made.save_pretrained(place)
    return place


def test_a_saved_folder_answers_alike(made: NgramRetriever, folder: Path) -> None:
    loaded = load_retriever(folder)
    assert isinstance(loaded, NgramRetriever)
    assert loaded.options == made.options
    assert loaded.search(QUERIES[0]) == made.search(QUERIES[0])


def test_one_loader_tells_the_kinds_apart(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> None:
    tiny_retriever.save_pretrained(tmp_path / "docids")
    assert isinstance(load_retriever(tmp_path / "docids"), GenerativeRetriever)
    with pytest.raises(InputError, match="no such folder"):
        load_retriever(tmp_path / "nothing")


def test_damage_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shard = next((copy / "text_index" / "index").glob("shard-*"))
    content = bytearray(shard.read_bytes())
    content[-40] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(ArtefactError, match="checksum differs"):
        load_retriever(copy)


def lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.strip())


def test_search_shows_matches_in_the_terminal_and_on_a_page(folder: Path, tmp_path: Path) -> None:
    run, page = CliRunner(), tmp_path / "page.html"
    result = run.invoke(
        app, ["search", str(folder), QUERIES[1], "-k", "2", "--matches", "--output", str(page)]
    )
    assert result.exit_code == 0, result.output
    assert sum("[" in line for line in lines(result.stdout)) == 2
    assert "x" in result.stdout
    html = page.read_text()
    assert html.count("<article>") == 2
    assert "<mark" in html
    plain = run.invoke(app, ["search", str(folder), QUERIES[1], "-k", "2"])
    assert len(list(lines(plain.stdout))) == 2
    found = run.invoke(app, ["search", str(folder), QUERIES[1], "--json", "-k", "1"])
    record = json.loads(found.stdout)
    assert {"text", "view", "occurrences", "score", "start", "end"} == set(record["matches"][0])


def test_search_refuses_what_a_model_cannot_show(
    folder: Path, tiny_retriever: GenerativeRetriever, tmp_path: Path
) -> None:
    run = CliRunner()
    tiny_retriever.save_pretrained(tmp_path / "docids")
    for given, message in (
        ([str(tmp_path / "docids"), "a", "--matches"], "no words that could be marked in a passage"),
        ([str(folder), "a", "--gold", "seine"], "no docids: --gold and --mode are for these"),
        ([str(folder), "--queries", "x", "--matches"], "of one question"),
    ):
        with pytest.raises(UsageError, match=message):
            run.invoke(app, ["search", *given], catch_exceptions=False)


def test_a_configuration_makes_a_retriever_and_shows_its_examples(tmp_path: Path) -> None:
    config = write_run(tmp_path)
    run = CliRunner()
    shown = run.invoke(app, ["data", "show", str(config), "-n", "2"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("->") == 4
    again = run.invoke(app, ["data", "show", str(config), "-n", "2"])
    assert again.stdout == shown.stdout
    result = run.invoke(app, ["train", str(config)])
    assert result.exit_code == 0, result.output
    made = load_retriever(tmp_path / "run" / "model")
    assert isinstance(made, NgramRetriever)
    assert made.options.scoring.lm_only
    assert len(made.search("which river", k=3)) == 3


def write_run(tmp_path: Path) -> Path:
    """A corpus, a model and a configuration that trains it for two steps."""
    marked_t5().save_pretrained(tmp_path / "t5")
    corpus = tmp_path / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    rows = [{"_id": p.passage_id, "title": p.title, "text": p.text} for p in PASSAGES]
    (corpus / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (corpus / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": QUERIES[0]}) + "\n")
    (corpus / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\tseine\t1\n")
    content = {
        "output": str(tmp_path / "run"),
        "data": {"corpus": str(corpus), "judgements": str(corpus / "qrels" / "train.tsv")},
        "model": {"kind": "encoder-decoder", "name": str(tmp_path / "t5")},
        "mixture": {"query_ngrams": 0.5, "span_ngrams": 0.5},
        "sources": {"query_ngrams": {"words": 3}},
        "training": {"max_steps": 2, "batch_size": 2},
        "retrieval": {"num_beams": 2, "scoring": {"lm_only": True}, "views": {"body": {"length": 3}}},
    }
    config = tmp_path / "ngrams.yaml"
    config.write_text(yaml.safe_dump(content))
    return config


def test_n_grams_are_trained_as_docids_are(tmp_path: Path) -> None:
    """A loss and a mixing of their own, evaluation by retrieval, the best checkpoint as the model, the last beside."""
    config, corpus = write_run(tmp_path), tmp_path / "corpus"
    with (corpus / "queries.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "t", "text": "where are mountains"}) + "\n")
    (corpus / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nt\talps\t1\n")
    given = [
        f"data.evaluation={corpus / 'qrels' / 'dev.tsv'}",
        "loss={kind: consistency, consistency: 2.0}",
        "mixing.temperature=2.0",
        "training={max_steps: 3, batch_size: 2, eval_steps: 1, learning_rate: 1.0e-12}",
    ]
    result = CliRunner().invoke(app, ["train", str(config), *given])
    assert result.exit_code == 0, result.output
    run = tmp_path / "run"
    log = [json.loads(line) for line in (run / "training" / "metrics.jsonl").open()]
    measured = [line for line in log if line["kind"] == "evaluation"]
    assert [line["step"] for line in measured] == [1, 2, 3]
    made = load_retriever(run / "model")
    (hits,) = made.batch_search(["where are mountains"], k=10)
    ranked = [hit.passage_id for hit in hits]
    assert measured[0]["hit@10"] == float("alps" in ranked)
    assert measured[0]["hit@1"] == float(ranked[:1] == ["alps"])
    # No evaluation was better than the first, whose checkpoint is the model; the last is another.
    assert (run / "training" / "checkpoints" / "step-00000001").is_dir()
    assert isinstance(load_retriever(run / "model-last"), NgramRetriever)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.kind=margin", "loss.kind: margin is of docids"),
        ("data.packed=x", "data.packed: packed examples"),
    ],
)
def test_what_needs_docids_is_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(app, ["train", str(write_run(tmp_path)), override], catch_exceptions=False)


def test_a_wrong_constant_is_named(tmp_path: Path) -> None:
    config = write_run(tmp_path)
    with pytest.raises(InputError, match=r"retrieval\.scoring: beta: expected 0 to 1"):
        CliRunner().invoke(app, ["train", str(config), "retrieval.scoring.beta=2"], catch_exceptions=False)
