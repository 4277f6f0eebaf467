"""Titles of 5.9 M pages as docids: table, trie and ten beams, against as many as the corpus has itself.

    python -m benchmarks.scale.titles CORPUS [--titles 5900000] [--against 178775]

Titles are drawn after CORPUS's (`resample`); a second one of a kind becomes `TITLE (2)`. The model is a T5-small with
random weights, the vocabulary the packaged encoder's. Beams of both sizes take turns in one process, on one thread;
milliseconds of CPU time a query.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.ngrams.speed import t5_small
from benchmarks.scale.corpus import PAGES
from benchmarks.scale.resample import Pages
from benchmarks.scale.search_index import cpu_seconds
from docid import DocidTrie
from docid.strategies import DocumentFields, Title
from genret.constraint import TrieConstraint
from genret.corpus import read_passages, read_queries
from genret.decoding import beam_search
from genret.jobs.stages import Stages
from genret.models import Backbone, SentenceEncoder
from genret.tokenizer.plain_text import text_ids

QUERIES, BEAMS, TURNS = 20, 10, 5


def trie_of(titles: list[str], backbone: Backbone, stages: Stages) -> DocidTrie:
    """Docids, table and trie, each a stage."""
    tokenize = partial(text_ids, backbone.tokenizer)
    with stages.stage(f"{len(titles):,} titles: docids and table"):
        table = Title(equal="suffix").assign(DocumentFields(len(titles), titles=titles), tokenize)
    with stages.stage(f"{len(titles):,} titles: trie"):
        trie = table.trie(backbone.eos_token_id)
    lengths = table.sequences.lengths
    print(
        f"{table.num_docids:,} docids of {lengths.mean():.2f} tokens; table {table.nbytes / 1e6:,.0f} MB, trie "
        f"{trie.nbytes / 1e6:,.0f} MB",
        flush=True,
    )
    return trie


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--titles", type=int, default=PAGES)
    parser.add_argument("--against", type=int, default=178_775)
    given = parser.parse_args()
    stages = Stages(partial(print, flush=True))
    backbone = t5_small(SentenceEncoder.load(None).tokenizer)
    with stages.stage("draw the titles"):
        known = [passage.title.split() for passage in read_passages(given.corpus)]
        # Pages of which nobody asks for the text: titles stand for it.
        titles = list(Pages(known, known, 1.0, 0).titles_of(range(given.titles)))
    print(f"{len(set(titles)):,} of {len(titles):,} differ", flush=True)
    sizes = [given.against, given.titles]
    constraints = [TrieConstraint(trie_of(titles[:size], backbone, stages)) for size in sizes]
    encoded = backbone.encode([query.text for query in islice(read_queries(given.corpus), QUERIES)])
    times: list[list[float]] = [[] for _ in sizes]
    for _ in range(TURNS):
        for constraint, own in zip(constraints, times, strict=True):
            own.append(cpu_seconds(partial(beam_search, backbone, encoded, constraint, BEAMS)))
    for size, own in zip(sizes, times, strict=True):
        listed = ", ".join(f"{1000 * seconds / QUERIES:.1f}" for seconds in own)
        print(f"{size:,} titles: {1000 * median(own) / QUERIES:.1f} ms a query, {BEAMS} beams ({listed})")
    for stage in stages.finished:
        print(f"{stage.name}: {stage.seconds:.0f} s, peak {stage.peak_bytes / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
