"""What planning ahead is worth: a model's search with few and many beams, planned or not, by the plan alone, by both.

    python scripts/plan_ahead.py MODEL FOLDER [--split dev] [--beams 10 100] [--queries N]

MODEL is a model folder, FOLDER the BEIR folder of its corpus. Times are of the processor, a question; "encoding" is
what all ways have in common.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from genret.corpus import read_judgements, read_queries
from genret.evaluation import Evaluation, evaluate, result_table
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import search_run


def main() -> None:
    arguments = _arguments()
    judged = read_judgements(arguments.folder / "qrels" / f"{arguments.split}.tsv")
    queries = [query for query in read_queries(arguments.folder) if query.query_id in judged]
    queries = queries[: arguments.queries]
    judged = {query.query_id: judged[query.query_id] for query in queries}
    retriever = GenerativeRetriever.from_pretrained(arguments.model)
    texts, size = [query.text for query in queries], retriever.options.batch_size
    begin = time.process_time()
    for first in range(0, len(texts), size):
        retriever.backbone.encode(texts[first : first + size])
    print(f"encoding: {(time.process_time() - begin) / len(queries) * 1000:.1f} ms")
    ways = {"plan": {"mode": "plan"}, "both": {"mode": "both", "num_beams": 10, "plan_ahead": True}}
    for beams in arguments.beams:
        ways[f"{beams} beams"] = {"mode": "beam", "num_beams": beams, "plan_ahead": False}
        ways[f"{beams} beams, planned"] = {"mode": "beam", "num_beams": beams, "plan_ahead": True}
    rows: dict[str, Evaluation] = {}
    for name, options in ways.items():
        searcher = retriever.with_options(**options)
        search_run(searcher, queries[:1])  # what is made once is no part of a question
        begin = time.process_time()
        run = search_run(searcher, queries)
        milliseconds = (time.process_time() - begin) / len(queries) * 1000
        rows[f"{name}, {milliseconds:.1f} ms"] = evaluate(run, judged)
        print(result_table(rows).markdown(), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--queries", type=int, default=None)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 100])
    return parser.parse_args()


if __name__ == "__main__":
    main()
