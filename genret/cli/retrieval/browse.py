"""`genret browse`: one run, or two side by side, to look at in a web browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import reads_corpus
from genret.cli.output import check_output, emit
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from genret.browse import Results
    from genret.corpus import Judgements, PassageStore

__all__ = ["register"]

Runs = Annotated[
    list[Path], typer.Argument(help="One run or two; those of `genret batch` show docids or n-grams.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("browse")(browse)


@reads_corpus
def browse(
    runs: Runs,
    corpus: Annotated[Path | None, typer.Option(help="The passages' texts.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="The queries' texts, where the run lacks them.")
    ] = None,
    judgements: Annotated[
        Path | None, typer.Option("--judgements", "-j", help="Which passages (or pages) are right.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="The split of a folder's judgements.")] = None,
    k: Annotated[int, typer.Option("-k", help="Passages shown of a query.", min=1, max=1 << 20)] = 10,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write one self-contained HTML file.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    reading: CorpusOptions = AS_IS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Show RUNS: queries with their ranked passages, right ones flagged. Without --output, served on this machine."""
    check_output(output, overwrite)
    from genret.browse import load_results, results_page
    from genret.errors import UsageError

    if len(runs) > 2:
        raise UsageError("two runs fit side by side; name one or two.")
    judged = _judgements(judgements, split)
    results = load_results(runs, _texts(queries), judged, _passages(corpus, reading), k)
    if output is not None:
        emit(results_page(results), output)
    else:
        _serve(results, port)


def _texts(queries: Path | None) -> dict[str, str]:
    from genret.corpus import read_queries

    return {} if queries is None else {query.query_id: query.text for query in read_queries(queries)}


def _judgements(path: Path | None, split: str | None) -> Judgements | None:
    from genret.corpus import read_judgements

    return None if path is None else read_judgements(path, split)


def _passages(path: Path | None, reading: CorpusOptions) -> PassageStore | None:
    from genret.corpus import read_store

    return None if path is None else read_store(path, reading)


def _serve(results: Results, port: int) -> None:
    from genret.browse import make_server
    from genret.errors import UsageError

    try:
        server = make_server(results, port)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}; name another with --port."
        ) from error
    typer.echo(f"http://127.0.0.1:{server.server_port}/ (end with Ctrl-C)", err=True)
    with server:
        server.serve_forever()
