"""Options of every command that reads a corpus, or a run over one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from genret.corpus.corpus_options import CorpusOptions

__all__ = ["Corpus", "DropIdentical", "beside", "reads_corpus"]

DropIdentical = Annotated[
    bool,
    typer.Option(
        "--drop-identical-ids",
        help="Leave out hits with the query's own id, as BEIR does: for queries that are themselves passages.",
    ),
]

Corpus = Annotated[
    list[Path],
    typer.Argument(
        help="Corpus: a folder of documents (.md, .txt, .rst, .html), a BEIR folder, a zip of one, files of any corpus "
        "format, or - for standard input; several are one corpus."
    ),
]

# The parameter of a command that these options become.
READING = "reading"
SPLIT = "split"
FIELDS = {
    "id": "Field of the records that names a passage; dots lead into objects (default: _id, id, ...).",
    "title": "Field of its title (default: title).",
    "text": "Field of its text (default: text, contents, ...).",
}
SPLIT_HELP = (
    "Split texts into passages: sections, sentences, words:N, or sentences:N (whole sentences, at most N words); hits say "
    "which document each is of. Default: texts stay whole, and with a model they are split as its corpus was."
)
EMPTY_HELP = "Leave out passages that have neither title nor text, and name them."


def reads_corpus(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a corpus is read, in place of its parameter `reading: CorpusOptions`.

    Where it has a `--split` of its own (of judgements), the corpus's is `--split-text` alone.
    """
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints[name]) for name, one in signature.parameters.items() if name != READING
    ]
    more = _parameters(SPLIT in signature.parameters)

    @wraps(command)
    def called(**arguments: object) -> None:
        given = {name: arguments.pop(parameter) for name, (parameter, _, _) in more.items()}
        command(**arguments, **{READING: CorpusOptions(**given)})  # type: ignore[arg-type]

    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in more.values()
    ]
    called.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *options]
    )
    called.__annotations__ = {one.name: one.annotation for one in [*own, *options]}
    return called


def _parameters(has_split: bool) -> dict[str, tuple[str, object, object]]:
    """Of each option of a corpus: the parameter's name, its annotation and its default."""
    splits = ["--split-text"] if has_split else ["--split", "--split-text"]
    fields = {
        name: (f"corpus_{name}", Annotated[str | None, typer.Option(f"--{name}", help=text)], None)
        for name, text in FIELDS.items()
    }
    return {
        **fields,
        "split": ("corpus_split", Annotated[str | None, typer.Option(*splits, help=SPLIT_HELP)], None),
        "skip_empty": ("skip_empty", Annotated[bool, typer.Option("--skip-empty", help=EMPTY_HELP)], False),
    }


def beside(corpus: list[Path]) -> Path:
    """The place of the corpus, where queries are looked for that no option names.

    Raises:
        UsageError: the corpus has several.
    """
    from genret.corpus.sources import one_place

    return Path(one_place(corpus, "queries"))
