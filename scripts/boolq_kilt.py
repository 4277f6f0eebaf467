"""BoolQ as a KILT task: knowledge source, task file, guess files of a model and of BM25, both scored as KILT does.

    python scripts/boolq_kilt.py FOLDER --model MODEL [--output runs/boolq_kilt] [--resume]

FOLDER is a BEIR folder with qrels/train.tsv and qrels/dev.tsv, MODEL a model folder that was trained on its passages
(scripts/boolq.py writes one). Passages of one title become the paragraphs of one page, after the title itself, as in
KILT's knowledge source. The model is written again with KILT's passage ids, so that `genret batch` finds them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from genret.batch import BatchOptions, Output, batch_run, make_plan, model_fingerprint
from genret.corpus import (
    Judgements,
    Passage,
    PassageStore,
    read_judgements,
    read_passages,
    read_queries,
    read_questions,
    read_run,
)
from genret.corpus.formats.kilt import KiltLine, judgements, lines, locate, write_lines, write_run
from genret.corpus.formats.registry import open_file
from genret.evaluation import bm25_run, compare_all, result_table, seen_queries
from genret.evaluation.kilt_metrics import evaluate_kilt, guesses_of_run
from genret.retrieval.docids import GenerativeRetriever

HITS = 10


def main() -> None:
    arguments = _arguments()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    source = list(read_passages(arguments.folder))
    places = _places(source)
    _write_knowledge_source(output / "knowledge_source.jsonl", source, places)
    for split in ("train", "dev"):
        _write_task(output / f"boolq-{split}-kilt.jsonl", arguments.folder, split, places)
    task = output / "boolq-dev-kilt.jsonl"
    _write_model(arguments.model, output / "model", source, places)
    _guess_by_model(output / "model", task, output / "generative.jsonl", arguments.resume)
    _guess_by_bm25(output, task, places)
    for level in ("page", "paragraph"):
        print(_report(output, level))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/boolq_kilt"))
    parser.add_argument("--resume", action="store_true", help="go on with the search of an earlier run")
    return parser.parse_args()


def _places(source: list[Passage]) -> dict[str, str]:
    """passage_id -> `<page>#<paragraph>`; pages are numbered by the first passage of their title."""
    pages: dict[str, list[str]] = {}
    for passage in source:
        pages.setdefault(passage.title, []).append(passage.passage_id)
    return {
        passage_id: f"{page}#{paragraph}"
        for page, ids in enumerate(pages.values())
        for paragraph, passage_id in enumerate(ids, 1)
    }


def _write_knowledge_source(path: Path, source: list[Passage], places: dict[str, str]) -> None:
    pages: dict[str, dict[str, Any]] = {}
    for passage in source:
        page_id = locate(places[passage.passage_id])[0]
        page = pages.setdefault(
            page_id, {"wikipedia_id": page_id, "wikipedia_title": passage.title, "text": [passage.title]}
        )
        page["text"].append(passage.text)
    path.write_text(
        "".join(json.dumps(page, ensure_ascii=False) + "\n" for page in pages.values()), encoding="utf-8"
    )


def _write_task(path: Path, folder: Path, split: str, places: dict[str, str]) -> None:
    judged = read_judgements(folder / "qrels" / f"{split}.tsv")
    texts = {query.query_id: query.text for query in read_queries(folder) if query.query_id in judged}
    write_lines(path, _task_lines(judged, texts, places))


def _task_lines(judged: Judgements, texts: dict[str, str], places: dict[str, str]) -> Iterator[KiltLine]:
    for query_id, grades in judged.items():
        pieces = []
        for passage_id in grades:
            page, first, last = locate(places[passage_id])
            pieces.append({"wikipedia_id": page, "start_paragraph_id": first, "end_paragraph_id": last})
        content = {"id": query_id, "input": texts[query_id], "output": [{"provenance": pieces}]}
        yield KiltLine(query_id, content)


def _write_model(model: Path, target: Path, source: list[Passage], places: dict[str, str]) -> None:
    """The model with KILT's ids for its passages, which keep their order."""
    if target.exists():
        return
    retriever = GenerativeRetriever.from_pretrained(model)
    if set(retriever.passages.passage_ids) != set(places):
        raise SystemExit(f"{model} was not trained on these {len(source)} passages.")
    renamed = PassageStore.build(
        passage._replace(passage_id=places[passage.passage_id]) for passage in retriever.passages
    )
    GenerativeRetriever(
        retriever.backbone, retriever.table, renamed, trie=retriever.trie, options=retriever.options
    ).save_pretrained(target)


def _guess_by_model(model: Path, task: Path, output: Path, resume: bool) -> None:
    questions = partial(read_questions, task)
    plan = make_plan(questions(), BatchOptions(k=HITS, chunk=128), model_fingerprint(model))
    load = partial(GenerativeRetriever.from_pretrained, model)
    target = Output(output, "kilt-run")
    batch_run(load, questions, lambda: load().passages, target, plan, resume=resume, overwrite=not resume)


def _guess_by_bm25(output: Path, task: Path, places: dict[str, str]) -> None:
    """Over the passages that the model has: a page's title, its paragraph 0, is none of them."""
    known = set(places.values())
    source = read_passages(output / "knowledge_source.jsonl")
    passages = PassageStore.build(passage for passage in source if passage.passage_id in known)
    write_run(output / "BM25.jsonl", bm25_run(passages, list(read_queries(task)), HITS))


def _report(output: Path, level: Any) -> str:
    """R-precision and success rates of both, on all questions and on seen and unseen pages or paragraphs."""
    gold_file = open_file(output / "boolq-dev-kilt.jsonl")
    gold = list(lines(gold_file))
    seen = seen_queries(
        judgements(gold_file, level), judgements(open_file(output / "boolq-train-kilt.jsonl"), level)
    )
    metrics = ("Rprec", "recall@5", "success_rate@5", "success_rate@10")
    scored = {}
    for name in ("generative", "BM25"):
        # Both give ten passages a question; a page stands where its first passage stands.
        guesses = guesses_of_run(read_run(output / f"{name}.jsonl"), level)
        scored[name] = evaluate_kilt(guesses, gold, metrics, level)
    rows = {}
    for name, found in scored.items():
        rows[name] = found
        rows[f"{name}, seen"] = found.part(seen)
        rows[f"{name}, unseen"] = found.part(set(found.query_ids) - seen)
    tests = [
        f"{one.comparison.metric}: {one.second} against {one.first} {one.comparison.difference.mean:+.3f}, "
        f"p = {one.corrected:.4f}"
        for one in compare_all(scored)
    ]
    return result_table(rows, f"BoolQ by {level}").markdown() + "\n" + "\n".join(tests) + "\n"


if __name__ == "__main__":
    main()
