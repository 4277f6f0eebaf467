"""`genret docid`: give the passages of a corpus their docids, and look into a table of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genret.cli.output import check_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from docid import DocidTable
    from docid.strategies import DocumentFields, Strategy, Tokenize
    from genret.corpus import PassageStore

__all__ = ["register"]

Corpus = Annotated[
    Path, typer.Argument(help="Corpus: a BEIR folder, a zip or wheel that holds one, or corpus.jsonl.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Write the docid table here.")]
Tokenizer = Annotated[
    str | None, typer.Option(help="The model's tokenizer (folder or hub name), for docids that are text.")
]
Vectors = Annotated[
    Path | None, typer.Option(help="A .npy file with one row for each passage, in order; default: computed.")
]
Encoder = Annotated[
    str | None,
    typer.Option(help="A sentence encoder's folder or hub name; default: the packaged all-MiniLM-L6-v2."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]
Tables = Annotated[
    list[Path], typer.Argument(help="Docid tables of the same corpus; several are set side by side.")
]
Labelled = Annotated[
    Path | None, typer.Option(help="Their corpus: titles as labels for purity, and queries with judgements.")
]
PassageVectors = Annotated[
    Path | None, typer.Option(help="A .npy file of the passages' vectors, for nearest-centroid retrieval.")
]
QueryVectors = Annotated[
    Path | None, typer.Option(help="A .npy file of the vectors of the corpus's queries, in order.")
]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="Docids: build the table of a corpus, look into it, judge it before training.")
    group.command("build")(build)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("show")(show)
    group.command("report")(report)
    group.command("compare", help="Set the reports of several tables side by side.")(report)
    app.add_typer(group, name="docid")


def build(
    corpus: Corpus,
    output: Output,
    strategy: Annotated[
        str, typer.Option(help="How docids are made; an unknown name lists them all.")
    ] = "semantic",
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of the strategy; repeat it."),
    ] = None,
    tokenizer: Tokenizer = None,
    embeddings: Vectors = None,
    encoder: Encoder = None,
    keep: Annotated[
        Path | None, typer.Option(help="Also write the fitted strategy here, for `genret docid add`.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Give every passage of CORPUS a docid and write the table."""
    check_output(output, overwrite)
    check_output(keep, overwrite)
    from genret.corpus import PassageStore, read_passages

    chosen = _strategy(strategy, option or [])
    passages = PassageStore.build(read_passages(corpus))
    tokenize = None if tokenizer is None else _tokenizer(tokenizer)
    fields = _fields(passages, chosen, embeddings, encoder)
    _train(chosen, fields)
    table = chosen.assign(fields, tokenize)
    table.save(output)
    if keep is not None:
        chosen.save(keep)
    typer.echo(_summary(table), err=True)


def add(
    table: Annotated[Path, typer.Argument(help="Docid table of the passages so far.")],
    strategy: Annotated[Path, typer.Argument(help="The strategy that made it: `genret docid build --keep`.")],
    corpus: Annotated[Path, typer.Argument(help="The new passages: a BEIR folder, or corpus.jsonl.")],
    output: Output,
    tokenizer: Tokenizer = None,
    embeddings: Vectors = None,
    encoder: Encoder = None,
    overwrite: Overwrite = False,
) -> None:
    """Give new passages docids, after those of TABLE, which stay as they are."""
    check_output(output, overwrite)
    from docid import DocidTable
    from docid.strategies import load_strategy
    from genret.corpus import PassageStore, read_passages

    fitted = load_strategy(strategy)
    passages = PassageStore.build(read_passages(corpus))
    tokenize = None if tokenizer is None else _tokenizer(tokenizer)
    fields = _fields(passages, fitted, embeddings, encoder)
    grown = fitted.assign_new(DocidTable.load(table), fields, tokenize)
    grown.save(output)
    typer.echo(_summary(grown), err=True)


def remove(
    table: Annotated[Path, typer.Argument(help="Docid table.")],
    output: Output,
    docids: Annotated[list[str] | None, typer.Argument(help="Docids; all their passages go.")] = None,
    document: Annotated[
        list[int] | None, typer.Option(help="A document number to remove; repeat it.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Take passages out of TABLE; the others keep their numbers, and no docid is given again."""
    check_output(output, overwrite)
    from docid import DocidTable
    from genret.errors import UsageError

    if not docids and not document:
        raise UsageError("nothing to remove; name docids, or document numbers with --document.")
    loaded = DocidTable.load(table)
    fewer = loaded.without(_asked(table, loaded, docids, document))
    fewer.save(output)
    typer.echo(_summary(fewer), err=True)


def show(
    table: Annotated[Path, typer.Argument(help="Docid table, as `genret docid build` writes it.")],
    docids: Annotated[list[str] | None, typer.Argument(help="Docid strings to look up.")] = None,
    document: Annotated[
        list[int] | None, typer.Option(help="A document number to look up; repeat it.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Documents shown when none is asked for.", min=0)] = 10,
) -> None:
    """Show what TABLE holds: a summary and its first documents, or those that are asked for."""
    from docid import DocidTable

    loaded = DocidTable.load(table)
    asked = _asked(table, loaded, docids, document)
    if not asked:
        typer.echo(_summary(loaded))
        asked = list(range(min(limit, loaded.num_documents)))
    for row in asked:
        typer.echo(f"{row}\t{loaded.docid(row)}\t{' '.join(_tokens(loaded, row))}")


def _asked(path: Path, table: DocidTable, docids: list[str] | None, documents: list[int] | None) -> list[int]:
    """The documents that are named by number or by docid."""
    from docid import InputError

    asked = list(documents or [])
    for docid in docids or []:
        found = table.documents(docid).tolist()
        if not found:
            raise InputError(f"{path}: no document has the docid {docid!r}.")
        asked += found
    return asked


def report(
    tables: Tables,
    corpus: Labelled = None,
    embeddings: PassageVectors = None,
    query_embeddings: QueryVectors = None,
    split: Annotated[str, typer.Option(help="The judgements that tell which queries are asked.")] = "dev",
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table.")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw one figure with four panels (.png, .svg).")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report here.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge docids before training: sharing, lengths, entropy, branching, purity, nearest-centroid retrieval."""
    import json

    from docid import DocidTable
    from docid.report import describe
    from docid.report_figure import draw, report_table
    from genret.cli.output import emit

    check_output(output, overwrite)
    check_output(figure, overwrite)
    judge = _imitation(corpus, embeddings, query_embeddings, split)
    labels = None if corpus is None else _titles(corpus)
    names = [
        table.stem if len({path.stem for path in tables}) == len(tables) else str(table) for table in tables
    ]
    loaded = [_of_corpus(path, DocidTable.load(path), labels) for path in tables]
    reports = {name: describe(table, labels, judge(table)) for name, table in zip(names, loaded, strict=True)}
    if figure is not None:
        draw(reports, figure)
    content = {name: one.json() for name, one in reports.items()}
    emit(
        json.dumps(content, indent=1, ensure_ascii=False) + "\n" if as_json else report_table(reports), output
    )


def _titles(corpus: Path) -> list[str]:
    from genret.corpus import read_passages

    return [passage.title for passage in read_passages(corpus)]


def _of_corpus(path: Path, table: DocidTable, labels: list[str] | None) -> DocidTable:
    from genret.errors import InputError

    if labels is not None and table.num_documents != len(labels):
        raise InputError(
            f"{path}: has {table.num_documents} documents, the corpus has {len(labels)} passages."
        )
    return table


def _imitation(
    corpus: Path | None, embeddings: Path | None, query_embeddings: Path | None, split: str
) -> Callable[[DocidTable], dict[str, float]]:
    """What measures nearest-centroid retrieval of a table; nothing is measured where no vectors are given."""
    from genret.errors import UsageError

    if embeddings is None and query_embeddings is None:
        return lambda table: {}
    if corpus is None or embeddings is None or query_embeddings is None:
        raise UsageError(
            "nearest-centroid retrieval needs --corpus, --embeddings and --query-embeddings together."
        )
    from docid.imitation import imitation_scores
    from docid.report import plain_trie

    vectors, asked = _read_vectors(embeddings), _read_vectors(query_embeddings)
    rows, relevant = _judged(corpus, split)
    _check_rows(query_embeddings, asked, rows)
    return lambda table: imitation_scores(plain_trie(table)[1], vectors, asked[rows], relevant)


def _check_rows(path: Path, vectors: Any, rows: list[int]) -> None:
    from genret.errors import InputError

    if not rows or vectors.ndim != 2 or max(rows) >= len(vectors):
        raise InputError(
            f"{path}: found shape {vectors.shape}, expected one row for each query of the corpus."
        )


def _judged(corpus: Path, split: str) -> tuple[list[int], list[set[int]]]:
    """The rows of the queries that the split judges, and the documents that answer each."""
    from genret.corpus import read_judgements, read_passages, read_queries

    documents = {passage.passage_id: row for row, passage in enumerate(read_passages(corpus))}
    judgements = read_judgements(corpus, split)
    rows, relevant = [], []
    for row, query in enumerate(read_queries(corpus)):
        grades = judgements.get(query.query_id, {})
        wanted = {
            documents[passage_id]
            for passage_id, grade in grades.items()
            if grade > 0 and passage_id in documents
        }
        if wanted:
            rows.append(row)
            relevant.append(wanted)
    return rows, relevant


def _strategy(name: str, options: list[str]) -> Strategy:
    import yaml

    from docid.strategies import STRATEGIES
    from genret.config import from_mapping
    from genret.errors import UsageError

    if name not in STRATEGIES:
        raise UsageError(f"--strategy {name}: no such docid strategy; there are {', '.join(STRATEGIES)}.")
    values: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise UsageError(f"--set {option}: expected NAME=VALUE, such as --set seed=1.")
        values[key] = yaml.safe_load(text)
    return from_mapping(STRATEGIES[name], values, f"--set (strategy {name})")


def _train(strategy: Strategy, fields: DocumentFields) -> None:
    """Fit what only a training can fit."""
    from docid.strategies import RqVae

    if isinstance(strategy, RqVae):
        from genret.training.rqvae import train_rqvae

        train_rqvae(strategy, strategy.need(fields, "embeddings"))


def _fields(
    passages: PassageStore, strategy: Strategy, embeddings: Path | None, encoder: str | None
) -> DocumentFields:
    from genret.corpus.fields import document_fields

    def vectors() -> Any:
        return _embed(passages, encoder) if embeddings is None else _read_vectors(embeddings)

    return document_fields(passages, strategy.reads, vectors)


def _embed(passages: PassageStore, encoder: str | None) -> Any:
    from genret.evaluation import default_cache, embed_texts
    from genret.models.sentence_encoder import SentenceEncoder

    texts = [passage.full_text for passage in passages]
    return embed_texts(SentenceEncoder.load(encoder), texts, cache=default_cache(), description="passages")


def _read_vectors(path: Path) -> Any:
    import numpy as np

    from genret.errors import InputError

    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as a .npy file of embeddings: {error}.") from error


def _tokenizer(name: str) -> Tokenize:
    from transformers import AutoTokenizer

    from genret.errors import InputError

    try:
        loaded = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise InputError(f"--tokenizer {name}: no tokenizer there: {str(error).splitlines()[0]}") from error

    def tokenize(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = loaded(texts, add_special_tokens=False)["input_ids"] if texts else []
        return ids

    return tokenize


def _summary(table: DocidTable) -> str:
    lengths = table.sequences.lengths
    spread = (
        f"{lengths.min()} to {lengths.max()} tokens, {lengths.mean():.2f} on average"
        if len(lengths)
        else "none"
    )
    removed = f" ({len(table.arrays.removed)} removed)" if len(table.arrays.removed) else ""
    return (
        f"{table.num_documents} documents{removed}, {table.num_docids} docids ({spread}), {len(table.new_tokens)} new tokens"
        f"{'' if table.is_bound else ', not yet bound to a model'}"
    )


def _tokens(table: DocidTable, document: int) -> list[str]:
    """A docid's tokens: new ones by name, the model's own by number."""
    return [table.new_tokens[-1 - token] if token < 0 else str(token) for token in table.sequence(document)]
