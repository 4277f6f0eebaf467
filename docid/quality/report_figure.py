"""Docid reports side by side: a table of text, and one figure with four panels. Knows reports only."""

from __future__ import annotations

import os
from collections.abc import Mapping

from docid.figure_file import figure_file
from docid.quality.report import DocidReport

__all__ = ["draw", "report_table"]


def report_table(reports: Mapping[str, DocidReport]) -> str:
    """A Markdown table with a column for each report, and what is to be mended first where something is."""
    rows: dict[str, list[str]] = {}
    for report in reports.values():
        for name, value in _values(report).items():
            rows.setdefault(name, []).append(value)
    lines = [["", *reports], ["---"] * (len(reports) + 1)]
    lines += [[name, *values] for name, values in rows.items()]
    mends = [f"\n{name}: {report.to_mend}\n" for name, report in reports.items() if report.to_mend]
    return "".join([*(f"| {' | '.join(line)} |\n" for line in lines), *mends])


def _values(report: DocidReport) -> dict[str, str]:
    lengths = [length for length, documents in report.lengths.items() for _ in range(documents)]
    mean = sum(lengths) / max(len(lengths), 1)
    levels = report.levels[:8]
    measured = report.imitation
    return {
        "documents": f"{report.documents:,}",
        "docids": f"{report.docids:,}",
        "unique share": f"{report.unique_share:.3f}",
        "largest bucket": f"{max(report.buckets, default=0):,}",
        "tokens, mean (most)": f"{mean:.2f} ({max(report.lengths, default=0)})",
        "share that begins another": f"{report.prefix_share:.3f}",
        "new tokens": f"{report.new_tokens:,}",
        "trie, MB": f"{report.trie_bytes / 1e6:.2f}",
        "successors a step": f"{report.successors:.1f}",
        "perplexity by level": " / ".join(f"{level.perplexity:.1f}" for level in levels),
        "branching by level": " / ".join(f"{level.branching:.1f}" for level in levels),
        "purity by level": " / ".join(
            "-" if level.purity is None else f"{level.purity:.2f}" for level in levels
        ),
        "vector kept (levels)": " / ".join(
            f"{level.kept:.3f} ({place})"
            for place, level in enumerate(report.levels, 1)
            if level.kept is not None and (place == len(report.levels) or place.bit_count() == 1)
        )
        or "-",
        "words kept (words)": " / ".join(f"{share:.3f} ({name})" for name, share in report.words.items())
        or "-",
        **{
            name: f"{measured[name]:.3f}" if name in measured else "-"
            for name in ("greedy hit@1", "beam hit@1", "beam hit@10", "dense hit@1", "dense hit@10")
        },
    }


def draw(reports: Mapping[str, DocidReport], path: str | os.PathLike[str]) -> None:
    """Write one figure with four panels: bucket sizes, lengths, perplexity and legal next tokens by level.

    Raises:
        UsageError: matplotlib is not installed.
        InputError: it cannot write this kind of file.
    """
    with figure_file(path, (10, 7)) as figure:
        buckets, lengths, perplexity, successors = figure.subplots(2, 2).ravel()
        for name, report in reports.items():
            buckets.plot(*_shares(report.buckets, report.documents, weighted=True), marker="o", label=name)
            lengths.plot(*_shares(report.lengths, report.documents), marker="o", label=name)
            steps = range(1, len(report.levels) + 1)
            perplexity.plot(steps, [level.perplexity for level in report.levels], marker="o", label=name)
            successors.plot(steps, [level.successors for level in report.levels], marker="o", label=name)
        _label(
            buckets, "Documents that share a docid", "documents of the docid", "share of documents", log="x"
        )
        _label(lengths, "Lengths", "tokens", "share of documents")
        _label(perplexity, "Perplexity of the token", "position", "equally frequent tokens", log="y")
        _label(successors, "Legal next tokens", "position", "mean over documents", log="y")
        buckets.legend()


def _shares(
    histogram: Mapping[int, int], total: int, *, weighted: bool = False
) -> tuple[list[int], list[float]]:
    sizes = sorted(histogram)
    return sizes, [histogram[size] * (size if weighted else 1) / total for size in sizes]


def _label(axes: object, title: str, x: str, y: str, log: str = "") -> None:
    scales = {f"{axis}scale": "log" for axis in log}
    axes.set(title=title, xlabel=x, ylabel=y, **scales)  # type: ignore[attr-defined]
    axes.grid(alpha=0.3)  # type: ignore[attr-defined]
