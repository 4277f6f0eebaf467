"""What a language model writes for a corpus: queries for its passages, and passages that would answer queries."""

from genret.queries.filters import FilterOptions
from genret.queries.imagined import ImaginedReport, ImagineJob, ImagineOptions
from genret.queries.job import GenerateOptions, QueryJob
from genret.queries.query_report import QueryReport
from genret.queries.sampler import Sampling, sample_texts

__all__ = [
    "FilterOptions",
    "GenerateOptions",
    "ImagineJob",
    "ImagineOptions",
    "ImaginedReport",
    "QueryJob",
    "QueryReport",
    "Sampling",
    "sample_texts",
]
