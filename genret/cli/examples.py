"""One example a command, which its `--help` ends with; a test parses every one of them."""

from __future__ import annotations

from collections.abc import Iterator

import typer

__all__ = ["EXAMPLES", "add_examples"]

# By the words of the command. Names in capitals are the user's own files and folders.
EXAMPLES = {
    "demo": "demo --output DEMO",
    "fit": "fit DOCS --split sections -o MODEL --budget 30m",
    "data show": "data show configs/words.yaml -n 20",
    "data prepare": "data prepare configs/million.yaml -o PACKED",
    "data limit": "data limit -o TASK --small",
    "queries generate": "queries generate CORPUS -o QUERIES",
    "negatives imagine": "negatives imagine CORPUS -o NEGATIVES",
    "tokenizer train": "tokenizer train CORPUS -o TOKENIZER",
    "train": "train configs/words.yaml output=RUN",
    "study": "study configs/studies/scale.yaml",
    "add": "add MODEL NEW_DOCS --split sections",
    "remove": "remove MODEL PASSAGE_ID",
    "update": "update MODEL DOCS --split sections",
    "compact": "compact MODEL",
    "search": "search MODEL 'who discovered the electron' --where 'year >= 2020'",
    "serve": "serve MODEL --port 8000",
    "batch": "batch MODEL QUERIES.jsonl -o RUN.jsonl -k 100",
    "merge": "merge RUN.jsonl",
    "eval": "eval RUN JUDGEMENTS --metric hit@1 --metric MRR@10",
    "compare": "compare RUN OTHER_RUN --judgements JUDGEMENTS",
    "browse": "browse RUN --corpus CORPUS --judgements JUDGEMENTS -o RESULTS.html",
    "baseline bm25": "baseline bm25 CORPUS --queries QUERIES.jsonl --output BM25.run",
    "baseline dense": "baseline dense CORPUS --queries QUERIES.jsonl --output DENSE.run",
    "baseline hybrid": "baseline hybrid CORPUS --queries QUERIES.jsonl --output HYBRID.run",
    "baseline rrf": "baseline rrf CORPUS --queries QUERIES.jsonl --output RRF.run",
    "convert": "convert CORPUS.parquet CORPUS.jsonl --to beir-corpus",
    "import": "import CHECKPOINT.pt -o MODEL --like genre",
    "embed": "embed CORPUS -o VECTORS.npy",
    "docid build": "docid build CORPUS --strategy title --tokenizer MODEL --output TITLES.table",
    "docid add": "docid add TITLES.table STRATEGY NEW_DOCS --output LARGER.table",
    "docid remove": "docid remove TITLES.table 'An outdated title' --output SMALLER.table",
    "docid show": "docid show TITLES.table 'Ada Lovelace'",
    "docid report": "docid report TITLES.table",
    "docid compare": "docid compare TITLES.table OTHER.table",
    "index build": "index build CORPUS --tokenizer MODEL -o INDEX",
    "index info": "index info INDEX",
    "index verify": "index verify INDEX",
    "index dump": "index dump INDEX",
    "doctor": "doctor",
}


def add_examples(app: typer.Typer, path: tuple[str, ...] = ()) -> None:
    """Let the help of every command of `app` end with its example."""
    for words, command in _commands(app, path):
        if words in EXAMPLES:
            command.epilog = f"Example: genret {EXAMPLES[words]}"


def _commands(app: typer.Typer, path: tuple[str, ...]) -> Iterator[tuple[str, typer.models.CommandInfo]]:
    for command in app.registered_commands:
        yield " ".join((*path, str(command.name))), command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance, (*path, str(group.name)))
