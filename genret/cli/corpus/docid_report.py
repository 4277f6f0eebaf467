"""`genret docid report` and `compare`: judge tables of docids before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import reads_corpus
from genret.cli.output import check_output, emit
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from docid import DocidTable
    from docid.words import WordSets
    from genret.corpus import Passage

__all__ = ["report"]

Tables = Annotated[
    list[Path], typer.Argument(help="Docid tables of the same corpus; several are set side by side.")
]
Corpus = Annotated[
    Path | None, typer.Option(help="Their corpus: titles as labels for purity, and queries with judgements.")
]
Labels = Annotated[
    Path | None, typer.Option(help="Labels for purity in place of titles: lines of passage_id, tab, label.")
]
PassageVectors = Annotated[
    Path | None,
    typer.Option(
        help="A .npy file of the passages' vectors: what codes keep of them; and for nearest-centroid retrieval."
    ),
]
QueryVectors = Annotated[
    Path | None,
    typer.Option(
        help="A .npy file of the vectors of the corpus's queries, in order, for nearest-centroid retrieval."
    ),
]
WordsTokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        help="The tokenizer of words (folder or hub name): what the words beside the tables keep of BM25's weights.",
    ),
]


@reads_corpus
def report(
    tables: Tables,
    corpus: Corpus = None,
    reading: CorpusOptions = AS_IS,
    labels: Labels = None,
    embeddings: PassageVectors = None,
    query_embeddings: QueryVectors = None,
    tokenizer: WordsTokenizer = None,
    split: Annotated[str, typer.Option(help="The judgements that tell which queries are asked.")] = "dev",
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table.")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw one figure with four panels (.png, .svg).")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report here.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Judge docids before training: sharing, lengths, entropy, branching, purity, what codes and words keep."""
    import json

    from docid.quality.report import describe
    from docid.quality.report_figure import draw, report_table
    from genret.docids.beside_table import load_words
    from genret.docids.judge import load_table
    from genret.vectors import read_vectors

    check_output(output, overwrite)
    check_output(figure, overwrite, text=False)
    passages = _passages(corpus, reading)
    judge = _imitation(corpus, passages, embeddings, query_embeddings, split)
    told = _labels(labels, passages)
    vectors = None if embeddings is None else read_vectors(embeddings)
    loaded = [load_table(path, passages) for path in tables]
    weigh = _words(tokenizer, passages)
    beside = [load_words(path, table) for path, table in zip(tables, loaded, strict=True)]
    reports = {
        name: describe(table, told, judge(table), vectors, weigh(sets), sets)
        for name, table, sets in zip(_names(tables), loaded, beside, strict=True)
    }
    if figure is not None:
        draw(reports, figure)
    content = {name: one.json() for name, one in reports.items()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n" if as_json else report_table(reports)
    emit(text, output)


def _passages(corpus: Path | None, reading: CorpusOptions) -> list[Passage] | None:
    from genret.corpus import read_passages

    return None if corpus is None else list(read_passages(corpus, reading))


def _names(tables: list[Path]) -> list[str]:
    """What the tables are called: their files' names, with folders where names repeat."""
    distinct = len({path.stem for path in tables}) == len(tables)
    return [path.stem if distinct else str(path) for path in tables]


def _labels(path: Path | None, passages: list[Passage] | None) -> list[str] | None:
    """One label a passage: those of the file, or titles; None without a corpus."""
    from genret.corpus.labels import read_labels
    from genret.errors import UsageError

    if path is None:
        return None if passages is None else [passage.title for passage in passages]
    if passages is None:
        raise UsageError("--labels needs --corpus, which says which passage is which document.")
    return read_labels(path, [passage.passage_id for passage in passages])


def _imitation(
    corpus: Path | None,
    passages: list[Passage] | None,
    embeddings: Path | None,
    query_embeddings: Path | None,
    split: str,
) -> Callable[[DocidTable], dict[str, float]]:
    """What measures nearest-centroid retrieval of a table; nothing is measured where no vectors are given."""
    from genret.errors import UsageError

    if query_embeddings is None:
        return lambda table: {}
    if corpus is None or passages is None or embeddings is None:
        raise UsageError(
            "nearest-centroid retrieval needs --corpus, --embeddings and --query-embeddings together."
        )
    from genret.docids.judge import centroid_retrieval

    return centroid_retrieval(corpus, passages, embeddings, query_embeddings, split)


def _words(
    tokenizer: str | None, passages: list[Passage] | None
) -> Callable[[WordSets | None], dict[str, float]]:
    """What measures the words beside a table; nothing is measured where no tokenizer is given."""
    from genret.docids.beside_table import judge_words
    from genret.errors import UsageError
    from genret.tokenizer.load import load_tokenizer

    if tokenizer is None:
        return lambda sets: {}
    if passages is None:
        raise UsageError("--tokenizer needs --corpus, whose words are weighed.")
    loaded = load_tokenizer(tokenizer)
    return lambda sets: judge_words(sets, passages, loaded)
