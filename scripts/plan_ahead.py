"""What planning ahead is worth: a trained model's search with few and many beams, with the plan and without.

    python scripts/plan_ahead.py MODEL FOLDER [--split dev] [--beams 10 100]

MODEL is a model folder, FOLDER the BEIR folder of its corpus.
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
    retriever = GenerativeRetriever.from_pretrained(arguments.model)
    rows: dict[str, Evaluation] = {}
    for beams in arguments.beams:
        for plan_ahead in (False, True):
            searcher = retriever.with_options(num_beams=beams, plan_ahead=plan_ahead)
            begin = time.process_time()
            run = search_run(searcher, queries)
            milliseconds = (time.process_time() - begin) / len(queries) * 1000
            name = f"{beams} beams{', planned' if plan_ahead else ''}, {milliseconds:.1f} ms"
            rows[name] = evaluate(run, judged)
            print(result_table(rows).markdown(), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 100])
    return parser.parse_args()


if __name__ == "__main__":
    main()
