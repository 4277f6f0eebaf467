"""An n-gram retriever on BoolQ's dev questions, with and without keys from the question's own words, beside BM25.

    scripts/ngrams_boolq.py MODEL BOOLQ_FOLDER OUTPUT [--ids FILE] [--split dev]

Keys are kept in OUTPUT/keys.jsonl as they are made, so that a killed run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from fm_index.keys import Keys
from genret.corpus import Query, read_judgements, read_queries, write_run
from genret.corpus.types import Run
from genret.evaluation import bm25_run, evaluate, result_table
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramRetriever
from genret.retrieval.ngrams.evidence import ASKED
from genret.retrieval.ngrams.key_maker import QueryKeys

METRICS = ("hit@1", "hit@10", "MRR@10")
COLUMNS = ("log_probs", "multipliers", "bonuses", "at_start", "unigrams")
VARIANTS = {
    "all keys": (),
    "without the question's words": ("query", ASKED),
    "the question's words alone": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--ids", type=Path, help="query ids, one a line; all of the split when not given")
    parser.add_argument("--split", default="dev")
    given = parser.parse_args()
    retriever = load_retriever(given.model)
    assert isinstance(retriever, NgramRetriever), f"{given.model} emits no n-grams"
    judged = read_judgements(given.corpus, given.split)
    ids = given.ids.read_text().split() if given.ids else list(judged)
    texts = {query.query_id: query.text for query in read_queries(given.corpus)}
    given.output.mkdir(parents=True, exist_ok=True)
    keys = make_keys(retriever, {query_id: texts[query_id] for query_id in ids}, given.output / "keys.jsonl")
    runs = {name: scored(retriever, keys, dropped) for name, dropped in VARIANTS.items()}
    runs["BM25"] = bm25_run(retriever.passages, [Query(query_id, texts[query_id]) for query_id in ids], 10)
    rows = {}
    for name, run in runs.items():
        write_run(given.output / f"{name.replace(' ', '_')}.trec", run)
        rows[name] = evaluate(run, {query_id: judged[query_id] for query_id in ids}, METRICS)
    print(result_table(rows).markdown())


def make_keys(retriever: NgramRetriever, queries: dict[str, str], path: Path) -> dict[str, QueryKeys]:
    """The keys of all queries, those in `path` as they are there, the others added to it."""
    found = {}
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if line.endswith("\n")))
        found = {line["query_id"]: unpacked(line) for line in map(json.loads, path.read_text().splitlines())}
    left = [query_id for query_id in queries if query_id not in found]
    size = retriever.options.batch_size
    with path.open("a") as file:
        for begin in range(0, len(left), size):
            batch, started = left[begin : begin + size], time.process_time()
            made = retriever.maker.keys([queries[query_id] for query_id in batch])
            seconds = (time.process_time() - started) / len(batch)
            for query_id, one in zip(batch, made, strict=True):
                file.write(json.dumps(packed(query_id, one, seconds)) + "\n")
                found[query_id] = one
            file.flush()
            print(f"{len(found)} of {len(queries)}, {seconds:.2f} s of CPU time a query", flush=True)
    return {query_id: found[query_id] for query_id in queries}


def packed(query_id: str, one: QueryKeys, seconds: float) -> dict:
    columns = {name: getattr(one.keys, name).tolist() for name in COLUMNS}
    ngrams = [one.keys.ngram(place) for place in range(len(one.views))]
    told = {"query_id": query_id, "seconds": seconds, "query": one.query}
    return {**told, "views": one.views, "ngrams": ngrams, **columns}


def unpacked(line: dict) -> QueryKeys:
    columns = {name: line[name] for name in COLUMNS}
    return QueryKeys(Keys.from_ngrams(line["ngrams"], **columns), line["views"], line["query"])


def scored(retriever: NgramRetriever, keys: dict[str, QueryKeys], dropped: tuple[str, ...] | None) -> Run:
    """The run of the keys without those of the views `dropped`; None drops all but the question's words."""
    views = retriever.options.views
    left_out = [name for name, view in views.items() if view.keys != "query"] if dropped is None else dropped
    chosen = [one.without(left_out) for one in keys.values()]
    # Some at a time: words score all passages for each.
    found = [
        one for begin in range(0, len(chosen), 64) for one in retriever.score(chosen[begin : begin + 64], 10)
    ]
    names = retriever.passages.passage_ids
    return {
        query_id: [
            (names[int(row)], float(score)) for row, score in zip(one.passages, one.scores, strict=True)
        ]
        for query_id, one in zip(keys, found, strict=True)
    }


if __name__ == "__main__":
    main()
