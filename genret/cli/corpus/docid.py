"""`genret docid`: give the passages of a corpus their docids, and look into a table of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus.docid_report import report
from genret.cli.corpus_options import Corpus, reads_corpus
from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left
from genret.cli.numbers import LARGEST
from genret.cli.output import check_output
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from docid import DocidTable
    from docid.strategies import Strategy
    from docid.words import WordSets
    from genret.tokenizer import interface

__all__ = ["register"]

Output = Annotated[Path, typer.Option("--output", "-o", help="Write the docid table here.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(help="The model's tokenizer (folder or hub name), for docids that are text, and for words."),
]
Vectors = Annotated[
    Path | None, typer.Option(help="A .npy file with one row for each passage, in order; default: computed.")
]
Encoder = Annotated[
    str | None,
    typer.Option(help="A sentence encoder's folder or hub name; default: the packaged all-MiniLM-L6-v2."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]


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


@reads_corpus
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
    words: Annotated[
        int | None,
        typer.Option(
            help="Also choose so many words of each passage, at most, by BM25 weight, and write them beside the table: "
            "docids.words beside docids.table.",
            min=1,
            max=LARGEST,
        ),
    ] = None,
    embeddings: Vectors = None,
    encoder: Encoder = None,
    keep: Annotated[
        Path | None, typer.Option(help="Also write the fitted strategy here, for `genret docid add`.")
    ] = None,
    reading: CorpusOptions = AS_IS,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
    overwrite: Overwrite = False,
) -> None:
    """Give every passage of CORPUS a docid and write the table.

    With --shard, --workers, --ray or --parts, a quantiser's codes of the file --embeddings are given in parts; the call that
    finds no part missing settles collisions and writes the table.
    """
    check_output(output, overwrite, text=False)
    check_output(keep, overwrite, text=False)
    from genret.corpus import read_store
    from genret.docids.beside_table import check_no_words, word_options, words_file
    from genret.docids.code_parts import codes_in_parts
    from genret.docids.make import corpus_vectors, make_docids, named_tokenizer
    from genret.jobs.job import HERE
    from genret.jobs.storage import storage_of
    from genret.words.words import WordOptions, choose_words

    chosen = _strategy(strategy, option or [])
    wanted = word_options(chosen, None if words is None else WordOptions(words))
    if wanted is None:
        check_no_words(output)
    else:
        check_output(words_file(output), overwrite, text=False)
    reads = None if wanted is None else _words_tokenizer(tokenizer, "--words" if words else "strategy words")
    passages = read_store(corpus, reading)
    vectors = partial(corpus_vectors, passages, embeddings, encoder)
    executor, codes = executor_of(shard, workers, ray), None
    place = parts or f"{output}.parts"
    if executor != HERE or parts is not None:
        codes = codes_in_parts(chosen, embeddings, len(passages), place, executor)
        if codes is None:
            say_left(place)
            return
    table = make_docids(chosen, passages, vectors, named_tokenizer(tokenizer), codes)
    if reads is not None and wanted is not None:
        choose_words(passages, reads, wanted).sets.save(words_file(output))
    table.save(output)
    if keep is not None:
        chosen.save(keep)
    if codes is not None:
        storage_of(place).clear()
    typer.echo(_summary(table), err=True)


@reads_corpus
def add(
    table: Annotated[Path, typer.Argument(help="Docid table of the passages so far.")],
    strategy: Annotated[Path, typer.Argument(help="The strategy that made it: `genret docid build --keep`.")],
    corpus: Corpus,
    output: Output,
    tokenizer: Tokenizer = None,
    embeddings: Vectors = None,
    encoder: Encoder = None,
    reading: CorpusOptions = AS_IS,
    overwrite: Overwrite = False,
) -> None:
    """Give new passages docids, after those of TABLE, which stay as they are; and words, where TABLE has them."""
    check_output(output, overwrite, text=False)
    from docid import DocidTable
    from genret.corpus import read_store
    from genret.docids.beside_table import more_words, words_file
    from genret.docids.make import add_docids, corpus_vectors, named_tokenizer
    from genret.docids.strategies import open_strategy

    fitted, loaded = open_strategy(strategy), DocidTable.load(table)
    words = _words_beside(table, loaded, output, overwrite)
    reads = None if words is None else _words_tokenizer(tokenizer, f"{table} has words beside it, which")
    passages = read_store(corpus, reading)
    vectors = partial(corpus_vectors, passages, embeddings, encoder)
    grown = add_docids(fitted, loaded, passages, vectors, named_tokenizer(tokenizer))
    if words is not None and reads is not None:
        more_words(words, passages, reads).save(words_file(output))
    grown.save(output)
    typer.echo(_summary(grown), err=True)


def remove(
    table: Annotated[Path, typer.Argument(help="Docid table.")],
    output: Output,
    docids: Annotated[list[str] | None, typer.Argument(help="Docids; all their passages go.")] = None,
    document: Annotated[
        list[int] | None, typer.Option(help="A document number to remove; repeat it.", min=0, max=LARGEST)
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Take passages out of TABLE, and their words; the others keep their numbers, and no docid is given again."""
    check_output(output, overwrite, text=False)
    from docid import DocidTable
    from genret.docids.beside_table import words_file
    from genret.errors import UsageError

    if not docids and not document:
        raise UsageError("nothing to remove; name docids, or document numbers with --document.")
    loaded = DocidTable.load(table)
    words = _words_beside(table, loaded, output, overwrite)
    fewer = loaded.without(_asked(table, loaded, docids, document))
    if words is not None:
        words.without(fewer.arrays.removed).save(words_file(output))
    fewer.save(output)
    typer.echo(_summary(fewer), err=True)


def show(
    table: Annotated[Path, typer.Argument(help="Docid table, as `genret docid build` writes it.")],
    docids: Annotated[list[str] | None, typer.Argument(help="Docid strings to look up.")] = None,
    document: Annotated[
        list[int] | None, typer.Option(help="A document number to look up; repeat it.", min=0, max=LARGEST)
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Documents shown when none is asked for.", min=0, max=LARGEST)
    ] = 10,
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


def _words_tokenizer(name: str | None, what: str) -> interface.Tokenizer:
    """The tokenizer of words, for `what` needs one."""
    from genret.errors import UsageError
    from genret.tokenizer.load import load_tokenizer

    if name is None:
        raise UsageError(f"{what} needs --tokenizer, whose tokens are the words.")
    return load_tokenizer(name)


def _words_beside(path: Path, table: DocidTable, output: Path, overwrite: bool) -> WordSets | None:
    """The words of a table that another is made from; what will be written beside that one is checked."""
    from genret.docids.beside_table import check_no_words, load_words, words_file

    words = load_words(path, table)
    if words is None:
        check_no_words(output)
    else:
        check_output(words_file(output), overwrite, text=False)
    return words


def _strategy(name: str, options: list[str]) -> Strategy:
    from genret.config import parse_settings
    from genret.docids.strategies import make_strategy, strategy_class
    from genret.errors import InputError, UsageError

    try:
        strategy_class(name, "--strategy")
    except InputError as error:
        raise UsageError(str(error)) from error
    return make_strategy(name, parse_settings(options), f"--set (strategy {name})")


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
